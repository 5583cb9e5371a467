//! Tests of what is taken out of libtest's output; the texts are what libtest of Rust 1.95 printed.

use super::*;

fn check(name: &str, pieces: &[&str], want: &str) {
    let mut noise = Noise::new(name);
    let kept: String = pieces.iter().map(|piece| noise.strip(piece)).collect();
    assert_eq!(kept, want, "{pieces:?}");
}

const FAILED: &str =
    "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.08s\n\n";
const OK: &str =
    "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s\n\n";

#[test]
fn the_report_around_a_test_goes() {
    let tail = format!("test t ... FAILED\n\nfailures:\n\nfailures:\n    t\n\n{FAILED}");
    check("t", &[&format!("\nrunning 1 test\nhello out\n{tail}")], "hello out\n");
    check("t", &["\nrunning 1 test\n", &tail], "");
    check("t", &["\nrunning 1 test\nhead\n", &format!("tail\n{tail}")], "head\ntail\n");
    check("t", &[&format!("\nrunning 1 test\ntest t ... ok\n\n{OK}")], "");
}

#[test]
fn text_without_a_line_end_before_the_report_stays() {
    check("ok", &[&format!("\nrunning 1 test\nno newlinetest ok ... ok\n\n{OK}")], "no newline\n");
}

#[test]
fn what_libtest_says_about_the_failure_stays() {
    let text = format!(
        "\nrunning 1 test\nx\ntest sp - should panic ... FAILED\n\nfailures:\n\n---- sp stdout ----\n\
         note: test did not panic as expected at a.rs:3:28\n\nfailures:\n    sp\n\n{FAILED}"
    );
    check("sp", &[&text], "x\nnote: test did not panic as expected at a.rs:3:28\n");
}

#[test]
fn lines_that_only_look_like_it_stay() {
    for (text, want) in [
        ("failures:\n    t\n", "failures:\n    t\n"),
        ("test t ... FAILED\n", "test t ... FAILED\n"),
        ("\n\nrunning late\nrunning  tests\n", "\n\nrunning late\nrunning  tests\n"),
        ("running 1 test\ntest other ... FAILED\n", "test other ... FAILED\n"),
        ("running 1 test\nfailures:\n    t\n", "failures:\n    t\n"),
        (
            "running 1 test\ntest t ... FAILED\n---- other stdout ----\n    t\n",
            "---- other stdout ----\n    t\n",
        ),
        ("running 1 test\ntest result: ok. 1 passed\n", "test result: ok. 1 passed\n"),
    ] {
        check("t", &[text], want);
    }
}
