//! Warmers that end, and what ends with them.

use crate::Test;
use crate::room::{Did, Kind, Room, payload, py};
use crate::warm::KINDS;
use seatrial_sandbox::{Command, Ended, JobEnd, Launch, SlotMessage, Step};
use seatrial_testkit::wait_for;
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("ending::a_test_that_kills_its_warmer_has_failed", a_test_that_kills_its_warmer),
    ("ending::a_test_that_kills_all_has_failed", a_test_that_kills_all),
    ("ending::a_warmer_that_ends_in_a_job_never_ends_it_well", a_warmer_that_ends_in_a_job),
    ("ending::a_job_whose_warmer_ends_is_not_run_again", a_job_whose_warmer_ends_is_not_run_again),
    ("ending::a_warmer_that_breaks_the_contract_is_ended", a_warmer_that_breaks_the_contract),
    ("ending::a_module_process_that_a_test_kills", a_module_process_that_a_test_kills),
    ("ending::a_warmer_that_ended_between_jobs_is_made_again", a_warmer_that_ended_between_jobs),
    ("ending::a_warmer_of_another_launch_tears_down", a_warmer_tears_down),
    ("ending::everything_ends_with_the_engine", everything_ends_with_the_engine),
    ("ending::a_program_that_is_not_there", a_program_that_is_not_there),
];

/// The job has ended badly, its warmer is lost, and the next one starts anew over the host's state.
fn lost(room: &mut Room, did: &Did, end: JobEnd) {
    assert!(did.ended.warmer_lost, "{did:?}");
    did.ends(end).clean();
    let fresh = format!("say('marked' in globals() or os.path.exists({} + '/kept'))", py(&room.home));
    room.warm("", &[&fresh]).reports("False");
}

/// Something that the next warmer must not find.
fn mark(room: &Room) -> String {
    format!("marked = True; import signal, time; home = {}; write(home + '/kept')", py(&room.home))
}

/// After [`lost`], with process isolation, the file is still there: it is the host's own.
fn unmark(room: &Room) {
    let _ = std::fs::remove_file(room.home.join("kept"));
}

fn a_test_that_kills_its_warmer() {
    let mut room = Room::new(Kind::Memory);
    let mark = mark(&room);
    let did = room.warm(&mark, &["write(home + '/x'); os.kill(os.getppid(), 9)"]);
    lost(&mut room, &did, JobEnd::Signal(libc::SIGKILL));
    // Also where the warmer takes it for a polite wish.
    let polite = format!("{mark}\nsignal.signal(15, lambda *_: os._exit(0))");
    let did = room.warm(&polite, &["os.kill(os.getppid(), 15)"]);
    lost(&mut room, &did, JobEnd::Exit(Ended::NOTHING_SAID));
}

fn a_test_that_kills_all() {
    // Never outside of a container.
    let mut room = Room::new(Kind::Memory);
    let mark = mark(&room);
    let did = room.warm(&mark, &["os.kill(-1, 9)"]);
    lost(&mut room, &did, JobEnd::Signal(libc::SIGKILL));
}

fn a_warmer_that_ends_in_a_job() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        for (code, end) in [
            ("os._exit(0)", JobEnd::Exit(Ended::NOTHING_SAID)),
            ("os._exit(3)", JobEnd::Exit(3)),
            ("os.kill(os.getpid(), 6)", JobEnd::Signal(6)),
            // It lives on, but says no more.
            ("channel.close()\nwhile True: time.sleep(1000)", JobEnd::Signal(libc::SIGKILL)),
        ] {
            let did = room.payload(&payload(&mark(&room), &["pass"], code));
            unmark(&room);
            lost(&mut room, &did, end);
        }
        // What it has said counts.
        let did = room.payload(&payload("", &["say('ran')"], "tell('done', 0); os._exit(3)"));
        did.reports("ran");
        room.warm("", &["say('again')"]).reports("again");
    }
}

fn a_job_whose_warmer_ends_is_not_run_again() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        for _ in 0..10 {
            room.warm("", &["pass"]).reports("");
            // It ends without having read what it was told last.
            let end = "tell('forked', 4711); tell('ended', 4711, 0, 0, 0, 0); os.kill(os.getpid(), 9)";
            let did = room.payload(&payload("", &["say('ran')"], end));
            assert!(did.ended.warmer_lost && did.report == "ran\n", "{did:?}");
            did.ends(JobEnd::Signal(libc::SIGKILL)).clean();
        }
    }
}

fn a_warmer_that_breaks_the_contract() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        for code in [
            "tell('hello')",
            "tell('forked')",
            "tell('forked', 1)",
            "tell('forked', os.getpid())",
            "tell('ended', 4, 0, 0, 0, 0)",
            "tell('done', 'well')",
            "tell('done')",
            "tell('keep', 1)",
            "channel.sendall(b'x' * 1000)",
            // It loses sight of a test, or runs two at once.
            "tell('forked', 4711)",
            "tell('forked', 4711); tell('keep')",
            "tell('forked', 4711); tell('forked', 4712)",
            "tell('forked', 4711); tell('ended', 4712, 0, 0, 0, 0)",
        ] {
            let did = room.payload(&payload(&mark(&room), &["pass"], code));
            unmark(&room);
            lost(&mut room, &did, JobEnd::Signal(libc::SIGKILL));
        }
    }
}

fn a_module_process_that_a_test_kills() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        // The session's process forks one that forks the test; the test kills it and lives on.
        let module = "
pid = os.fork()
if pid == 0:
    test('write(home + \"/x\"); os.kill(os.getppid(), 9)\\nwhile True: time.sleep(1000)')
    os._exit(0)
_, status = os.waitpid(pid, 0)
payload['status'] = status";
        let mark = mark(&room);
        let did = room.payload(&payload(&mark, &[], module));
        assert!(!did.ended.warmer_lost && did.ended.survivors == ["python3"], "{did:?}");
        did.ends(JobEnd::Signal(libc::SIGKILL)).clean();
        let written = if kind == Kind::Memory { "False" } else { "True" };
        room.warm("", &["say(marked); say(os.path.exists(home + '/x'))"])
            .reports(&format!("True\n{written}"));
    }
}

fn a_warmer_that_ended_between_jobs() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let warmer = room.warm("import signal\nsay(os.getpid())", &[]).report;
        let later = "signal.signal(14, signal.SIG_DFL); signal.setitimer(signal.ITIMER_REAL, 0.001)";
        room.payload(&payload("", &[], later)).clean();
        // Whether the next job comes before that or after: it ends by the signal, or is served by another.
        let did = wait_for("another warmer", || {
            let did = room.warm("", &["say(os.getppid())"]);
            if did.report != warmer { Ok(did) } else { Err(did.report) }
        });
        if did.ended.warmer_lost {
            did.ends(JobEnd::Signal(libc::SIGALRM));
        } else {
            did.ends(JobEnd::Exit(0));
        }
        room.warm("", &["say('again')"]).reports("again");
    }
}

fn a_warmer_tears_down() {
    for engine_closes in [false, true] {
        // With process isolation its last file is the host's.
        let mut room = Room::new(Kind::Process);
        let last = room.home.join("last");
        room.warm(&format!("farewell = \"write('{}')\"", last.display()), &["pass"]).reports("");
        assert!(!last.exists());
        if engine_closes {
            room.close();
            wait_for("its last word", || if last.exists() { Ok(()) } else { Err(String::new()) });
        } else {
            room.sh("true").ends(JobEnd::Exit(0));
            assert!(last.exists());
        }
    }
}

fn everything_ends_with_the_engine() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let hang =
            "import time, signal\nsignal.signal(15, signal.SIG_IGN); os.fork(); os.setsid(); say('here')
while True: time.sleep(1000)";
        let set = room.start(&payload("", &[hang], ""));
        wait_for("the test", || {
            let report = room.stream(set, 2);
            if report.contains("here") { Ok(()) } else { Err(report) }
        });
        let below = seatrial_testkit::leftovers::descendants(room.pid());
        assert!(below.len() >= 2, "{below:?}");
        room.close();
        for (pid, name) in below {
            wait_for("the end of a process", || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                let state = stat.rsplit_once(") ").map_or("X", |(_, rest)| rest.get(..1).unwrap_or("X"));
                if matches!(state, "X" | "Z") { Ok(()) } else { Err(format!("{pid} {name} {state}")) }
            });
        }
    }
}

fn a_program_that_is_not_there() {
    let mut room = Room::new(Kind::Memory);
    let launch = Launch { program: b"/nowhere", args: &[b"nowhere"], vars: &[], cwd: b"/" };
    room.slot().launch_warm(7, &launch, b"first", false).unwrap();
    for tag in [1000, 1001] {
        room.slot().send(tag, &Command { launch: 7, args: &[b"{}"], vars: &[], stdin: None }).unwrap();
        let message = room.slot().wait(Duration::from_secs(60));
        let Some(SlotMessage::Ended(ended)) = message else { panic!("{message:?}") };
        assert_eq!(ended.end, JobEnd::NotStarted { step: Step::Exec, errno: libc::ENOENT });
        assert!(ended.clean);
    }
    room.warm("", &["say('here')"]).reports("here");
}
