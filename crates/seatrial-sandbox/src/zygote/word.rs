//! What a warmer says to the zygote: one packet, fields separated by NUL.

use std::time::Duration;

/// Bytes of the longest packet: a word and some numbers.
pub(super) const LONGEST: usize = 256;

/// What a warmer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// An invited one is here, under this number.
    Arrived(i32),
    /// It has got on with a collection that comes before tests.
    Collects,
    /// User code has run outside of a test.
    Keep,
    /// The same, and it holds files open that tests are to find: until the next `keep`, what tests write is not thrown away.
    Stay,
    /// A test's process has begun.
    Forked(i32),
    /// It was reaped: its wait status, its times, its largest resident size in KiB.
    Ended { pid: i32, status: i32, user: Duration, system: Duration, max_rss: u64 },
    /// It lives on for tests to come, after a test that took this time; what it leaves running is its own.
    Rests { pid: i32, user: Duration, system: Duration, max_rss: u64 },
    /// The job is over, with this wait status.
    Done(i32),
}

impl Word {
    /// Reads one packet. `None`: it is none that a warmer may send.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(packet).ok()?.split('\0');
        let word = fields.next()?;
        let numbers = fields.map(|field| field.parse::<i64>().ok()).collect::<Option<Vec<i64>>>()?;
        let number = |at: usize| i32::try_from(*numbers.get(at)?).ok();
        let micros = |at: usize| Some(Duration::from_micros(u64::try_from(*numbers.get(at)?).ok()?));
        match (word, numbers.len()) {
            ("arrived", 1) => number(0).filter(|pid| *pid > 1).map(Self::Arrived),
            ("collects", 0) => Some(Self::Collects),
            ("keep", 0) => Some(Self::Keep),
            ("stay", 0) => Some(Self::Stay),
            ("forked", 1) => number(0).filter(|pid| *pid > 1).map(Self::Forked),
            ("ended", 5) => Some(Self::Ended {
                pid: number(0)?,
                status: number(1)?,
                user: micros(2)?,
                system: micros(3)?,
                max_rss: u64::try_from(numbers[4]).ok()?,
            }),
            ("rests", 4) => Some(Self::Rests {
                pid: number(0)?,
                user: micros(1)?,
                system: micros(2)?,
                max_rss: u64::try_from(numbers[3]).ok()?,
            }),
            ("done", 1) => number(0).map(Self::Done),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Word};

    #[test]
    fn words_have_their_numbers_and_no_others() {
        let ended = Word::Ended {
            pid: 7,
            status: 256,
            user: Duration::from_micros(1),
            system: Duration::from_micros(2),
            max_rss: 3,
        };
        let rests = Word::Rests {
            pid: 7,
            user: Duration::from_micros(1),
            system: Duration::from_micros(2),
            max_rss: 3,
        };
        for (packet, expected) in [
            ("rests 7 1 2 3", Some(rests)),
            ("rests 7 1 2", None),
            ("rests 7 1 -2 3", None),
            ("keep", Some(Word::Keep)),
            ("stay", Some(Word::Stay)),
            ("forked 7", Some(Word::Forked(7))),
            ("ended 7 256 1 2 3", Some(ended)),
            ("done 9", Some(Word::Done(9))),
            ("", None),
            ("arrived 7", Some(Word::Arrived(7))),
            ("arrived 1", None),
            ("arrived", None),
            ("keep 1", None),
            ("kept", None),
            ("forked", None),
            ("forked 1", None),
            ("forked -1", None),
            ("forked 7 7", None),
            ("forked 99999999999", None),
            ("ended 7 0 -1 2 3", None),
            ("ended 7 0 1 2", None),
            ("done ", None),
            ("done zero", None),
        ] {
            let packet = packet.replace(' ', "\0");
            assert_eq!(Word::read(packet.as_bytes()), expected, "{packet:?}");
        }
        assert_eq!(Word::read(b"keep\xff"), None);
    }
}
