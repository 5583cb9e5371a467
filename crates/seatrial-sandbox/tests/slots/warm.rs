//! A warm launch's jobs: what they get, how they end, what is done to them.

use crate::Test;
use crate::room::{Kind, Room, WARM, payload};
use rustix::process::{Pid, Signal, kill_process};
use seatrial_sandbox::{JobEnd, SlotMessage, Step};
use seatrial_testkit::wait_for;
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("warm::a_warmer_finds_its_descriptors_and_no_others", a_warmer_finds_its_descriptors),
    ("warm::one_process_serves_all_jobs_with_both_sets", one_process_serves_all_jobs),
    ("warm::the_end_of_a_job_is_that_of_its_last_test", the_end_of_a_job),
    ("warm::what_the_tests_used_is_summed", what_the_tests_used_is_summed),
    ("warm::what_a_test_leaves_running_is_ended_before_the_next", survivors),
    ("warm::a_signal_reaches_the_test_and_not_the_warmer", a_signal_reaches_the_test),
    ("warm::a_test_that_does_not_hear_is_killed_with_its_children", a_test_that_does_not_hear),
    ("warm::a_signal_reaches_a_warmer_without_a_test", a_signal_reaches_the_warmer),
    ("warm::a_signal_that_comes_with_its_job_is_not_lost", a_signal_that_comes_with_its_job),
    ("warm::a_program_that_is_killed_before_it_has_read_its_job_is_not_replaced", killed_before_it_has_read),
    ("warm::a_job_that_is_asked_for_when_nothing_runs_has_started", asked_for_when_nothing_runs),
    ("warm::large_payloads", large_payloads),
    ("warm::what_lies_on_the_shelf_outlives_test_and_warmer", what_lies_on_the_shelf),
    ("warm::who_is_invited_and_does_not_come_is_replaced", who_does_not_come),
    ("warm::another_test_of_a_job_is_told", another_test_of_a_job_is_told),
    ("warm::a_program_that_starts_early_is_told_more_before_its_first_job", a_program_that_starts_early),
];

pub(crate) const KINDS: [Kind; 2] = [Kind::Memory, Kind::Process];

fn a_warmer_finds_its_descriptors() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        // The last is the listing's own.
        let fds = "say([int(fd) for fd in os.listdir('/proc/self/fd')]); say(first.decode())
for fd in range(4, 10): os.write(fd, b'to %d;' % fd)
os.write(1, b'own output;'); os.write(2, b'own errors;')";
        let set = room.start(&payload(fds, &[], ""));
        let did = room.end(set);
        assert_eq!(set, 0);
        let report = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\nfirst\nto 6;";
        assert_eq!((did.report.as_str(), did.output.as_str()), (report, "to 4;own output;to 5;own errors;"));
        let other: Vec<String> = (0..3).map(|stream| room.stream(1, stream)).collect();
        assert_eq!(other, ["to 7;", "to 8;", "to 9;"]);
    }
}

fn one_process_serves_all_jobs() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let first = room.warm("import threading; counter = 0", &["say(os.getppid())"]);
        for round in 1..6 {
            let did = room.warm("counter += 1", &["counter += 10", "say(os.getppid()); say(counter)"]);
            did.reports(&format!("{}\n{round}", first.report.trim_end()));
        }
    }
}

fn the_end_of_a_job() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        room.warm("", &["sys.exit(3)", "pass"]).ends(JobEnd::Exit(0)).clean();
        room.warm("", &["pass", "sys.exit(3)"]).ends(JobEnd::Exit(3)).clean();
        room.warm("", &["os.abort()"]).ends(JobEnd::Signal(libc::SIGABRT)).clean();
        let did = room.warm("", &["os.kill(os.getpid(), 9)"]);
        assert!(!did.ended.warmer_lost);
        did.ends(JobEnd::Signal(libc::SIGKILL)).clean();
        // Without a test, what the warmer says.
        room.payload("{\"status\": 512}").ends(JobEnd::Exit(2)).clean();
    }
}

fn what_the_tests_used_is_summed() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let burn = "import time\nwhile sum(os.times()[:2]) < 0.04: pass";
        let child = format!("if os.fork() == 0:\n  exec({burn:?}); os._exit(0)\nos.wait()");
        let did = room.warm("", &[burn, burn, &child]);
        // The kernel counts in steps of up to 10 ms.
        let used = did.ended.user + did.ended.system;
        assert!(used >= std::time::Duration::from_millis(90), "{did:?}");
        assert!(did.ended.peak_memory > 1 << 20, "{did:?}");
    }
}

fn survivors() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let leave = "import subprocess
script = 'sleep 1000 & sleep 1000 & echo; wait'
subprocess.Popen(['sh', '-c', script], start_new_session=True, stdout=-1).stdout.readline()
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.execvp('sleep', ['sleep', '1000'])
say(os.getppid())";
        // Zombies are nobody, and so is the warmer; with process isolation /proc shows others too.
        let look = "
def stat(pid):
    try: return read('/proc/%s/stat' % pid).rsplit(')', 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError): return ['X', '0']
zygote = os.popen('ps -o ppid= -p %d' % os.getppid()).read().strip()
say([pid for pid in os.listdir('/proc') if pid.isdigit() and stat(pid)[1] == zygote and int(pid) != os.getppid()])";
        let did = room.warm("", &[leave, look, leave]);
        let mut lines = did.report.lines();
        let (warmer, others, same) = (lines.next(), lines.next(), lines.next());
        assert_eq!((others, warmer), (Some("[]"), same), "{did:?}");
        assert!(did.ended.survivors.iter().any(|name| name == "sh"), "{did:?}");
        did.ends(JobEnd::Exit(0)).clean();
        room.warm("", &["pass"]).reports("");
    }
}

/// Starts a job and waits until its report has this line; gives its set of pipes.
fn start_and_wait(room: &mut Room, payload: &str, line: &str) -> usize {
    let set = room.start(payload);
    let mut report = String::new();
    wait_for("a word of the test", || {
        report += &room.stream(set, 2);
        if report.lines().any(|seen| seen == line) { Ok(()) } else { Err(report.clone()) }
    });
    set
}

fn a_signal_reaches_the_test() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let warmer = room.warm("import signal, time", &["say(os.getppid())"]).report;
        let hang = "while os.fork(): say('here'); time.sleep(1000)\ntime.sleep(1000)";
        let set = start_and_wait(&mut room, &payload("", &[hang], ""), "here");
        room.signal(libc::SIGTERM);
        let did = room.end(set);
        assert!(!did.ended.warmer_lost, "{did:?}");
        did.ends(JobEnd::Signal(libc::SIGTERM)).clean();
        room.warm("", &["say(os.getppid())"]).reports(warmer.trim_end());
    }
}

fn a_test_that_does_not_hear() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let warmer = room.warm("import signal, time", &["say(os.getppid())"]).report;
        let hang = "signal.signal(15, lambda *_: say('heard')); os.fork(); os.setsid()
say('here')\nwhile True: time.sleep(1000)";
        let set = start_and_wait(&mut room, &payload("", &[hang], ""), "here");
        room.signal(libc::SIGTERM);
        wait_for("the handler's word", || {
            let report = room.stream(set, 2);
            if report.contains("heard") { Ok(()) } else { Err(report) }
        });
        room.signal(libc::SIGKILL);
        let did = room.end(set);
        did.ends(JobEnd::Signal(libc::SIGKILL)).clean();
        room.warm("", &["say(os.getppid())"]).reports(warmer.trim_end());
    }
}

fn a_signal_reaches_the_warmer() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let hang = "import time\nsay('here')\nwhile True: time.sleep(1000)";
        let set = start_and_wait(&mut room, &payload(hang, &[], ""), "here");
        room.signal(libc::SIGTERM);
        let did = room.end(set);
        assert!(did.ended.warmer_lost, "{did:?}");
        did.ends(JobEnd::Signal(libc::SIGTERM)).clean();
        room.warm("", &["say('again')"]).reports("again");
    }
}

fn pause(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn a_signal_that_comes_with_its_job() {
    for kind in KINDS {
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            let mut room = Room::new(kind);
            let zygote = room.pid();
            // It finds both when it wakes.
            pause(zygote, Signal::STOP);
            let set = room.start(&payload("", &["import time; time.sleep(1000)"], ""));
            room.signal(signal);
            pause(zygote, Signal::CONT);
            room.end(set).ends(JobEnd::Signal(signal)).clean();
            room.warm("", &["say('again')"]).reports("again");
            pause(zygote, Signal::STOP);
            let set = room.start_shell("sleep 1000");
            room.signal(signal);
            pause(zygote, Signal::CONT);
            room.end(set).ends(JobEnd::Signal(signal)).clean();
        }
    }
}

fn asked_for_when_nothing_runs() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        room.warm("", &["pass"]);
        let zygote = room.pid();
        // It finds both when it wakes. Who sent them has heard of the end of the job before.
        pause(zygote, Signal::STOP);
        let set = room.send(&payload("", &["say('ran')"], ""));
        room.recall();
        pause(zygote, Signal::CONT);
        match room.slot().wait(Duration::from_secs(60)) {
            Some(SlotMessage::Recalled { was_started: true, .. }) => {}
            other => panic!("{other:?}"),
        }
        room.end(set).reports("ran");
    }
}

fn killed_before_it_has_read() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        room.introduce(true);
        let program = room.early();
        pause(program, Signal::STOP);
        let set = room.send(&payload("", &["import time; time.sleep(1000)"], ""));
        room.signal(libc::SIGKILL);
        room.end(set).ends(JobEnd::Signal(libc::SIGKILL)).clean();
        room.warm("", &["say('again')"]).reports("again");
    }
}

fn large_payloads() {
    let mut room = Room::new(Kind::Memory);
    let long = format!("say(len('{}'))", "x".repeat(200_000));
    room.warm("", &[&long]).reports("200000");
    let did = room.warm("", &[&format!("say(len('{}'))", "x".repeat(300_000))]);
    did.ends(JobEnd::NotStarted { step: Step::Setup, errno: libc::EMSGSIZE }).clean();
    room.warm("", &["say('still here')"]).reports("still here");
}

fn a_program_that_starts_early() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        room.introduce(true);
        room.early();
        room.slot().inform(WARM, b"more").unwrap();
        let set = room.send(&payload("", &["say([first, second])"], ""));
        room.end(set).reports("[b'early', b'more']");
        // One that is made anew is told everything again.
        room.payload(&payload("", &[], "os._exit(3)"));
        room.warm("", &["say([first, second])"]).reports("[b'early', b'more']");
    }
}

fn another_test_of_a_job_is_told() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        for (tests, told) in [(vec![], 0), (vec!["0"], 0), (vec!["0", "os._exit(1)", "0"], 2)] {
            assert_eq!(room.warm("", &tests).went_on, told, "{tests:?}");
        }
    }
}

fn what_lies_on_the_shelf() {
    for kind in KINDS {
        let mut room = Room::new(kind);
        let lay = |text: &str| {
            format!("import struct; os.pwrite(10, struct.pack('<I', {}) + b'{text}', 0)", text.len())
        };
        // Whoever lives writes it; this warmer does not.
        let did = room.warm("", &[&lay("left")]);
        assert_eq!(did.report, "");
        let dies = format!("{}; os.kill(os.getppid(), 9); os.kill(os.getpid(), 9)", lay("rescued"));
        let did = room.warm("", &[&dies]);
        assert!(did.ended.warmer_lost, "{did:?}");
        assert_eq!(did.report, "rescued");
        // It is written once.
        let did = room.payload(&payload("", &[], "os._exit(3)"));
        assert_eq!(did.report, "");
        room.warm("", &["say('still here')"]).reports("still here");
    }
}

fn who_does_not_come() {
    let mut room = Room::new(Kind::Memory);
    room.introduce(false);
    room.slot().invite(WARM).unwrap();
    match room.slot().wait(Duration::from_secs(20)) {
        Some(SlotMessage::Invitation(invitation)) => {
            // A channel, six pipes, the shelf and six namespaces.
            assert_eq!(invitation.descriptors.len(), 14);
            assert!(!invitation.filter.is_empty() && invitation.filter.len().is_multiple_of(8));
        }
        other => panic!("{other:?}"),
    }
    let set = room.send(&payload("", &["say(first.decode())"], ""));
    room.end(set).reports("early");
    // A slot that has a warmer invites nobody, nor does one that is no container.
    room.slot().invite(WARM).unwrap();
    room.warm("", &["say('the same')"]).reports("the same");
    let mut room = Room::new(Kind::Process);
    room.introduce(false);
    room.slot().invite(WARM).unwrap();
    let set = room.send(&payload("", &["say('here')"], ""));
    room.end(set).reports("here");
}
