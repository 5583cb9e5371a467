//! A set of job numbers that stays small while the numbers are dense.

use seatrial_model::JobId;
use std::collections::BTreeMap;

/// Ranges of numbers, first to last, never touching: 100,000 finished jobs in a row are one entry.
#[derive(Clone, Debug, Default)]
pub(super) struct IdSet {
    ranges: BTreeMap<u32, u32>,
}

impl IdSet {
    /// Adds a number; no change when it is there.
    pub(super) fn insert(&mut self, JobId(id): JobId) {
        if self.contains(JobId(id)) {
            return;
        }
        let mut first = id;
        let mut last = id;
        if let Some((&start, &end)) = self.ranges.range(..id).next_back()
            && end + 1 == id
        {
            first = start;
        }
        if let Some(next) = id.checked_add(1)
            && let Some(end) = self.ranges.remove(&next)
        {
            last = end;
        }
        self.ranges.insert(first, last);
    }

    pub(super) fn contains(&self, JobId(id): JobId) -> bool {
        self.ranges.range(..=id).next_back().is_some_and(|(_, &end)| id <= end)
    }

    /// How many ranges there are.
    #[cfg(test)]
    pub(super) fn ranges(&self) -> usize {
        self.ranges.len()
    }
}
