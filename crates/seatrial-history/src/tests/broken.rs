//! What goes wrong is told, and the way out works.

use super::*;
use crate::{Error, RunState};
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

#[test]
fn the_folder_is_made_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("state/seatrial?mode=ro #1%20");
    let history = History::open(&deep).unwrap();
    assert_eq!(history.file(), deep.join("history.sqlite"));
    assert!(deep.join("history.sqlite").is_file());
    assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(History::open_read_only(&deep).unwrap().runs(None, 1).unwrap(), []);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for path in [dir.path().join("file/state"), "/proc/seatrial".into()] {
        let error = History::open(&path).unwrap_err();
        assert!(matches!(&error, Error::NoAccess { path: named, .. } if *named == path), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("cannot open or write the history at `{}`: ", path.display())),
            "{text}"
        );
        assert!(error.hint().unwrap().contains("XDG_STATE_HOME"));
    }
    // A folder where the file should be.
    fs::create_dir_all(dir.path().join("s/history.sqlite")).unwrap();
    let error = History::open(&dir.path().join("s")).unwrap_err();
    assert!(matches!(&error, Error::NoAccess { .. }), "{error:?}");
}

#[test]
fn reading_needs_a_history_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let error = History::open_read_only(&dir.path().join("none")).unwrap_err();
    assert_eq!(error, Error::Missing { path: dir.path().join("none/history.sqlite") });
    assert!(!dir.path().join("none").exists());
}

#[test]
fn a_history_opened_for_reading_records_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("a", Outcome::Pass, 1)]);
    let mut history = History::open_read_only(dir.path()).unwrap();
    let error = history.begin(&header(2), "me", &[]).unwrap_err();
    assert!(matches!(&error, Error::NoAccess { detail, .. } if detail.contains("for reading")), "{error:?}");
    assert_eq!(history.runs(None, 9).unwrap().len(), 1);
}

#[test]
fn a_newer_schema_is_read_but_not_written() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), 1, &[("a", Outcome::Pass, 1)]);
    let connection = connection(dir.path());
    connection.execute_batch("alter table result add column more text; pragma user_version = 99").unwrap();
    let newer =
        Error::Newer { path: dir.path().join("history.sqlite"), found: 99, known: crate::schema::KNOWN };
    for mut history in [History::open(dir.path()).unwrap(), History::open_read_only(dir.path()).unwrap()] {
        assert_eq!(history.results(header(1).run, false).unwrap().len(), 1);
        assert_eq!(history.facts(PROJECT).unwrap().tests.len(), 1);
        let error = history.begin(&header(2), "me", &[]).unwrap_err();
        if history.store.writable {
            assert_eq!(error, newer);
            assert!(error.to_string().ends_with("its schema is version 99, and this one knows 2"), "{error}");
        }
        assert_eq!(history.runs(None, 9).unwrap().len(), 1);
    }
    assert_eq!(number(dir.path(), "pragma user_version"), 99);
    // So new that a query no longer fits.
    connection
        .execute_batch("drop view results; drop view outputs; alter table result rename to r2")
        .unwrap();
    let history = History::open_read_only(dir.path()).unwrap();
    assert_eq!(history.results(header(1).run, false), Err(newer));
}

#[test]
fn a_damaged_file_is_named_and_can_be_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.sqlite");
    for n in 1..=2 {
        fs::write(&file, format!("this is no database, for the {n}th time").repeat(100)).unwrap();
        for error in [History::open(dir.path()), History::open_read_only(dir.path())].map(Result::unwrap_err)
        {
            assert!(matches!(&error, Error::Corrupt { path, .. } if *path == file), "{error:?}");
            assert!(error.to_string().contains(&*file.to_string_lossy()));
            assert!(error.hint().unwrap().contains("move it away"));
        }
        fs::write(dir.path().join("history.sqlite-wal"), "log").unwrap();
        let aside = History::set_aside(dir.path()).unwrap();
        assert_eq!(aside, dir.path().join(format!("history.sqlite.corrupt-{n}")));
        assert!(fs::read_to_string(aside).unwrap().contains(&format!("the {n}th time")));
        assert!(
            !dir.path().join("history.sqlite-wal").exists(),
            "the next database would take it for its own"
        );
    }
    assert_eq!(History::set_aside(dir.path()), Err(Error::Missing { path: file }));
    run(dir.path(), 1, &[("a", Outcome::Pass, 1)]);
    assert_eq!(History::open(dir.path()).unwrap().runs(None, 9).unwrap().len(), 1);
}

#[test]
fn damage_in_the_middle_is_told_when_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..2000).map(|i| format!("test{i}")).collect();
    let results: Vec<_> = names.iter().map(|name| (name.as_str(), Outcome::Pass, 1)).collect();
    run(dir.path(), 1, &results);
    let file = dir.path().join("history.sqlite");
    let size = fs::metadata(&file).unwrap().len();
    let mut open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    // The first pages hold the schema: leave those.
    open.seek(SeekFrom::Start(32 * 4096)).unwrap();
    open.write_all(&vec![0xa5; usize::try_from(size).unwrap() - 32 * 4096]).unwrap();
    let history = History::open(dir.path()).unwrap();
    let error = history.results(header(1).run, false).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { path, .. } if *path == file), "{error:?}");
}

#[test]
fn a_full_disk_is_told_once_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    recorder.record(Instant(0), &finished(&test("before"), 1, Outcome::Fail, 1)).unwrap();
    recorder.flush().unwrap();
    // As full as the file is now.
    let connection = &recorder.store.connection;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let mut errors = Vec::new();
    for i in 0..20_000 {
        let event = finished(&test(&format!("test number {i}")), 1, Outcome::Pass, 1);
        errors.extend(recorder.record(Instant(0), &event).err());
        if i % 1000 == 0 {
            errors.extend(recorder.flush().err());
        }
    }
    errors.extend(recorder.record(Instant(0), &run_finished(false)).err());
    assert_eq!(errors, [Error::Full { path: dir.path().join("history.sqlite") }]);
    assert!(errors[0].hint().unwrap().starts_with("free space"));
    drop(recorder);
    let row = History::open(dir.path()).unwrap().run(header(1).run).unwrap();
    assert_eq!(row.state, RunState::Interrupted, "results are missing: it must not read as finished");
    assert_eq!((row.counts.failed, row.exit_code), (1, None));
}

#[test]
fn a_lock_held_for_long_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = begin(dir.path(), 1);
    recorder.store.connection.busy_timeout(Duration::from_millis(1)).unwrap();
    let other = connection(dir.path());
    other.execute_batch("begin immediate").unwrap();
    recorder.record(Instant(0), &finished(&test("a"), 1, Outcome::Pass, 1)).unwrap();
    let error = recorder.flush().unwrap_err();
    assert_eq!(error, Error::Locked { path: dir.path().join("history.sqlite") });
    // Readers are not kept waiting.
    assert_eq!(History::open_read_only(dir.path()).unwrap().runs(None, 9).unwrap().len(), 1);
    other.execute_batch("rollback").unwrap();
    assert_eq!(recorder.flush(), Ok(()));
}

#[test]
fn the_same_run_twice_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = begin(dir.path(), 1);
    let error = History::open(dir.path()).unwrap().begin(&header(1), "me", &[]).unwrap_err();
    assert!(matches!(&error, Error::Sqlite { detail, .. } if detail.contains("UNIQUE")), "{error:?}");
}

#[test]
fn an_empty_file_becomes_a_history() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("history.sqlite"), "").unwrap();
    assert_eq!(History::open_read_only(dir.path()).unwrap().runs(None, 9).unwrap(), []);
}
