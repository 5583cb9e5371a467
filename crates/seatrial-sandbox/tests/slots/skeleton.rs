//! What root writes where no layer lies, and what it may do to process 1.

use crate::Test;
use crate::room::{Kind, Room, cow};
use seatrial_sandbox::JobEnd;

pub(crate) const TESTS: &[Test] = &[
    ("skeleton::what_is_made_in_the_root_is_removed", what_is_made_is_removed),
    ("skeleton::what_cannot_be_undone_costs_the_slot", what_cannot_be_undone),
    ("skeleton::what_a_fixture_makes_there_stays", what_a_fixture_makes_stays),
    ("skeleton::settings_of_process_1_are_put_back", settings_of_process_1),
];

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Everything in the file systems of the root and /dev, with numbers, modes, owners, sizes and times, and what is free.
const STATE: &str = "for top in / /dev; do
        device=$(stat -c %d $top)
        find $top -xdev -printf '%D %i %m %U %G %n %s %t %l %p\\n' | grep \"^$device \" | sort
    done; stat -f -c '%f %d' / /dev";

fn what_is_made_is_removed() {
    for kind in cow() {
        let mut room = Room::new(kind);
        if !is_root() {
            // Nobody else may write there.
            let did = room.sh("for dir in / /dev; do touch $dir/new && exit 1; done; true");
            did.ends(JobEnd::Exit(0)).clean();
            return;
        }
        let before = room.sh(STATE).output;
        assert!(before.contains(" /\n") && before.contains(" /dev\n"), "{before}");
        for make in [
            "echo x > /new; echo x > /dev/new",
            "mkdir -p /new/a/b /usr2; mkfifo /new/fifo; ln -s /nowhere /new/a/link; echo x > /new/a/b/c",
            "mkdir -m 000 /closed; touch -d @0 /old; ln /old /older; mkdir '/usr '; echo > '/ '",
            "mkdir /proc2 /tmp2 /tmp2/usr; python3 -c \"import socket as s; s.socket(s.AF_UNIX).bind('/socket')\"",
            "touch -d @0 / /dev; echo x > /seen; rm /seen",
            "for i in $(seq 300); do mkdir -p /many/$i; echo $i > /many/$i/file; done",
        ] {
            let did = room.sh(make);
            did.ends(JobEnd::Exit(0)).clean();
            let after = room.sh(STATE);
            assert_eq!(after.output, before, "{kind:?}: `{make}`");
            after.clean();
        }
    }
}

fn what_cannot_be_undone() {
    if !is_root() {
        return;
    }
    for spoil in [
        "chmod 700 /",
        "chown 1:1 /dev",
        "rm /dev/stdin",
        "mv /dev/fd /dev/fe && mv /dev/fe /dev/fd",
        "ln -sf /nowhere /dev/stderr",
        "cd /; for i in $(seq 80); do mkdir d; cd d; done",
        "for i in $(seq 3000); do echo $i > /many$i; done",
    ] {
        let mut room = Room::new(Kind::Memory);
        let did = room.sh(spoil);
        did.ends(JobEnd::Exit(0));
        assert!(!did.ended.clean, "`{spoil}`: {did:?}");
    }
}

fn what_a_fixture_makes_stays() {
    if !is_root() {
        return;
    }
    let mut room = Room::new(Kind::Memory);
    let before = room.sh(STATE).output;
    let look = "say(read('/kept') + str([p for p in ['/kept', '/new', '/dev/new'] if os.path.exists(p)]))";
    let make = "write('/new'); os.mkdir('/dev/new'); write('/dev/new/x')";
    let fixture = "write('/kept', 'kept'); os.mkdir('/kept-dir')";
    room.warm(fixture, &[look, make, look]).reports("kept['/kept']\nkept['/kept']");
    room.warm("write('/dev/later')", &[make, look]).reports("kept['/kept']");
    // A test that changes it ends the slot, since there is no other copy.
    let after = room.sh(STATE);
    assert_eq!(after.output, before);
    after.clean();
    room.warm(fixture, &[]).reports("");
    let did = room.warm("", &["write('/kept', 'test')", "say('not here')"]);
    assert!(did.ended.warmer_lost && !did.ended.clean && did.report.is_empty(), "{did:?}");
    did.ends(JobEnd::Exit(0));
}

fn settings_of_process_1() {
    if !is_root() {
        return;
    }
    let mut room = Room::new(Kind::Memory);
    let look = "cat /proc/self/oom_score_adj /proc/self/coredump_filter /proc/1/oom_score_adj";
    let before = room.sh(look).output;
    // One in a namespace of its own mounts another /proc.
    for change in [
        "echo 700 > /proc/1/oom_score_adj && echo 0x7 > /proc/1/coredump_filter",
        "unshare -m sh -c 'mount -t proc proc /mnt && echo 800 > /mnt/1/oom_score_adj' || echo 800 > /proc/1/oom_score_adj",
    ] {
        let did = room.sh(&format!("{change}; {look}"));
        assert!(did.output != before, "it could not be changed: {did:?}");
        let after = room.sh(look);
        assert_eq!(after.output, before);
        after.clean();
    }
}
