//! Whose folder stays and whose goes.

use super::{LOCK, RunFolder};
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
    let living = RunFolder::make(&base, "run-", "1").expect("made");
    fs::create_dir_all(base.join("run-2/deep/deeper")).expect("made");
    fs::write(base.join("run-2").join(LOCK), "").expect("written");
    // Without a lock it may be one that is being made, or no folder of ours at all.
    fs::create_dir_all(base.join("run-3")).expect("made");
    fs::create_dir_all(base.join("other")).expect("made");
    fs::write(base.join("other").join(LOCK), "").expect("written");
    let newest = RunFolder::make(&base, "run-", "4").expect("made");
    assert_eq!(names(&base), ["other", "run-1", "run-3", "run-4"]);
    drop(living);
    assert_eq!(names(&base), ["other", "run-3", "run-4"]);
    assert!(newest.path().join(LOCK).is_file());
    drop(newest);
    fs::remove_dir_all(base).expect("removed");
}
