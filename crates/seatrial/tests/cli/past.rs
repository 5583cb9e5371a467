//! History: recorded, shown, and in trouble.

use super::world;
use seatrial_testkit::{Call, World};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn three_jobs(world: &World) -> Call {
    world.seatrial([
        "exec",
        "-n",
        "3",
        "--label",
        "branch=main",
        "--",
        "sh",
        "-c",
        "echo said-{index}; test {index} != 2",
    ])
}

#[test]
fn runs_are_listed_and_shown() {
    let world = world();
    three_jobs(&world).run().exits(1);
    world.seatrial(["exec", "-n", "2", "--", "true"]).run().exits(0);
    let history = world.seatrial(["history"]).run().exits(0);
    let text = history.out();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{history:?}");
    assert!(lines[0].contains("passed") && lines[0].contains("2 passed    0 failed"), "{history:?}");
    assert!(lines[1].contains("failed") && lines[1].contains("2 passed    1 failed"), "{history:?}");
    let id = lines[1].split_whitespace().next().unwrap().to_owned();
    for what in ["last~1", &id] {
        let shown = world.seatrial(["show", what]).run().exits(0);
        shown.tells("sh 2").tells("branch=main").tells("2 passed, 1 failed, 0 skipped").hides("sh 3");
    }
    world.seatrial(["show", &id, "--all"]).run().exits(0).tells("sh 1").tells("sh 2").tells("sh 3");
    world.seatrial(["show", &format!("{id}/2")]).run().exits(0).tells("said-2").hides("said-3");
    world.seatrial(["show", &format!("{id}/sh 3")]).run().exits(0).tells("said-3");
    world.seatrial(["history", "-n", "1"]).run().exits(0).hides(&id);
}

#[test]
fn the_command_that_the_summary_names_works() {
    let world = world();
    let ran = three_jobs(&world).run().exits(1);
    let text = ran.err();
    let line = text.lines().find(|line| line.contains("seatrial show")).unwrap_or_else(|| panic!("{ran:?}"));
    let typed = line.trim().replacen("seatrial", super::SEATRIAL, 1);
    world.call("/bin/sh".as_ref(), ["-c", &typed]).run().exits(0).tells("said-2");
}

#[test]
fn what_is_not_recorded_is_named() {
    let world = world();
    let none = world.seatrial(["history"]).run();
    assert_ne!(none.code(), 0, "{none:?}");
    none.tells("no run is recorded");
    three_jobs(&world).run().exits(1);
    let run = world.seatrial(["show", "zzzzzzz"]).run();
    assert_ne!(run.code(), 0, "{run:?}");
    run.tells("zzzzzzz");
    world.seatrial(["show", "last/nobody"]).run().exits(4).tells("nobody");
    let far = world.seatrial(["show", "last~9"]).run();
    assert_ne!(far.code(), 0, "{far:?}");
}

#[test]
fn other_projects_runs_are_not_mixed_in() {
    let world = world();
    world.write("one/file", "");
    world.write("two/file", "");
    for name in ["one", "two"] {
        world.seatrial(["exec", "-n", "1", "--", "echo", name]).cwd(world.project.join(name)).run().exits(0);
    }
    let one = world.seatrial(["history"]).cwd(world.project.join("one")).run().exits(0);
    one.tells("echo one").hides("echo two");
    let all = world.seatrial(["history", "--all"]).cwd(world.project.join("one")).run().exits(0);
    all.tells("echo one").tells("echo two");
}

#[test]
fn two_runs_at_once_are_both_recorded() {
    let world = world();
    let script = "echo up; until test -e /tmp/go; do touch /tmp/go; done";
    let runs: Vec<_> = (0..3)
        .map(|number| {
            world
                .seatrial(["exec", "-n", "40", "-j", "2", "--", "sh", "-c", script, &number.to_string()])
                .start()
        })
        .collect();
    for run in runs {
        run.end().exits(0).ends("40 passed, 0 failed, 0 skipped");
    }
    let history = world.seatrial(["history"]).run().exits(0);
    assert_eq!(history.out().lines().filter(|line| line.contains("40 passed")).count(), 3, "{history:?}");
}

#[test]
fn without_a_writable_state_folder_the_run_goes_on_and_says_so() {
    let world = world();
    // Not even root writes below a file.
    fs::write(world.state.join("seatrial"), "in the way").unwrap();
    let ran = world.seatrial(["exec", "-n", "2", "--", "true"]).run().exits(0);
    ran.tells("warning").tells("not recorded").ends("2 passed, 0 failed, 0 skipped");
    fs::remove_file(world.state.join("seatrial")).unwrap();
    if !world.is_root() {
        fs::set_permissions(&world.state, fs::Permissions::from_mode(0o555)).unwrap();
        let ran = world.seatrial(["exec", "-n", "2", "--", "true"]).run().exits(0);
        fs::set_permissions(&world.state, fs::Permissions::from_mode(0o755)).unwrap();
        ran.tells("warning").tells("not recorded");
    }
}

#[test]
fn without_a_home_the_run_goes_on() {
    let world = world();
    let call = world.seatrial(["exec", "-n", "1", "--", "true"]);
    let ran = call.env("XDG_STATE_HOME", "").env("HOME", "").run().exits(0);
    ran.tells("not recorded");
}

#[test]
fn a_broken_database_is_a_clear_error() {
    let world = world();
    three_jobs(&world).run().exits(1);
    let folder = world.state.join("seatrial");
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("history.sqlite") {
            fs::write(entry.path(), "this is no database, and long enough to be taken for none at all")
                .unwrap();
        }
    }
    let ran = world.seatrial(["history"]).run();
    assert_ne!(ran.code(), 0, "{ran:?}");
    ran.tells("error: ").tells("history.sqlite").hides("panicked");
    // A run goes on, and says that it is not recorded.
    let ran = three_jobs(&world).run().exits(1);
    ran.tells("warning").tells("history.sqlite").ends("2 passed, 1 failed, 0 skipped");
}

#[test]
fn the_revision_is_recorded_and_says_when_files_differ() {
    let world = world();
    let event = |world: &World| {
        let ran = world.seatrial(["exec", "-n", "1", "--format", "json", "--", "true"]).run().exits(0);
        ran.events_of("run-started")[0]["revision"].clone()
    };
    assert!(event(&world).is_null(), "there is no repository yet");
    let git = |args: &str| {
        let identity = "-c user.name=a -c user.email=a@b -c commit.gpgsign=false";
        let typed = format!("git {identity} {args}");
        world.call("/bin/sh".as_ref(), ["-c", &typed]).run().exits(0).out()
    };
    git("init -q .");
    assert!(event(&world).is_null(), "there is no commit yet");
    fs::write(world.project.join("file"), "one").unwrap();
    git("add file");
    git("commit -q -m one");
    let head = git("rev-parse HEAD").trim().to_owned();
    assert_eq!(event(&world), head.as_str());
    fs::write(world.project.join("file"), "another").unwrap();
    assert_eq!(event(&world), format!("{head}-dirty").as_str());
}
