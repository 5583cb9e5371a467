//! Jobs that try to get out, or to take others down: nothing of it reaches the slot's init, the run or the host.

use super::{world, worlds};
use seatrial_testkit::{Ran, World};

/// A script that does nothing unless it runs in a container: these attacks must never meet the machine itself.
fn inside(script: &str) -> String {
    let link =
        |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    let mut guard = String::new();
    for kind in ["user", "pid", "mnt"] {
        guard
            .push_str(&format!("test \"$(readlink /proc/self/ns/{kind})\" != '{}' || exit 99\n", link(kind)));
    }
    guard + script
}

/// One job of an attacking script, with its streams and exit code.
fn attack(world: &World, script: &str) -> Ran {
    let ran = world.seatrial(["exec", "--isolation", "cow", "--", "bash", "-c", &inside(script)]).run();
    assert_ne!(ran.code(), 99, "no container: {ran:?}");
    ran
}

/// The same as an array.
fn attacks(world: &World, options: &[&str], script: &str) -> Ran {
    let call = world.seatrial(["exec", "--isolation", "cow"]).args(options).args([
        "--",
        "bash",
        "-c",
        &inside(script),
    ]);
    call.run()
}

/// Commands each of which must fail.
fn all_fail(world: &World, commands: &[&str]) {
    for command in commands {
        let ran = attack(world, command);
        assert_ne!(ran.code(), 0, "`{command}` succeeded: {ran:?}");
        let denied =
            ["denied", "not permitted", "must be superuser", "must be root", "Read-only", "Invalid argument"];
        assert!(
            denied.iter().any(|word| ran.err().contains(word)),
            "`{command}` fails for another reason: {ran:?}"
        );
    }
}

#[test]
fn init_is_closed() {
    for world in worlds() {
        all_fail(
            &world,
            &[
                "ls /proc/1/root/",
                "readlink -v /proc/1/exe",
                "cat /proc/1/fd/0",
                "readlink -v /proc/1/fd/3",
                "exec 3</proc/1/mem",
                "exec 3<>/proc/1/mem",
                "exec 3</proc/1/environ && cat <&3",
                "readlink -v /proc/1/cwd",
                "readlink -v /proc/1/ns/mnt",
                "exec 3</proc/1/maps && cat <&3",
            ],
        );
    }
}

#[test]
fn init_survives_every_signal() {
    for world in worlds() {
        let script = "for signal in KILL TERM INT STOP SEGV HUP USR1; do kill -$signal 1; done; echo alive";
        attack(&world, script).exits(0).says("alive");
        // The slot goes on with the next job.
        let ran = attacks(&world, &["-n", "3", "-j", "1"], "kill -9 1; kill -STOP 1; true");
        ran.exits(0).ends("3 passed, 0 failed, 0 skipped");
    }
}

#[test]
fn killing_everybody_kills_the_job_alone() {
    for world in worlds() {
        // kill(-1) spares its caller, which ends well.
        let script = "sleep 1000 & exec /usr/bin/python3 -c 'import os; os.kill(-1, 9)'";
        attacks(&world, &["-n", "4", "-j", "2"], script).exits(0).ends("4 passed, 0 failed, 0 skipped");
        // Its parent dies of it.
        let ran = attack(&world, "/usr/bin/python3 -c 'import os; os.kill(-1, 9)' & wait; sleep 1000");
        assert_eq!(ran.code(), 128 + 9, "{ran:?}");
    }
}

#[test]
fn what_reaches_out_of_the_container_is_denied() {
    for world in worlds() {
        all_fail(&world, &[
            "mount -t tmpfs none /mnt",
            "mount --bind /usr /mnt",
            "mount -o remount,rw /sys",
            "umount /proc",
            "umount /tmp",
            "hostname trial",
            "mknod /tmp/disk b 8 0",
            "mknod /tmp/null c 1 3",
            "exec 3>>/proc/sys/kernel/hostname",
            "exec 3>>/proc/sys/vm/drop_caches",
            "exec 3>>/sys/kernel/uevent_helper || { test -e /sys/kernel/uevent_helper || echo denied >&2; false; }",
            "nsenter -t 1 -m true",
            "PATH=$PATH:/usr/sbin:/sbin chroot / true",
            "date -s 2001-01-01",
        ].into_iter().filter(|command| !(world.is_root() && *command == "PATH=$PATH:/usr/sbin:/sbin chroot / true")).collect::<Vec<_>>());
    }
}

#[test]
fn the_core_pattern_cannot_be_written() {
    for world in worlds() {
        // Opened for appending and nothing written: whatever this test finds, the machine keeps its setting.
        let ran = attack(&world, "exec 3>>/proc/sys/kernel/core_pattern");
        assert_ne!(ran.code(), 0, "{ran:?}");
        assert!(ran.err().contains("core_pattern"), "{ran:?}");
    }
}

#[test]
fn no_descriptor_of_the_run_is_left_open() {
    for world in worlds() {
        let script = "import os; print(sorted(f for f in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{f}')))";
        let ran = world
            .seatrial(["exec", "-n", "1", "--format", "json", "--", "/usr/bin/python3", "-c", script])
            .run()
            .exits(0);
        let said = ran.events_of("attempt-finished")[0]["output"]["stdout"]["head"].clone();
        assert_eq!(said, "['0', '1', '2']\n");
    }
}

#[test]
fn a_fork_bomb_ends_with_its_job() {
    for world in worlds() {
        // A bomb that counts: 500 processes and more, none of which ends by itself.
        let script = "for number in $(seq 200); do bash -c 'sleep 1000 & sleep 1000 & exec sleep 1000' & done
            until test $(ls -d /proc/[0-9]* | wc -l) -gt 500; do :; done; kill -9 $$";
        attack(&world, script).exits(128 + 9);
        let ran = attacks(&world, &["-n", "2", "-j", "1", "--format", "json"], script).exits(1);
        assert!(ran.outcomes().iter().all(|(_, _, outcome)| outcome == "crash"), "{ran:?}");
    }
}

#[test]
fn processes_are_limited_as_the_job_asks() {
    for world in worlds() {
        let script = "ulimit -u 40; for number in $(seq 100); do sleep 1000 & done 2>/tmp/errors; \
            grep -c 'Resource temporarily unavailable' /tmp/errors";
        let ran = attack(&world, script);
        // The limit does not hold root; whoever it holds, the next job is not harmed.
        if !world.is_root() {
            assert!(ran.err().contains("unavailable") || ran.out().trim() != "0", "{ran:?}");
        }
        world.sh("echo next").exits(0).says("next");
    }
}

#[test]
fn a_job_may_kill_its_parent() {
    for world in worlds() {
        let script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL); print(\"survived\")";
        let ran = attack(&world, &format!("exec /usr/bin/python3 -c '{script}'")).exits(0);
        ran.says("survived");
        let ran = attack(&world, "bash -c 'kill -9 $PPID; sleep 1000'; echo no");
        assert_eq!(ran.code(), 128 + 9, "{ran:?}");
    }
}

#[test]
fn a_job_may_delete_its_own_directory() {
    for world in worlds() {
        world.write("sub/file", "");
        let script = "rm -r \"$PWD\" && ls; echo gone";
        let call = world.seatrial(["exec", "-n", "3", "-j", "1", "--", "sh", "-c", script]);
        call.cwd(world.project.join("sub")).run().exits(0).ends("3 passed, 0 failed, 0 skipped");
        assert!(world.project.join("sub/file").exists());
    }
}

#[test]
fn a_full_scratch_is_the_jobs_problem_and_gets_a_hint() {
    for world in worlds() {
        let script = "head -c 100000000 /dev/zero > /tmp/big";
        let call =
            world.seatrial(["exec", "-n", "2", "-j", "1", "--scratch", "16M", "--", "sh", "-c", script]);
        let ran = call.run().exits(1);
        ran.tells("No space left on device").tells("--scratch").ends("0 passed, 2 failed, 0 skipped");
        let script = "head -c 100000000 /dev/zero > ./big";
        let ran = world.sh_with(&["--scratch", "16M"], script);
        assert_ne!(ran.code(), 0, "{ran:?}");
        ran.tells("No space left on device");
    }
}

#[test]
fn many_small_files_in_tmp_are_thrown_away() {
    let world = world();
    let script = "test $(ls /tmp | grep -c ^small) = 0 && cd /tmp && seq -f small%g 3000 | xargs touch";
    world.seatrial(["exec", "-n", "3", "-j", "1", "--", "sh", "-c", script]).run().exits(0);
}

#[test]
fn memory_is_limited_where_control_groups_allow() {
    let world = world();
    let doctor = world.seatrial(["doctor"]).run();
    let limited = doctor.out().lines().any(|line| line.starts_with("ok") && line.contains("control groups"));
    let script = "block = bytearray(400_000_000); print(len(block))";
    let call = world.seatrial([
        "exec",
        "-n",
        "1",
        "--memory",
        "64M",
        "--format",
        "json",
        "--",
        "/usr/bin/python3",
        "-c",
        script,
    ]);
    let ran = call.run();
    if limited {
        assert_eq!(ran.outcomes()[0].2, "oom", "{ran:?}");
        assert_eq!(ran.code(), 1);
    } else {
        // The promise that cannot be kept is said.
        let notices = ran.events_of("notice");
        assert!(
            notices.iter().any(|notice| notice["text"].as_str().unwrap().contains("--memory")),
            "{ran:?}"
        );
        assert_eq!(ran.outcomes()[0].2, "pass", "{ran:?}");
    }
    // The next job is not harmed.
    world.sh("echo next").exits(0).says("next");
}
