//! Whose folder stays and whose goes.

use super::{LOCK, RunFolder};
use seatrial_model::RunId;
use std::fs;
use std::path::PathBuf;

fn base(name: &str) -> PathBuf {
    let base = std::env::temp_dir().join(format!("seatrial-folders-{name}-{}", std::process::id()));
    fs::create_dir_all(&base).expect("a folder for the test");
    base
}

fn names(base: &PathBuf) -> Vec<String> {
    let entries = fs::read_dir(base).expect("it can be read").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_dead_runs_folder_goes_and_others_stay() {
    let base = base("dead");
    let run = |number: u64| RunId::new(number, 0);
    let name = |number| format!("run-{}", run(number));
    let living = RunFolder::make(&base, "run-", run(1)).expect("made");
    fs::create_dir_all(base.join(name(2)).join("deep/deeper")).expect("made");
    fs::write(base.join(name(2)).join(LOCK), "").expect("written");
    // Without a lock it may be one that is being made.
    fs::create_dir_all(base.join(name(3))).expect("made");
    // These are no folders of ours, whatever is in them.
    for other in ["other", "run-other"] {
        fs::create_dir_all(base.join(other)).expect("made");
        fs::write(base.join(other).join(LOCK), "").expect("written");
    }
    let newest = RunFolder::make(&base, "run-", run(4)).expect("made");
    let others = || vec!["other".to_owned(), "run-other".to_owned(), name(3)];
    let sorted = |more: &[String]| {
        let mut all = [others().as_slice(), more].concat();
        all.sort();
        all
    };
    assert_eq!(names(&base), sorted(&[name(1), name(4)]));
    drop(living);
    assert_eq!(names(&base), sorted(&[name(4)]));
    assert!(newest.path().join(LOCK).is_file());
    drop(newest);
    assert_eq!(names(&base), sorted(&[]));
    fs::remove_dir_all(base).expect("removed");
}
