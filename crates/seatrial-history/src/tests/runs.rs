//! Runs: what is known of them, their state, and how one is found.

use super::*;
use crate::{Error, RunRow, RunState, process};

#[test]
fn a_run_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let labels = [("branch", "main"), ("who", "x"), ("who", "ci \"1\"")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut history = History::open(dir.path()).unwrap();
    let mut recorder = history.begin(&header(1), "me", &labels).unwrap();
    let mut expected = RunRow {
        header: header(1),
        user: "me".to_owned(),
        labels: vec![("branch".to_owned(), "main".to_owned()), ("who".to_owned(), "ci \"1\"".to_owned())],
        state: RunState::Running,
        wall: None,
        exit_code: None,
        counts: Counts::default(),
    };
    assert_eq!(history.run(header(1).run).unwrap(), expected, "visible from its beginning");
    recorder.record(Instant(0), &run_finished(false)).unwrap();
    expected.state = RunState::Finished;
    expected.wall = Some(Duration::from_micros(1_234_567));
    expected.exit_code = Some(130);
    expected.counts =
        Counts { passed: 6, flaky: 1, failed: 2, errors: 3, skipped: 4, not_run: 5, order_dependent: 0 };
    assert_eq!(history.run(header(1).run).unwrap(), expected);
    drop(recorder);
    assert_eq!(history.runs(None, 10).unwrap(), [expected], "still finished when the recorder is gone");
    assert_eq!(text(dir.path(), "select labels ->> 'branch' from runs"), "main");
    assert_eq!(text(dir.path(), "select started from runs"), "2023-11-14 22:13:21.000");
}

#[test]
fn a_run_without_revision_and_with_a_strange_header_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let header = RunHeader {
        revision: None,
        project: "/p\0\n'".to_owned(),
        command: vec![String::new(), "\u{1f980}\n\0".to_owned()],
        ..header(1)
    };
    let mut history = History::open(dir.path()).unwrap();
    let recorder = history.begin(&header, "", &[]).unwrap();
    drop(recorder);
    assert_eq!(history.runs(Some("/p\0\n'"), 1).unwrap()[0].header, header);
}

#[test]
fn a_run_that_was_interrupted_or_given_up_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(dir.path()).unwrap();
    begin(dir.path(), 1).record(Instant(0), &run_finished(true)).unwrap();
    let mut recorder = begin(dir.path(), 2);
    for (name, attempt, outcome) in [
        ("a", 1, Outcome::Fail),
        ("a", 2, Outcome::Pass),
        ("b", 1, Outcome::Pass),
        ("c", 1, Outcome::Pass),
        ("c", 2, Outcome::Pass),
        ("d", 1, Outcome::Pass),
        ("d", 2, Outcome::Timeout),
        ("e", 0, Outcome::Skip),
        ("f", 1, Outcome::Lost),
        ("g", 1, Outcome::Cancelled),
    ] {
        recorder.record(Instant(0), &finished(&test(name), attempt, outcome, 1)).unwrap();
    }
    let open = history.begin(&header(3), "me", &[]).unwrap();
    let states = |history: &History| -> Vec<RunState> {
        history.runs(None, 10).unwrap().iter().map(|run| run.state).collect()
    };
    assert_eq!(states(&history), [RunState::Running, RunState::Running, RunState::Interrupted]);
    drop((recorder, open));
    assert_eq!(states(&history), [RunState::Interrupted; 3]);
    let run = history.run(header(2).run).unwrap();
    assert_eq!(
        run.counts,
        Counts { passed: 3, flaky: 1, failed: 1, errors: 1, skipped: 1, not_run: 1, order_dependent: 0 }
    );
    assert_eq!((run.wall, run.exit_code), (None, None));
}

#[test]
fn a_process_is_gone_when_its_name_is_no_longer_given() {
    let own = process::own().unwrap();
    let [boot, namespace, pid, start] = *own.split(' ').collect::<Vec<_>>() else { panic!("{own}") };
    let check = |name: String, gone: bool| assert_eq!(process::is_gone(&name), gone, "{name}");
    assert!(start.parse::<u64>().unwrap() > 0, "began after the machine did: {own}");
    check(own.clone(), false);
    check(format!("{boot} {namespace} {pid} 1"), true);
    check(format!("{boot} {namespace} 4294967295 {start}"), true);
    check(format!("0-0-0 {namespace} {pid} {start}"), true);
    check(format!("{boot} pid:[1] 4294967295 {start}"), false);
    check("what is this".to_owned(), false);
    check(String::new(), false);
}

/// Runs 1 to 4 of the project, run 5 of another.
fn five_runs(dir: &Path) -> History {
    for n in 1..=4 {
        run(dir, n, &[("t", Outcome::Pass, 1)]);
    }
    let mut history = History::open(dir).unwrap();
    let other = RunHeader { project: "/other".to_owned(), ..header(5) };
    history.begin(&other, "me", &[]).unwrap().record(Instant(0), &run_finished(false)).unwrap();
    history
}

#[test]
fn runs_come_newest_first_and_by_project() {
    let dir = tempfile::tempdir().unwrap();
    let history = five_runs(dir.path());
    let ids = |project, limit| -> Vec<RunId> {
        history.runs(project, limit).unwrap().iter().map(|run| run.header.run).collect()
    };
    let of = |numbers: &[u64]| -> Vec<RunId> { numbers.iter().map(|n| header(*n).run).collect() };
    assert_eq!(ids(None, 9), of(&[5, 4, 3, 2, 1]));
    assert_eq!(ids(None, 2), of(&[5, 4]));
    assert_eq!(ids(Some(PROJECT), 3), of(&[4, 3, 2]));
    assert_eq!(ids(Some("/other"), usize::MAX), of(&[5]));
    assert_eq!(ids(Some("/none"), 3), of(&[]));
}

#[test]
fn a_run_is_found_by_its_place_or_a_part_of_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let history = five_runs(dir.path());
    let id = |n: u64| header(n).run.to_string();
    let find = |spec: &str, project| history.find_run(spec, project);
    assert_eq!(find("last", None), Ok(header(5).run));
    assert_eq!(find("last", Some(PROJECT)), Ok(header(4).run));
    assert_eq!(find("last~0", Some(PROJECT)), Ok(header(4).run));
    assert_eq!(find("last~3", Some(PROJECT)), Ok(header(1).run));
    assert_eq!(find("last~1", None), Ok(header(4).run));
    assert_eq!(find(&id(2), Some("/other")), Ok(header(2).run), "a whole id is of any project");
    assert_eq!(find(&id(2).to_uppercase(), None), Ok(header(2).run));
    assert_eq!(find(&id(3)[9..], None), Ok(header(3).run));
    assert_eq!(find(&id(3)[9..].to_uppercase(), None), Ok(header(3).run));
    assert_eq!(find(&id(3)[..12], None), Ok(header(3).run));
    assert_eq!(find(&id(5)[9..], Some(PROJECT)), Ok(header(5).run), "its own runs come first, then others");
}

#[test]
fn a_run_that_is_not_found_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let history = five_runs(dir.path());
    let error = |spec: &str, project| history.find_run(spec, project).unwrap_err().to_string();
    assert_eq!(
        error("last~4", Some(PROJECT)),
        "no run `last~4`: the history has not so many runs of `/home/me/project`"
    );
    assert_eq!(error("last", Some("/none")), "no run `last`: the history has no run of `/none`");
    let write = "write `last`, `last~1` for the run before it, and so on";
    for spec in ["last~", "last~x", "last~-1", "lastly", "last~99999999999"] {
        assert_eq!(error(spec, None), format!("no run `{spec}`: {write}"));
    }
    assert_eq!(error("zzz", None), "no run `zzz`: at least 4 characters of an id are needed");
    assert_eq!(error("", None), "no run ``: at least 4 characters of an id are needed");
    assert_eq!(error("zzzz", None), "no run `zzzz`: no id begins or ends with it");
    assert_eq!(error("%%%%", None), "no run `%%%%`: no id begins or ends with it");
    assert_eq!(error("0000000000000", None), "no run `0000000000000`: the history has no run with this id");
    let part = &header(1).run.to_string()[..6];
    let candidates = |numbers: &[u64]| -> Vec<RunId> { numbers.iter().map(|n| header(*n).run).collect() };
    let ambiguous = history.find_run(part, None).unwrap_err();
    let (spec, candidates_) = (part.to_owned(), candidates(&[5, 4, 3, 2, 1]));
    assert_eq!(ambiguous, Error::AmbiguousRun { spec, candidates: candidates_ });
    let [a, b, c, d] = [4, 3, 2, 1].map(|n| header(n).run);
    assert_eq!(error(part, Some(PROJECT)), format!("`{part}` is several runs: `{a}`, `{b}`, `{c}`, `{d}`"));
}
