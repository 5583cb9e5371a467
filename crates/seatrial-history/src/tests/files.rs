//! Which files tests opened, recorded and asked for.

use super::*;
use seatrial_model::FileFacts;

fn facts(interpreter: &str, step: u32, tests: &[&str], opened: &[&str]) -> FileFacts {
    FileFacts {
        tests: tests.iter().map(|name| test(name)).collect(),
        interpreter: interpreter.to_owned(),
        step,
        opened: opened.iter().map(|&name| name.to_owned()).collect(),
        ..FileFacts::default()
    }
}

fn shared(interpreter: &str, step: u32, tests: &[&str], opened: &[&str]) -> FileFacts {
    FileFacts { shared: true, ..facts(interpreter, step, tests, opened) }
}

fn record(dir: &Path, n: u64, all: &[FileFacts]) {
    let mut recorder = begin(dir, n);
    for facts in all {
        recorder.record(Instant(0), &Event::Facts(facts.clone())).unwrap();
    }
    // Nothing else has happened, and still there is something to write.
    recorder.flush().unwrap();
}

/// Names, kinds and whether they are inherited, of a test.
fn used(dir: &Path, name: &str) -> String {
    let sql = "select coalesce(group_concat(line, ' '), '') from (select kind || ':' || name || ':' || inherited as line \
        from files where grp = 'group' and test = '";
    text(dir, &format!("{sql}{name}' order by line)"))
}

#[test]
fn a_test_has_what_its_process_did_and_what_that_inherited() {
    let dir = tempfile::tempdir().unwrap();
    let written =
        FileFacts { written: vec!["out".into()], imported: vec!["m".into()], ..facts("i", 2, &["b"], &[]) };
    record(
        dir.path(),
        1,
        &[
            // In the order in which they may come: a held result tells its facts later.
            facts("i", 1, &["a"], &["own"]),
            written,
            shared("i", 2, &["b"], &["second"]),
            shared("i", 1, &["a"], &["first"]),
            shared("i", 3, &["nobody"], &["third"]),
            shared("j", 1, &["c"], &["other"]),
            facts("j", 1, &["c", "d"], &[]),
        ],
    );
    assert_eq!(used(dir.path(), "a"), "opened:first:1 opened:own:0");
    assert_eq!(used(dir.path(), "b"), "imported:m:0 opened:first:1 opened:second:1 written:out:0");
    assert_eq!(used(dir.path(), "c"), "opened:other:1");
    assert_eq!(used(dir.path(), "d"), "opened:other:1");
    assert_eq!(used(dir.path(), "nobody"), "", "its process has not told");
    assert_eq!(
        number(dir.path(), "select count(*) from name where text = 'first'"),
        1,
        "a name is kept once"
    );
}

#[test]
fn runs_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 1, &[shared("i", 1, &["a"], &["old"]), facts("i", 1, &["a"], &[])]);
    record(dir.path(), 2, &[shared("i", 1, &["a"], &["new"]), facts("i", 1, &["a"], &[])]);
    let sql = format!("select group_concat(name) from files where run = '{}'", header(2).run);
    assert_eq!(text(dir.path(), &sql), "new");
    assert_eq!(number(dir.path(), "select count(*) from pragma_foreign_key_check"), 0);
}

#[test]
fn what_is_missing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let cut = |left_out, facts| FileFacts { left_out, ..facts };
    record(
        dir.path(),
        1,
        &[
            facts("i", 0, &["a"], &[]),
            cut(3, shared("i", 1, &["b"], &[])),
            cut(4, facts("i", 1, &["b"], &[])),
            facts("i", 1, &["c"], &[]),
        ],
    );
    let left_out =
        |name: &str| number(dir.path(), &format!("select left_out from recorded where test = '{name}'"));
    assert_eq!((left_out("a"), left_out("b"), left_out("c")), (0, 7, 3));
    assert_eq!(number(dir.path(), "select count(*) from recorded"), 3);
}

#[test]
fn a_file_of_the_first_schema_is_carried_on() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("a", Outcome::Pass, 1)]);
    let back = "drop view files; drop view recorded; drop table facts_name; drop table facts_test; drop table facts; \
        drop table name; pragma user_version = 1";
    connection(dir.path()).execute_batch(back).unwrap();
    record(dir.path(), 2, &[facts("i", 0, &["a"], &["x"])]);
    assert_eq!(used(dir.path(), "a"), "opened:x:0");
    assert_eq!(number(dir.path(), "select count(*) from results"), 1, "what was there is there");
}
