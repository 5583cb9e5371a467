//! `seatrial exec` with one job: its streams and its exit code are the command's.

use super::{world, worlds};

#[test]
fn streams_and_exit_code_are_the_jobs() {
    for world in worlds() {
        let ran = world
            .seatrial(["exec", "--", "sh", "-c", "cat; echo err >&2; exit 7"])
            .stdin("line\nhalf")
            .run()
            .exits(7);
        assert_eq!((ran.out().as_str(), ran.err().as_str()), ("line\nhalf", "err\n"));
    }
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let bytes: Vec<u8> = (0..=255).collect();
    let ran = world().seatrial(["exec", "--", "cat"]).stdin(bytes.clone()).run().exits(0);
    assert_eq!(ran.stdout, bytes);
}

#[test]
fn a_megabyte_comes_out_exactly() {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for world in worlds() {
        let ran = world.seatrial(["exec", "--", "cat"]).stdin(bytes.clone()).run().exits(0);
        assert!(ran.stdout == bytes, "{} of {} bytes", ran.stdout.len(), bytes.len());
    }
}

#[test]
fn arguments_pass_unchanged_even_empty_ones() {
    let ran =
        world().seatrial(["exec", "--", "printf", "<%s>", "a b", "", "--junit", "*", "ä"]).run().exits(0);
    assert_eq!(ran.out(), "<a b><><--junit><*><ä>");
}

#[test]
fn a_signal_is_the_shells_exit_code() {
    let world = world();
    let _ = world.sh("kill -TERM $$; sleep 100").exits(128 + 15);
    let _ = world.sh("kill -ABRT $$; sleep 100").exits(128 + 6);
    let _ = world.sh("kill -KILL $$; sleep 100").exits(128 + 9);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let ran = world().seatrial(["exec", "--", "no-such-program"]).run();
    assert_ne!(ran.code(), 0, "{ran:?}");
    ran.tells("no-such-program").tells("No such file or directory");
}

#[test]
fn a_program_that_may_not_be_executed_is_named() {
    let world = world();
    world.write("notes.txt", "no program");
    let ran = world.seatrial(["exec", "--", "./notes.txt"]).run();
    assert_ne!(ran.code(), 0, "{ran:?}");
    ran.tells("./notes.txt").tells("Permission denied");
}

#[test]
fn environment_and_directory_are_the_callers() {
    for world in worlds() {
        world.write("below/file", "");
        let ran = world
            .seatrial(["exec", "--", "sh", "-c", "echo $COLOUR $PWD; ls"])
            .env("COLOUR", "deep blue")
            .cwd(world.project.join("below"))
            .run()
            .exits(0);
        ran.says(&format!("deep blue {}\nfile", world.project.join("below").display()));
    }
}

#[test]
fn an_unknown_option_is_named() {
    let ran = world().seatrial(["exec", "--frobnicate", "--", "true"]).run().exits(2);
    ran.tells("--frobnicate");
}

#[test]
fn values_that_mean_nothing_are_named() {
    let world = world();
    for (option, value) in [
        ("--timeout", "soon"),
        ("--memory", "much"),
        ("--scratch", "1X"),
        ("--array", "5..3"),
        ("--label", "none"),
        ("--isolation", "glass"),
        ("-j", "0"),
    ] {
        let ran = world.seatrial(["exec", option, value, "--", "true"]).run().exits(2);
        ran.tells(value);
    }
}

#[test]
fn a_command_is_required() {
    world().seatrial(["exec"]).run().exits(2);
    world().seatrial::<&str>([]).run().exits(2);
}
