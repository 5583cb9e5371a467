//! How jobs and runs end: at a limit, by a signal, with survivors, and when the command itself is killed.

use super::{SEATRIAL, world, worlds};
use rustix::process::Signal;
use seatrial_testkit::leftovers::{descendants, leftovers, orphans};
use seatrial_testkit::wait_for;

#[test]
fn a_job_over_its_time_is_ended() {
    for world in worlds() {
        let call =
            world.seatrial(["exec", "-n", "2", "--timeout", "300ms", "--format", "json", "--", "sh", "-c"]);
        let ran = call.arg("test {index} = 1 || { echo before; sleep 1000; }").run().exits(1);
        let outcomes: Vec<String> = ran.outcomes().into_iter().map(|(_, _, outcome)| outcome).collect();
        assert_eq!(outcomes, ["pass", "timeout"]);
        ran.tells("before");
    }
}

#[test]
fn a_job_hears_the_polite_signal_first() {
    let world = world();
    let script = "trap 'echo polite; exit 0' TERM; sleep 1000 & wait";
    let call =
        world.seatrial(["exec", "-n", "1", "--timeout", "300ms", "--grace", "60s", "--", "sh", "-c", script]);
    call.run().exits(1).tells("polite").tells("timed out");
}

#[test]
fn a_job_that_ignores_the_polite_signal_is_killed_after_the_grace() {
    for world in worlds() {
        let script = "trap '' TERM; while :; do sleep 1000; done";
        let call = world.seatrial([
            "exec",
            "-n",
            "1",
            "--timeout",
            "200ms",
            "--grace",
            "200ms",
            "--",
            "sh",
            "-c",
            script,
        ]);
        call.run().exits(1).tells("timed out").ends("0 passed, 1 failed, 0 skipped");
    }
}

#[test]
fn slow_jobs_are_announced() {
    let world = world();
    let script = "until test -e go; do sleep 0.01; done";
    let started = world
        .seatrial(["exec", "-n", "1", "--slow-timeout", "50ms", "--format", "json", "--", "sh", "-c", script])
        .start();
    started.tells("\"event\":\"slow\"");
    started.signal(Signal::INT);
    started.end().exits(130);
}

#[test]
fn double_forked_daemons_end_with_their_job() {
    for world in worlds() {
        let script = "(setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 </dev/null &) ; echo started";
        world.sh(script).exits(0).says("started");
        let call = world.seatrial(["exec", "-n", "3", "-j", "1", "--format", "json", "--", "sh", "-c"]);
        let ran =
            call.arg(format!("test $(ls -d /proc/[0-9]* | wc -l) -lt 8 || exit 3; {script}")).run().exits(0);
        let notes = ran.events_of("attempt-finished")[0]["notes"].to_string();
        assert!(notes.contains("left running and ended: s"), "survivors are named: {notes}");
    }
}

#[test]
fn a_survivor_that_holds_the_pipe_delays_nothing() {
    for world in worlds() {
        world.sh("sleep 1000 & echo said").exits(0).says("said");
        let call = world.seatrial([
            "exec",
            "-n",
            "2",
            "--show-passes",
            "--",
            "sh",
            "-c",
            "(sleep 1000 &) ; echo said",
        ]);
        call.run().exits(0).ends("2 passed, 0 failed, 0 skipped");
    }
}

#[test]
fn signals_are_named() {
    for world in worlds() {
        for (signal, name) in
            [("ABRT", "SIGABRT"), ("SEGV", "SIGSEGV"), ("TERM", "SIGTERM"), ("KILL", "SIGKILL")]
        {
            let script = format!("kill -{signal} $$; sleep 1000");
            let ran = world.seatrial(["exec", "-n", "1", "--", "sh", "-c", &script]).run().exits(1);
            ran.tells(name);
        }
        let ran = world.seatrial([
            "exec",
            "-n",
            "1",
            "--format",
            "json",
            "--",
            "/usr/bin/python3",
            "-c",
            "import os; os.abort()",
        ]);
        assert_eq!(ran.run().outcomes()[0].2, "crash");
    }
}

#[test]
fn killing_the_command_kills_everything_of_its_run() {
    for world in worlds() {
        let script = "trap '' TERM HUP; (setsid sleep 1000 &); echo up-{index}; sleep 1000";
        let call =
            world.seatrial(["exec", "-n", "3", "-j", "3", "--format", "json", "--", "sh", "-c", script]);
        let started = call.start();
        let pid = started.pid();
        let seen = wait_for("all jobs sleep", || {
            let all = descendants(pid);
            let count = all.iter().filter(|(_, name)| name == "sleep").count();
            if count == 6 { Ok(all) } else { Err(format!("{all:?}")) }
        });
        assert!(seen.len() >= 9, "{seen:?}");
        world.expect_kill();
        started.signal(Signal::KILL);
        let ran = started.end();
        assert_eq!(ran.code(), -1, "{ran:?}");
        wait_for("no process of the run is left", || {
            let orphans = orphans();
            let alive: Vec<_> =
                seen.iter().filter(|(pid, _)| std::fs::exists(format!("/proc/{pid}")).unwrap()).collect();
            if alive.is_empty() { Ok(()) } else { Err(format!("{alive:?} {orphans:?}")) }
        });
    }
}

#[test]
fn the_next_run_removes_control_groups_of_a_killed_one() {
    let world = world();
    let started =
        world.seatrial(["exec", "-n", "1", "--format", "json", "--", "sh", "-c", "sleep 1000"]).start();
    started.tells("attempt-started");
    world.expect_kill();
    started.signal(Signal::KILL);
    let _ = started.end();
    wait_for("the killed run's control groups are gone", || {
        world.sh("true").exits(0);
        let groups = leftovers(&world.tmp).groups;
        let own = world.runs();
        let left: Vec<_> = groups
            .iter()
            .filter(|group| own.iter().any(|run| group.ends_with(format!("seatrial-{run}"))))
            .collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

#[test]
fn the_next_run_removes_folders_of_a_killed_one() {
    for options in [&["--scratch-on-disk"][..], &["--isolation", "process"]] {
        let world = world();
        let command =
            [&["exec", "-n", "1", "--format", "json"], options, &["--", "sh", "-c", "sleep 1000"]].concat();
        let started = world.seatrial(command).start();
        started.tells("attempt-started");
        let run = world.runs().first().expect("a run").clone();
        world.expect_kill();
        started.signal(Signal::KILL);
        let _ = started.end();
        let folders = || {
            let places = [world.tmp.clone(), world.state.join("seatrial/scratch")];
            let entries =
                places.iter().flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten());
            entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(&run)).count()
        };
        assert_eq!(folders(), 1, "{options:?}: what the killed run left");
        let command = [&["exec"], options, &["--", "true"]].concat();
        world.seatrial(command).run().exits(0);
        assert_eq!(folders(), 0, "{options:?}: after the next run");
    }
}

#[test]
fn killing_the_command_is_seen_in_history() {
    let world = world();
    let started = world
        .seatrial([
            "exec",
            "-n",
            "2",
            "-j",
            "1",
            "--show-passes",
            "--",
            "sh",
            "-c",
            "test {index} = 1 || sleep 1000",
        ])
        .start();
    started.tells("PASS");
    world.expect_kill();
    started.signal(Signal::KILL);
    let _ = started.end();
    wait_for("the run is shown as interrupted", || {
        let ran = world.seatrial(["history"]).run();
        if ran.out().contains("interrupted") { Ok(()) } else { Err(ran.out()) }
    });
}

#[test]
fn stopping_a_passthrough_ends_its_job() {
    let world = world();
    let started = world.seatrial(["exec", "--", "sh", "-c", "echo up; exec sleep 1000"]).start();
    started.tells("up");
    started.signal(Signal::INT);
    let ran = started.end();
    assert!([130, 128 + 2, 128 + 15].contains(&ran.code()), "{ran:?}");
}

#[test]
fn a_reader_that_goes_away_ends_nothing_but_the_talk() {
    let world = world();
    let shell = format!("{SEATRIAL} exec -n 200 --format json -- sh -c 'echo {{index}}' | head -1");
    let ran = world.call("/bin/sh".as_ref(), ["-c", &shell]).run().exits(0);
    assert_eq!(ran.out().lines().count(), 1, "{ran:?}");
    let shell = format!("{SEATRIAL} exec -- sh -c 'yes' | head -1");
    world.call("/bin/sh".as_ref(), ["-c", &shell]).run().exits(0).says("y");
    let shell = format!("{SEATRIAL} exec -n 30 -- false 2>&1 | head -1");
    world.call("/bin/sh".as_ref(), ["-c", &shell]).run().exits(0);
    let shell = format!(
        "{SEATRIAL} history --all | head -1; {SEATRIAL} show --all | head -1; {SEATRIAL} --help | head -1"
    );
    let ran = world.call("/bin/sh".as_ref(), ["-c", &shell]).run().exits(0);
    ran.hides("panic");
}
