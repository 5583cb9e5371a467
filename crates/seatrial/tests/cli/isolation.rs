//! What a job sees and changes: the machine as it is, copy-on-write.

use super::{ordinary, world, worlds};
use rustix::process::Signal;
use seatrial_testkit::wait_for;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

#[test]
fn the_job_runs_in_a_container_here() {
    // The other tests of this file say nothing if this machine makes no containers.
    for world in worlds() {
        let ran = world.seatrial(["exec", "-n", "1", "--format", "json", "--", "true"]).run().exits(0);
        assert_eq!(ran.events_of("run-started")[0]["isolation"], "cow", "{ran:?}");
    }
}

#[test]
fn the_user_is_the_same() {
    for world in worlds() {
        let expected = format!("{0}:{0}", world.uid());
        if world.is_root() || rustix::process::getuid().is_root() {
            world.sh("echo $(id -u):$(id -g)").exits(0).says(&expected);
        } else {
            world.sh("id -u").exits(0).says(&world.uid().to_string());
        }
    }
}

#[test]
fn home_is_the_same_and_its_files_are_there() {
    for world in worlds() {
        world.write(world.home.join("settings/tool.conf"), "from home");
        let ran = world.sh("echo $HOME; cat ~/settings/tool.conf").exits(0);
        ran.says(&format!("{}\nfrom home", world.home.display()));
    }
}

#[test]
fn what_a_job_writes_is_thrown_away() {
    for world in worlds() {
        world.write("kept.txt", "before");
        world.write(world.home.join("kept.txt"), "before");
        let script = "for dir in . \"$HOME\" /tmp /dev/shm; do
                echo changed > $dir/kept.txt && echo new > $dir/trial-new.txt && mkdir $dir/trial-dir || exit 1
            done; rm -r ../project/trial-dir; cat kept.txt trial-new.txt /dev/shm/trial-new.txt";
        world.sh(script).exits(0).says("changed\nnew\nnew");
        for dir in [&world.project, &world.home] {
            assert_eq!(fs::read_to_string(dir.join("kept.txt")).unwrap(), "before");
            assert_eq!(fs::read_dir(dir).unwrap().count(), 1, "{}", dir.display());
        }
        for path in ["/tmp/trial-new.txt", "/tmp/trial-dir", "/dev/shm/trial-new.txt", "/dev/shm/trial-dir"] {
            assert!(!fs::exists(path).unwrap(), "{path} is on the host");
        }
    }
}

#[test]
fn the_next_job_of_the_slot_sees_nothing_of_it() {
    for world in worlds() {
        world.write("kept.txt", "before");
        let script = "test $(cat kept.txt) = before || exit 2
            for file in $HOME/a ./a /tmp/a /dev/shm/a; do test ! -e $file || exit 3; echo {index} > $file || exit 4; done
            echo {index} > kept.txt; rm kept.txt; for kind in \"-Q\" \"-M 64\" \"-S 1\"; do ipcmk $kind >&2 || exit 5; done
            test $(ipcs | grep -c ^0x) = 3 || exit 6
            test ! -d /dev/mqueue || { test -z \"$(ls /dev/mqueue)\" && touch /dev/mqueue/q; } || exit 7";
        let ran = world.seatrial(["exec", "-n", "6", "-j", "1", "--", "sh", "-c", script]).run().exits(0);
        ran.ends("6 passed, 0 failed, 0 skipped");
    }
}

#[test]
fn a_project_can_be_written_wherever_it_lies() {
    for world in worlds() {
        // A folder of somebody else's, in it one that was given to the user, but not its group.
        let outer = tempfile::Builder::new().prefix("trial-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(&outer, fs::Permissions::from_mode(0o755)).unwrap();
        let given = outer.path().join("given");
        let (project, grouped) = (given.join("project"), given.join("grouped"));
        for (dir, group) in [(&given, None), (&project, Some(world.uid())), (&grouped, None)] {
            fs::create_dir(dir).unwrap();
            chown(dir, Some(world.uid()), group).unwrap();
        }
        for dir in [project, grouped] {
            world.write(dir.join("sub/kept.txt"), "before\n");
            let script = "mkdir -p new/deep && echo new > new/deep/file && echo more >> sub/kept.txt && cat sub/kept.txt";
            let call = world.seatrial(["exec", "--", "sh", "-c", script]).cwd(&dir);
            call.run().exits(0).says("before\nmore");
            assert_eq!(fs::read_to_string(dir.join("sub/kept.txt")).unwrap(), "before\n");
            assert!(!dir.join("new").exists(), "it is on the host");
        }
    }
}

#[test]
fn what_is_named_below_tmp_is_there_also_by_links() {
    for world in worlds() {
        let near = tempfile::Builder::new().prefix("trial-").tempdir_in("/tmp").unwrap();
        let far = tempfile::Builder::new().prefix("trial-").tempdir_in("/var/tmp").unwrap();
        for dir in [&near, &far] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
            chown(dir.path(), Some(world.uid()), Some(world.uid())).unwrap();
        }
        let (shown, hidden) = (near.path().join("shown"), near.path().join("hidden"));
        for dir in [&shown, &hidden, &far.path().to_path_buf()] {
            world.write(dir.join("file"), "here");
        }
        let (first, second) = (near.path().join("first"), near.path().join("second"));
        symlink("shown", &first).unwrap();
        symlink(far.path(), &second).unwrap();
        let list = format!("/no/such:{}", shown.join("file").display());
        for (value, dir) in
            [(first.display().to_string(), &first), (second.display().to_string(), &second), (list, &shown)]
        {
            let script = "cat $0/file && echo new > $0/new && test ! -e $1";
            let call = world.seatrial(["exec", "-n", "2", "-j", "1", "--", "sh", "-c", script]);
            let ran = call.args([dir, &hidden]).env("NAMED", &value).run().exits(0);
            ran.ends("2 passed, 0 failed, 0 skipped");
            assert!(!dir.join("new").exists(), "it is on the host");
            // Nobody has named it.
            world.seatrial(["exec", "--", "cat"]).args([dir.join("file")]).run().exits(1);
        }
    }
}

#[test]
fn shared_folders_of_others_can_be_written() {
    for world in worlds() {
        // Natively everybody may write there, and so may a job.
        let script = "echo new > /var/tmp/trial-new.txt && cat /var/tmp/trial-new.txt";
        world.sh(script).exits(0).says("new");
        assert!(!fs::exists("/var/tmp/trial-new.txt").unwrap(), "it is on the host");
    }
}

#[test]
fn slots_that_are_made_anew_leave_no_dead_processes() {
    let world = world();
    // Each job costs a slot; the last one looks at the command's own children while the run goes on.
    let script = "chmod 700 /; test {index} -lt 12 || sleep 1000";
    let started =
        world.seatrial(["exec", "-n", "12", "-j", "1", "--show-passes", "--", "sh", "-c", script]).start();
    started.tells("PASS sh 11");
    let pid = started.pid();
    wait_for("all but the newest zygote are reaped", || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let count = children.split_whitespace().count();
        if count <= 3 { Ok(()) } else { Err(format!("{count} children")) }
    });
    started.signal(Signal::INT);
    let _ = started.end();
}

#[test]
fn deleted_files_are_back_for_the_next_job() {
    let world = world();
    for number in 0..30 {
        world.write(format!("tree/{number}/leaf"), "leaf");
    }
    let script =
        "test $(cat tree/*/leaf | grep -o leaf | wc -l) = 30 && rm -r tree && mkdir tree && touch tree/other";
    world.seatrial(["exec", "-n", "4", "-j", "1", "--", "sh", "-c", script]).run().exits(0);
    assert_eq!(fs::read_dir(world.project.join("tree")).unwrap().count(), 30);
}

#[test]
fn etc_is_roots_alone() {
    for world in worlds() {
        let ran = world
            .sh_with(&["--isolation", "cow"], "echo new > /etc/trial-new.conf && cat /etc/trial-new.conf");
        if world.is_root() {
            ran.exits(0).says("new");
        } else {
            assert_ne!(ran.code(), 0, "{ran:?}");
            ran.tells("Permission denied");
        }
        assert!(!fs::exists("/etc/trial-new.conf").unwrap(), "it is on the host");
    }
}

#[test]
fn an_ordinary_user_may_not_more_than_natively() {
    let world = ordinary();
    let dirs = "/ /etc /usr /usr/bin /var /var/lib /opt /root /sys";
    let script = format!(
        "for dir in {dirs}; do test -e $dir || continue; if touch $dir/trial-file 2>/dev/null; then echo $dir; fi; done"
    );
    // The same question inside and outside.
    let outside = world.call("/bin/sh".as_ref(), ["-c", &script]).run();
    let inside = world.sh(&script);
    assert_eq!(inside.out(), outside.out(), "{inside:?}");
    let shadow = "cat /etc/shadow >/dev/null 2>&1; echo $?";
    let outside = world.call("/bin/sh".as_ref(), ["-c", shadow]).run();
    assert_eq!(world.sh(shadow).out(), outside.out());
}

#[test]
fn root_may_give_files_away() {
    let world = world();
    world.write("file", "content");
    let ran = world.sh("chown 1234:4321 file && stat -c %u:%g file");
    if world.is_root() {
        ran.exits(0).says("1234:4321");
    } else {
        assert_ne!(ran.code(), 0, "{ran:?}");
        // The kernel's word for a user that the container does not know is another than natively.
        assert!(ran.err().contains("not permitted") || ran.err().contains("Invalid argument"), "{ran:?}");
    }
}

#[test]
fn modes_owners_links_and_times_are_as_outside() {
    for world in worlds() {
        world.script("run.sh", "#!/bin/sh\necho ran\n");
        world.write("plain", "text");
        std::os::unix::fs::symlink("plain", world.project.join("link")).unwrap();
        // An ordinary user's containers show other users' files as nobody's, and other users' top directories as its own.
        let others = if world.is_root() { "link / /etc /usr /var /tmp /usr/bin/env" } else { "" };
        let script = format!(
            "for at in . run.sh plain ../home {others}; do stat -c '%n %a %u %g %F' $at; done; \
            stat -c '%Y %s' plain run.sh; readlink link; ./run.sh"
        );
        let outside = world.call("/bin/sh".as_ref(), ["-c", &script]).run().exits(0);
        let inside = world.sh(&script).exits(0);
        assert_eq!(inside.out(), outside.out());
    }
}

#[test]
fn namespaces_are_its_own() {
    for world in worlds() {
        let script = "for kind in pid ipc net uts mnt user; do readlink /proc/self/ns/$kind; done";
        let inside = world.sh(script).exits(0);
        let outside = world.call("/bin/sh".as_ref(), ["-c", script]).run().exits(0);
        for (inside, outside) in inside.out().lines().zip(outside.out().lines()) {
            assert_ne!(inside, outside);
        }
        assert_eq!(inside.out().lines().count(), 6, "{inside:?}");
        // Few processes are seen: this job's and the slot's init.
        let seen = world.sh("ls -d /proc/[0-9]* | wc -l").exits(0).out();
        assert!(seen.trim().parse::<u32>().unwrap() <= 6, "{seen}");
    }
}

#[test]
fn a_job_is_not_process_1() {
    let ran = world().sh("echo $$").exits(0);
    assert_ne!(ran.out().trim(), "1");
}

#[test]
fn nested_containers_can_be_made() {
    for world in worlds() {
        world.sh("unshare -Urm true").exits(0);
        let ran = world.sh("unshare -Urpf --mount-proc sh -c 'echo $$'").exits(0);
        ran.says("1");
    }
}

#[test]
fn devices_and_terminals_work() {
    for world in worlds() {
        let script = "echo x > /dev/null && head -c4 /dev/zero | wc -c && head -c4 /dev/urandom | wc -c && \
            ! (echo y > /dev/full) 2>/dev/null && ls -l /dev/fd/0 >/dev/null && test -d /dev/pts && echo ok";
        world.sh(script).exits(0).says("4\n4\nok");
        if fs::exists("/usr/bin/python3").unwrap() {
            let pty = "import os; a, b = os.openpty(); os.write(b, b'x'); print(os.read(a, 1), os.ttyname(b).startswith('/dev/pts/'))";
            world.seatrial(["exec", "--", "/usr/bin/python3", "-c", pty]).run().exits(0).says("b'x' True");
        }
    }
}

#[test]
fn nested_runs_work() {
    for world in worlds() {
        let binary = world.binary().to_owned();
        let nested = world
            .seatrial(["exec", "--"])
            .arg(&binary)
            .args(["exec", "-n", "3", "--", "sh", "-c", "echo x > file && test $(cat file) = x"])
            .run()
            .exits(0);
        nested.ends("3 passed, 0 failed, 0 skipped");
        assert!(!world.project.join("file").exists());
    }
}
