//! The tables themselves.

use super::*;
use crate::schema::BAD;
use std::fmt::Write as _;

/// A released schema changes by a new script alone: `SEATRIAL_BLESS=1` writes the file anew.
#[test]
fn the_schema_is_the_golden_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(History::open(dir.path()).unwrap());
    let connection = connection(dir.path());
    let mut dump = format!("pragma user_version = {};\n", number(dir.path(), "pragma user_version"));
    let sql = "select sql from sqlite_schema where sql is not null order by type, name";
    let mut statement = connection.prepare(sql).unwrap();
    for sql in statement.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        writeln!(dump, "\n{};", sql.unwrap()).unwrap();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schema.sql");
    if std::env::var_os("SEATRIAL_BLESS").is_some() {
        std::fs::write(&golden, &dump).unwrap();
    }
    assert_eq!(std::fs::read_to_string(golden).unwrap(), dump);
}

#[test]
fn the_partial_index_is_of_every_bad_outcome() {
    let dir = tempfile::tempdir().unwrap();
    drop(History::open(dir.path()).unwrap());
    for outcome in Outcome::ALL {
        let sql = format!("select {BAD} from (select '{}' as outcome)", outcome.name());
        assert_eq!(number(dir.path(), &sql) == 1, outcome.is_bad(), "{outcome:?}");
    }
}

#[test]
fn bad_results_are_found_by_the_partial_index() {
    let dir = tempfile::tempdir().unwrap();
    // The statistics that are taken at a run's end make SQLite choose it.
    let names: Vec<String> = (0..500).map(|i| format!("test{i}")).collect();
    let results: Vec<_> = names.iter().map(|name| (name.as_str(), Outcome::Pass, 1)).collect();
    run(dir.path(), 1, &results);
    run(dir.path(), 2, &[("test1", Outcome::Fail, 1)]);
    for sql in [
        crate::results::results_query(true).replace("?1", "1"),
        "select * from result where outcome = 'fail'".to_owned(),
        "select * from results where outcome = 'fail'".to_owned(),
        "select * from results where machine = 'h7' and outcome = 'fail'".to_owned(),
        "select * from results where project = '/p' and outcome = 'timeout'".to_owned(),
    ] {
        let connection = connection(dir.path());
        let mut statement = connection.prepare(&format!("explain query plan {sql}")).unwrap();
        let plan: Vec<String> =
            statement.query_map([], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(plan.iter().any(|step| step.contains("INDEX result_bad")), "{sql}: {plan:?}");
    }
}

#[test]
fn the_view_reads_as_people_ask() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    recorder.record(Instant::from_millis(1500), &started(&test("a"), 1)).unwrap();
    recorder.record(Instant::from_millis(1750), &finished(&test("a"), 1, Outcome::Fail, 250)).unwrap();
    recorder.record(Instant::from_millis(1750), &finished(&test("b"), 1, Outcome::Pass, 1)).unwrap();
    recorder.flush().unwrap();
    let sql = "select run || ' ' || project || ' ' || grp || ' ' || test || ' ' || attempt || ' ' || started \
        || ' ' || seconds || ' ' || slot || ' ' || exit_code || ' ' || username \
        from results where machine = 'h7' and outcome = 'fail'";
    let run = header(1).run;
    let expected = format!("{run} {PROJECT} group a 1 2023-11-14 22:13:22.500 0.25 2 0 me");
    assert_eq!(text(dir.path(), sql), expected);
    assert_eq!(number(dir.path(), "select count(*) from results where outcome = 'pass'"), 1);
}

#[test]
fn tables_hold_together() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("a", Outcome::Pass, 1), ("b", Outcome::Fail, 1)]);
    run(dir.path(), 2, &[("b", Outcome::Pass, 1), ("c", Outcome::Fail, 1)]);
    assert_eq!(number(dir.path(), "select count(*) from pragma_foreign_key_check"), 0);
    assert_eq!(text(dir.path(), "pragma integrity_check"), "ok");
    assert_eq!(number(dir.path(), "select count(*) from test"), 3, "a name is kept once");
    assert_eq!(text(dir.path(), "pragma journal_mode"), "wal");
}
