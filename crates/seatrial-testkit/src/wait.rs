//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Looks at a condition until it holds; `Err` says what is seen instead.
///
/// # Panics
/// It did not hold within a long time; the last thing seen is in the message.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if begun.elapsed() > Duration::from_secs(60) => {
                panic!("{what}: in vain. Last seen: {seen}")
            }
            Err(_) => std::thread::sleep(STEP),
        }
    }
}
