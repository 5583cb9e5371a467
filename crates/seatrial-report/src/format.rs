//! Durations and numbers for people.

use std::time::Duration;

/// A duration in about three digits: `12 ms`, `1.24 s`, `12.3 s`, `2 m 03 s`, `1 h 02 m 03 s`. Rounded, not cut.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let ms = rounded(duration, 1_000);
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    let centis = rounded(duration, 10_000);
    if centis < 1_000 {
        return format!("{}.{:02} s", centis / 100, centis % 100);
    }
    elapsed(duration)
}

/// A duration to the tenth of a second below a minute, for clocks that tick and limits that are round: `0.3 s`,
/// `2.0 s`, `2 m 03 s`, `1 h 02 m 03 s`.
#[must_use]
pub fn elapsed(duration: Duration) -> String {
    let tenths = rounded(duration, 100_000);
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = rounded(duration, 1_000_000);
    if seconds < 3_600 {
        return format!("{} m {:02} s", seconds / 60, seconds % 60);
    }
    format!("{} h {:02} m {:02} s", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A number with a comma between groups of three digits: `1,073,741,824`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The duration in units of `unit_us` microseconds, to the nearest.
fn rounded(duration: Duration, unit_us: u128) -> u128 {
    (duration.as_nanos() + unit_us * 500) / (unit_us * 1_000)
}
