//! Exhaustive tests: a test asks for choices and is run once for each way to answer them.
//!
//! The idea is that of exhaustigen (TigerBeetle, `src/testing/exhaustigen.zig`): the path of choices is an odometer.
//! A run replays the path and takes the first option wherever the path ends; afterwards the last choice that has an
//! option left moves on, and those behind it are forgotten. Nothing is known beforehand about how many choices there
//! are, and a later choice may depend on the earlier ones.

use std::fmt::Write as _;

/// The choices of one run.
#[derive(Debug)]
pub struct Choices {
    /// Option taken, and how many there were.
    path: Vec<(usize, usize)>,
    at: usize,
    /// The options to take first where the path ends: those of a replay.
    given: Vec<usize>,
}

impl Choices {
    /// A number below `options`, which must not be 0.
    pub fn pick(&mut self, options: usize) -> usize {
        assert!(options > 0, "a choice among nothing");
        if self.at == self.path.len() {
            let given = self.given.get(self.at).copied().unwrap_or(0);
            self.path.push((given, options));
        }
        let (taken, known) = self.path[self.at];
        assert_eq!(options, known, "choice {} differs between runs: the test itself is random", self.at);
        self.at += 1;
        taken
    }

    /// False, then true.
    pub fn flip(&mut self) -> bool {
        self.pick(2) == 1
    }

    /// One of the items, which must not be empty.
    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.pick(items.len())]
    }

    /// Moves on to the next path; false when all have been seen.
    fn advance(&mut self) -> bool {
        self.path.truncate(self.at);
        self.at = 0;
        while let Some((taken, options)) = self.path.pop() {
            if taken + 1 < options {
                self.path.push((taken + 1, options));
                return true;
            }
        }
        false
    }
}

/// When the test panics, says which choices led there: [`replay`] takes them.
impl Drop for Choices {
    #[expect(clippy::print_stderr, reason = "the path belongs beside the panic's own message")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut path = String::new();
            for (taken, _) in self.path.iter().take(self.at) {
                let _ = write!(path, "{}{taken}", if path.is_empty() { "" } else { ", " });
            }
            eprintln!("the choices that failed: replay(&[{path}], ..)");
        }
    }
}

/// Runs the test once for each path of choices, and returns how many there were.
pub fn explore(mut test: impl FnMut(&mut Choices)) -> u64 {
    let mut choices = Choices { path: Vec::new(), at: 0, given: Vec::new() };
    let mut paths = 0;
    loop {
        test(&mut choices);
        paths += 1;
        if !choices.advance() {
            return paths;
        }
    }
}

/// Runs the test once, along this path; beyond its end the first options are taken. For a failed path, by hand.
pub fn replay(path: &[usize], test: impl FnOnce(&mut Choices)) {
    test(&mut Choices { path: Vec::new(), at: 0, given: path.to_vec() });
}

#[cfg(test)]
mod tests {
    use super::{explore, replay};
    use std::collections::BTreeSet;

    #[test]
    fn every_path_is_run_once() {
        let mut seen = BTreeSet::new();
        let paths = explore(|choices| {
            // The second choice depends on the first: 0, 10, 11, 20, 21, 22.
            let first = choices.pick(3);
            let second = choices.pick(first + 1);
            assert!(seen.insert((first, second)), "twice");
        });
        let all = BTreeSet::from([(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]);
        assert_eq!((paths, seen), (6, all));
    }

    #[test]
    fn a_test_without_choices_is_run_once() {
        assert_eq!(explore(|_| {}), 1);
    }

    #[test]
    fn a_path_can_be_taken_again() {
        let mut taken = Vec::new();
        replay(&[2, 1], |choices| taken = vec![choices.pick(3), choices.pick(2), choices.pick(2)]);
        assert_eq!(taken, [2, 1, 0]);
    }

    #[test]
    #[should_panic(expected = "differs between runs")]
    fn a_test_that_is_random_itself_is_found_out() {
        let mut run = 1;
        explore(|choices| {
            run += 1;
            choices.pick(run);
        });
    }
}
