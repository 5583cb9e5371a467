//! What a reader of a run wants to know, folded from its events.

use crate::finished::Finished;
use crate::text;
use seatrial_model::{
    Attempt, Counts, Event, Instant, NodeId, NoticeLevel, Outcome, RunHeader, SlotId, TestRef,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many failures, flaky tests and (of each level) notices a view keeps; of the others it keeps the number.
pub const KEPT: usize = 1_000;

/// How many of the slowest tests a view keeps.
pub const SLOWEST: usize = 10;

/// Characters of a reason that are kept.
const REASON_CHARS: usize = 300;

/// The state of a run as its events tell it.
///
/// Its size depends on what runs and what went wrong, not on how many tests passed: of those it keeps sums.
#[derive(Clone, Debug, Default)]
pub struct RunView {
    header: Option<RunHeader>,
    counts: Counts,
    listed: u32,
    finished: u32,
    finished_wall: Duration,
    running: BTreeMap<(TestRef, Attempt), Running>,
    /// Tests with a bad try whose result is not known yet.
    retried: BTreeMap<TestRef, String>,
    failures: Kept<Failure>,
    flaky: Kept<Flaky>,
    order_dependent: Kept<(TestRef, String)>,
    slowest: Vec<Timed>,
    notices: [Kept<Notice>; 3],
    lost: u32,
    end: Option<RunEnd>,
    expected: Option<Duration>,
    attempts: Option<u32>,
}

/// A try that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which test.
    pub test: TestRef,
    /// Which try.
    pub attempt: Attempt,
    /// On which machine.
    pub node: NodeId,
    /// In which slot.
    pub slot: SlotId,
    /// Since when.
    pub started: Instant,
    /// How often it was announced as slow.
    pub slow: u32,
}

/// A test whose result is bad (cancelled ones are not: they count as not run).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which test.
    pub test: TestRef,
    /// What became of it.
    pub outcome: Outcome,
    /// How it ended and why, on one line; empty when the outcome says it all.
    pub reason: String,
    /// The try that was its last.
    pub attempt: Attempt,
}

/// A test that passed after a bad try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaky {
    /// Which test.
    pub test: TestRef,
    /// The try that passed.
    pub attempt: Attempt,
    /// How its first bad try ended, on one line.
    pub before: String,
}

/// A test and how long its last try took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Which test.
    pub test: TestRef,
    /// Wall time.
    pub wall: Duration,
}

/// Something the user should know that is no test's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How grave.
    pub level: NoticeLevel,
    /// What.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// How the run ended, in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The run's own counts.
    pub counts: Counts,
    /// Wall time of the run.
    pub wall: Duration,
    /// True when the user ended it before its time.
    pub interrupted: bool,
    /// The exit code that the command ends with.
    pub exit_code: u8,
}

/// The first [`KEPT`] of something, and how many more there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    items: Vec<T>,
    more: u32,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { items: Vec::new(), more: 0 }
    }
}

impl<T> Kept<T> {
    /// Those kept, in the order they came.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// How many came after the kept ones.
    #[must_use]
    pub const fn more(&self) -> u32 {
        self.more
    }

    fn push(&mut self, item: T) {
        if self.items.len() < KEPT {
            self.items.push(item);
        } else {
            self.more += 1;
        }
    }
}

impl RunView {
    /// The view of a run of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long all tests of the run together are expected to take: the sum of their wall times, as if they ran
    /// one after the other. The estimate of the time left then rests on it.
    pub fn set_expected(&mut self, total: Duration) {
        self.expected = Some(total);
    }

    /// Sets how many tries a test has at most, for texts such as `attempt 2 of 3`.
    pub fn set_attempts(&mut self, most: u32) {
        self.attempts = Some(most);
    }

    /// Folds one event in.
    pub fn event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::RunStarted(header) => self.header = Some(header.clone()),
            Event::GroupListed { tests, .. } => self.listed = self.listed.saturating_add(*tests),
            Event::Skipped { .. } => self.counts.skipped += 1,
            Event::AttemptStarted { test, attempt, node, slot } => {
                let running = Running {
                    test: test.clone(),
                    attempt: *attempt,
                    node: *node,
                    slot: *slot,
                    started: now,
                    slow: 0,
                };
                self.running.insert((test.clone(), *attempt), running);
            }
            Event::Slow { test, .. } => {
                let tries = (test.clone(), Attempt(0))..=(test.clone(), Attempt(u32::MAX));
                self.running.range_mut(tries).for_each(|(_, running)| running.slow += 1);
            }
            Event::AttemptFinished { .. } => {
                if let Some(finished) = Finished::of(event) {
                    self.attempt_finished(&finished);
                }
            }
            Event::Notice { level, text, hint } => self.notices[*level as usize].push(Notice {
                level: *level,
                text: text.clone(),
                hint: hint.clone(),
            }),
            Event::RunFinished { counts, wall, interrupted, exit_code } => {
                let (wall, interrupted, exit_code) = (*wall, *interrupted, *exit_code);
                self.end = Some(RunEnd { counts: *counts, wall, interrupted, exit_code });
            }
            Event::Facts(_) | Event::Unknown => {}
        }
    }

    /// What the run said of itself at its beginning.
    #[must_use]
    pub const fn header(&self) -> Option<&RunHeader> {
        self.header.as_ref()
    }

    /// Results by kind: those seen so far, and once the run has ended its own.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.end.map_or(self.counts, |end| end.counts)
    }

    /// Results by kind as counted here, one by one, whatever the run says at its end.
    #[must_use]
    pub const fn seen(&self) -> Counts {
        self.counts
    }

    /// Tests to run, as far as they are known: those listed, or those seen when they are more.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.listed.max(self.finished.saturating_add(self.running_count()))
    }

    /// Tests whose last try has ended.
    #[must_use]
    pub const fn finished(&self) -> u32 {
        self.finished
    }

    /// Number of tries that run.
    #[must_use]
    pub fn running_count(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
    }

    /// The tries that run, longest first.
    #[must_use]
    pub fn running(&self) -> Vec<&Running> {
        let mut running: Vec<&Running> = self.running.values().collect();
        running.sort_by_key(|running| running.started);
        running
    }

    /// The try of this test that runs.
    #[must_use]
    pub fn running_test(&self, test: &TestRef) -> Option<&Running> {
        self.running.range((test.clone(), Attempt(0))..).next().map(|(_, r)| r).filter(|r| r.test == *test)
    }

    /// Tests with a bad result.
    #[must_use]
    pub const fn failures(&self) -> &Kept<Failure> {
        &self.failures
    }

    /// Tests that passed depending on which others ran before in the same process, and how, as far as they are kept.
    #[must_use]
    pub const fn order_dependent(&self) -> &Kept<(TestRef, String)> {
        &self.order_dependent
    }

    /// Tests that passed after a bad try.
    #[must_use]
    pub const fn flaky(&self) -> &Kept<Flaky> {
        &self.flaky
    }

    /// The slowest tests, slowest first, at most [`SLOWEST`].
    #[must_use]
    pub fn slowest(&self) -> &[Timed] {
        &self.slowest
    }

    /// Mean wall time of the tests that have ended.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.finished > 0).then(|| self.finished_wall / self.finished)
    }

    /// Notices of one level.
    #[must_use]
    pub const fn notices(&self, level: NoticeLevel) -> &Kept<Notice> {
        &self.notices[level as usize]
    }

    /// Tests that were lost with their slot or node.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.lost
    }

    /// How the run ended; absent while it has not.
    #[must_use]
    pub const fn end(&self) -> Option<&RunEnd> {
        self.end.as_ref()
    }

    /// The most tries that a test has, when it is known.
    #[must_use]
    pub const fn attempts(&self) -> Option<u32> {
        self.attempts
    }

    /// Time since the run began; once it has ended its wall time.
    #[must_use]
    pub fn elapsed(&self, now: Instant) -> Duration {
        self.end.map_or_else(|| now.since(Instant::default()), |end| end.wall)
    }

    /// Time left, as far as one can tell: what is left of the expected time of all tests (or, where none was set or it
    /// is used up, the mean of the finished tests for each one left), shared among the slots. Absent when there is
    /// nothing to go by, nothing left, or all of the estimate used up.
    #[must_use]
    pub fn eta(&self, now: Instant) -> Option<Duration> {
        let left = self.total().saturating_sub(self.finished);
        if left == 0 || self.end.is_some() {
            return None;
        }
        let begun: Duration = self.running.values().map(|running| now.since(running.started)).sum();
        let work = self
            .expected
            .and_then(|expected| expected.checked_sub(self.finished_wall.saturating_add(begun)))
            .or_else(|| self.work_by_mean(now, left))?;
        let slots = self.header.as_ref().map_or(1, |header| header.slots).max(self.running_count());
        Some(work / slots.min(left).max(1)).filter(|eta| !eta.is_zero())
    }

    /// The mean for each of the `left` tests, less what those that run have behind them.
    fn work_by_mean(&self, now: Instant, left: u32) -> Option<Duration> {
        let mean = self.mean()?;
        let begun: Duration = self.running.values().map(|running| now.since(running.started).min(mean)).sum();
        Some(mean.saturating_mul(left).saturating_sub(begun))
    }

    fn attempt_finished(&mut self, finished: &Finished<'_>) {
        self.running.remove(&(finished.test.clone(), finished.attempt));
        if !finished.last {
            if finished.outcome.is_bad() && !self.retried.contains_key(finished.test) {
                self.retried.insert(finished.test.clone(), why(finished));
            }
            return;
        }
        self.finished += 1;
        self.finished_wall = self.finished_wall.saturating_add(finished.usage.wall);
        let before = self.retried.remove(finished.test);
        match finished.outcome {
            Outcome::Pass => {
                self.counts.passed += 1;
                if finished.order_dependent {
                    self.counts.order_dependent += 1;
                    self.order_dependent.push((finished.test.clone(), finished.how()));
                } else if let Some(before) = before {
                    self.counts.flaky += 1;
                    let (test, attempt) = (finished.test.clone(), finished.attempt);
                    self.flaky.push(Flaky { test, attempt, before });
                }
            }
            Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Oom => {
                self.counts.failed += 1;
                self.failure(finished);
            }
            Outcome::Error => {
                self.counts.errors += 1;
                self.failure(finished);
            }
            Outcome::Lost => {
                self.counts.errors += 1;
                self.lost += 1;
                self.failure(finished);
                return;
            }
            Outcome::Skip => self.counts.skipped += 1,
            Outcome::Cancelled => {
                self.counts.not_run += 1;
                return;
            }
        }
        self.timed(finished);
    }

    fn failure(&mut self, finished: &Finished<'_>) {
        self.failures.push(Failure {
            test: finished.test.clone(),
            outcome: finished.outcome,
            reason: why(finished),
            attempt: finished.attempt,
        });
    }

    /// Keeps the test if it is among the slowest; of equals the one that ended first.
    fn timed(&mut self, finished: &Finished<'_>) {
        let wall = finished.usage.wall;
        let place = self.slowest.partition_point(|timed| timed.wall >= wall);
        if place < SLOWEST {
            self.slowest.truncate(SLOWEST - 1);
            self.slowest.insert(place, Timed { test: finished.test.clone(), wall });
        }
    }
}

fn why(finished: &Finished<'_>) -> String {
    text::cut(&finished.how(), REASON_CHARS)
}
