//! Head, tail and middle of outputs around the bounds.

use super::{Capture, KEPT, SPILLED, SPILLED_RUNS, SpillFolder};
use seatrial_model::RunId;
use std::path::PathBuf;

fn folder(name: &str) -> SpillFolder {
    SpillFolder(std::env::temp_dir().join(format!("seatrial-capture-{name}-{}", std::process::id())))
}

/// Numbered bytes, so that every piece tells its place.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7 % 251) as u8).collect()
}

fn captured(name: &str, all: &[u8], piece: usize) -> (seatrial_model::Captured, PathBuf) {
    let folder = folder(name);
    let mut capture = Capture::of_stream();
    for part in all.chunks(piece) {
        capture.add(part, &folder, format_args!("1-1.out"));
    }
    (capture.finish(), folder.0)
}

#[test]
fn what_fits_is_kept_whole_and_leaves_no_file() {
    for length in [0, 1, KEPT - 1, KEPT, KEPT + 1, 2 * KEPT] {
        for piece in [1000, 65_536] {
            let all = bytes(length);
            let (output, folder) = captured("whole", &all, piece);
            assert_eq!(output.total, length as u64);
            assert!(output.head.0 == all && output.tail.is_empty(), "{length} bytes by {piece}");
            assert_eq!((output.left_out(), output.spill), (0, None));
            let files = std::fs::read_dir(&folder).map(Iterator::count).unwrap_or(0);
            assert_eq!(files, 0);
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

#[test]
fn what_does_not_fit_has_head_tail_and_a_file_of_the_middle() {
    let all = bytes(3 * KEPT + 11);
    let (output, folder) = captured("large", &all, 50_000);
    assert_eq!(output.head.0, all[..KEPT]);
    assert_eq!(output.tail.0, all[all.len() - KEPT..]);
    assert_eq!(output.left_out(), (KEPT + 11) as u64);
    let spill = output.spill.expect("there is a file");
    assert_eq!(std::fs::read(spill).unwrap(), all[KEPT..]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_file_is_bounded_and_memory_too() {
    let folder = folder("bounded");
    let mut capture = Capture::of_stream();
    let piece = bytes(1 << 20);
    for _ in 0..(SPILLED >> 20) + 10 {
        capture.add(&piece, &folder, format_args!("1-1.out"));
        assert!(capture.head.len() + capture.tail.len() <= 2 * KEPT);
    }
    let output = capture.finish();
    assert_eq!(output.total, ((SPILLED >> 20) + 10) << 20);
    assert_eq!(std::fs::metadata(output.spill.unwrap()).unwrap().len(), SPILLED);
    std::fs::remove_dir_all(folder.0).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_costs_the_middle_alone() {
    let folder = SpillFolder(PathBuf::from("/dev/null/spill"));
    let mut capture = Capture::of_stream();
    let all = bytes(3 * KEPT);
    capture.add(&all, &folder, format_args!("1-1.out"));
    let output = capture.finish();
    assert_eq!((output.head.len(), output.tail.len(), output.spill), (KEPT, KEPT, None));
}

#[test]
fn middles_of_the_oldest_runs_make_room_and_nothing_else_does() {
    let SpillFolder(base) = folder("old");
    std::fs::create_dir_all(base.join("0-is-no-run")).expect("made");
    std::fs::write(base.join("0"), "nor is this").expect("written");
    let run = |at: usize| RunId::new(1_000 + at as u64, 0).to_string();
    let large = bytes(3 * KEPT);
    for at in 0..SPILLED_RUNS + 3 {
        let mut capture = Capture::of_stream();
        capture.add(&large, &SpillFolder(base.join(run(at))), format_args!("1-1.out"));
        assert!(capture.finish().spill.is_some(), "run {at} has its file");
    }
    let left = std::fs::read_dir(&base).expect("a folder").flatten();
    let mut left: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    left.sort();
    let mut expected = vec!["0".to_owned(), "0-is-no-run".to_owned()];
    expected.extend((3..SPILLED_RUNS + 3).map(run));
    expected.sort();
    assert_eq!(left, expected);
    std::fs::remove_dir_all(base).expect("removed");
}
