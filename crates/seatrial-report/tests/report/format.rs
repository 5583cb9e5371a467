//! Durations, numbers, signals.

use seatrial_report::{format, signal};
use std::time::Duration;

#[test]
fn durations() {
    for (us, duration, elapsed) in [
        (0, "0 ms", "0.0 s"),
        (499, "0 ms", "0.0 s"),
        (500, "1 ms", "0.0 s"),
        (12_000, "12 ms", "0.0 s"),
        (999_499, "999 ms", "1.0 s"),
        (999_500, "1.00 s", "1.0 s"),
        (1_238_000, "1.24 s", "1.2 s"),
        (9_994_999, "9.99 s", "10.0 s"),
        (9_995_000, "10.0 s", "10.0 s"),
        (59_949_999, "59.9 s", "59.9 s"),
        (59_950_000, "1 m 00 s", "1 m 00 s"),
        (123_000_000, "2 m 03 s", "2 m 03 s"),
        (3_599_499_999, "59 m 59 s", "59 m 59 s"),
        (3_599_500_000, "1 h 00 m 00 s", "1 h 00 m 00 s"),
        (90_061_000_000, "25 h 01 m 01 s", "25 h 01 m 01 s"),
    ] {
        assert_eq!(format::duration(Duration::from_micros(us)), duration, "{us} us");
        assert_eq!(format::elapsed(Duration::from_micros(us)), elapsed, "{us} us");
    }
    assert!(format::duration(Duration::MAX).contains(" h "));
}

#[test]
fn numbers() {
    for (number, want) in
        [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1 << 30, "1,073,741,824")]
    {
        assert_eq!(format::count(number), want);
    }
}

#[test]
fn signals() {
    for (number, want) in [
        (1, "SIGHUP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (31, "SIGSYS"),
        (32, "signal 32"),
        (34, "SIGRTMIN"),
        (64, "SIGRTMIN+30"),
        (65, "signal 65"),
        (0, "signal 0"),
        (-1, "signal -1"),
        (i32::MIN, "signal -2147483648"),
    ] {
        assert_eq!(signal::name(number), want);
    }
}
