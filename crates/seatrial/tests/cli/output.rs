//! What jobs write, and what people see of it.

use super::{world, worlds};
use std::fs;

#[test]
fn closed_streams_and_half_lines_are_fine() {
    for world in worlds() {
        let script = "echo first; exec >&- 2>&-; sleep 0; true";
        let ran =
            world.seatrial(["exec", "-n", "1", "--format", "json", "--", "sh", "-c", script]).run().exits(0);
        assert_eq!(ran.events_of("attempt-finished")[0]["output"]["stdout"]["head"], "first\n");
        let call = world.seatrial([
            "exec",
            "-n",
            "1",
            "--",
            "sh",
            "-c",
            "printf half-out; printf half-err >&2; exit 1",
        ]);
        call.run().exits(1).tells("half-out").tells("half-err").ends("0 passed, 1 failed, 0 skipped");
    }
}

#[test]
fn bytes_that_are_no_text_survive_the_event_lines() {
    let world = world();
    let call = world.seatrial(["exec", "-n", "1", "--format", "json", "--", "printf", "\\377\\376"]);
    let ran = call.run().exits(0);
    assert_eq!(ran.events_of("attempt-finished")[0]["output"]["stdout"]["head"]["base64"], "//4=");
}

#[test]
fn of_a_flood_head_and_tail_are_kept_and_the_rest_is_in_a_file() {
    let world = world();
    let script = "echo the-head; yes 0123456789012345678901234567890123456789 | head -c 200000000; echo the-tail; exit 1";
    let call = world.seatrial(["exec", "-n", "1", "--format", "json", "--", "sh", "-c", script]);
    let ran = call.run().exits(1);
    let event = &ran.events_of("attempt-finished")[0];
    let stdout = &event["output"]["stdout"];
    let length = 200_000_000 + "the-head\nthe-tail\n".len() as u64;
    assert_eq!(stdout["total"], length);
    assert!(stdout["head"].as_str().unwrap().starts_with("the-head\n"));
    assert!(stdout["tail"].as_str().unwrap().ends_with("the-tail\n"));
    assert!(ran.stdout.len() < 20_000_000, "{} bytes of events", ran.stdout.len());
    let spill = stdout["spill"]
        .as_str()
        .unwrap_or_else(|| panic!("no file is named: {}", event["output"]["stdout"]["spill"]));
    let meta = fs::metadata(spill).unwrap_or_else(|error| panic!("{spill}: {error}"));
    assert!(meta.len() > 1_000_000, "{spill} has {} bytes", meta.len());
    let shown = world.seatrial(["show", "last/1"]).run().exits(0);
    shown.tells("the-head").tells("the-tail").tells(spill);
}

#[test]
fn nothing_is_coloured_unless_wanted() {
    let world = world();
    let job = ["exec", "-n", "2", "--", "sh", "-c", "test {index} = 1"];
    let plain = world.seatrial(job).run().exits(1);
    assert!(!plain.err().contains('\x1b'), "{plain:?}");
    let forced = world.seatrial(job).env("CLICOLOR_FORCE", "1").run().exits(1);
    assert!(forced.err().contains('\x1b'), "{forced:?}");
    let forbidden = world.seatrial(job).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run().exits(1);
    assert!(!forbidden.err().contains('\x1b'), "{forbidden:?}");
}

#[test]
fn a_jobs_escapes_do_not_reach_the_terminal() {
    let world = world();
    let call = world.seatrial(["exec", "-n", "1", "--", "printf", "\\033]0;title\\007\\033[2J\\rhidden\\n"]);
    let ran = call.arg("{index}").run().exits(0);
    assert!(!ran.err().contains('\x1b'), "{ran:?}");
    let call = world.seatrial([
        "exec",
        "-n",
        "1",
        "--",
        "sh",
        "-c",
        "printf '\\033]0;title\\007\\033[2Jclear'; exit 1",
    ]);
    let ran = call.run().exits(1);
    assert!(!ran.err().contains("\x1b[2J") && !ran.err().contains("\x1b]0;"), "{ran:?}");
}

#[test]
fn passes_are_shown_when_asked_for() {
    let world = world();
    world.seatrial(["exec", "-n", "2", "--", "true"]).run().exits(0).hides("PASS");
    world
        .seatrial(["exec", "-n", "2", "--show-passes", "--", "true"])
        .run()
        .exits(0)
        .tells("PASS true 1")
        .tells("PASS true 2");
}

#[test]
fn event_lines_begin_and_end_as_promised() {
    let world = world();
    let ran =
        world.seatrial(["exec", "-n", "2", "--format", "json", "--seed", "9", "--", "true"]).run().exits(0);
    let events = ran.events();
    assert!(events.iter().all(|event| event["v"] == 1), "{ran:?}");
    assert_eq!(events[0]["event"], "run-started");
    assert_eq!(
        (events[0]["seed"].clone(), events[0]["project"].clone()),
        (9.into(), world.project.to_str().unwrap().into())
    );
    assert_eq!(ran.finished()["exit_code"], 0);
    assert!(ran.stderr.is_empty(), "{ran:?}");
    let times: Vec<u64> = events.iter().map(|event| event["at_us"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn event_lines_of_one_job_are_events_too() {
    let world = world();
    let ran = world.seatrial(["exec", "--format", "json", "--", "true"]).run().exits(0);
    let _ = ran.finished();
}
