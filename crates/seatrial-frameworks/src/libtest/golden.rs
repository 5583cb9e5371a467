//! The recorded runs in `tests/golden` as values.

use seatrial_model::{Captured, End, Output};

/// The bytes of a golden file.
macro_rules! golden {
    ($name:expr) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/", $name)).as_slice()
    };
}
pub(crate) use golden;

/// One recorded run: `exit N` or `signal N`, then stdout, then stderr.
pub(crate) fn recorded(file: &[u8]) -> (End, Output) {
    let (head, rest) = cut(file, b"\n--- stdout\n", false);
    let (stdout, stderr) = cut(rest, b"--- stderr\n", true);
    let head = std::str::from_utf8(head).unwrap();
    let end = match head.split_once(' ').unwrap() {
        ("exit", code) => End::Exit(code.parse().unwrap()),
        ("signal", number) => End::Signal(number.parse().unwrap()),
        other => panic!("{other:?}"),
    };
    (end, Output { stdout: Captured::whole(stdout.to_vec()), stderr: Captured::whole(stderr.to_vec()) })
}

fn cut<'a>(bytes: &'a [u8], separator: &[u8], last: bool) -> (&'a [u8], &'a [u8]) {
    let mut places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(separator));
    let at = if last { places.next_back() } else { places.next() }.unwrap();
    (&bytes[..at], &bytes[at + separator.len()..])
}
