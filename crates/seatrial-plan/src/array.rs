//! `seatrial exec`: one command, many indices.

use crate::planner::{PlanAction, PlanEvent, Planner};
use seatrial_model::{Bytes, JobId, JobKind, JobSpec, Launch, LaunchId, Limits, Reading, TestRef};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Jobs that are made ahead of their turn: enough to keep many slots busy, few enough to stay flat in memory.
const AHEAD: u64 = 2_000;

/// A command as an array of jobs, made as they are needed.
#[derive(Clone, Debug)]
pub struct ArrayPlan {
    /// The command; `{index}` in an argument stands for the job's index.
    pub launch: Launch,
    /// What the jobs are called together.
    pub group: String,
    /// The indices.
    pub indices: RangeInclusive<u64>,
    /// Where the jobs' own seeds derive from.
    pub seed: u64,
    /// What each may use.
    pub limits: Limits,
    next: Option<u64>,
    group_name: Arc<str>,
    templates: Vec<Bytes>,
}

impl ArrayPlan {
    /// Jobs `indices` of `launch`.
    #[must_use]
    pub fn new(
        mut launch: Launch,
        group: &str,
        indices: RangeInclusive<u64>,
        seed: u64,
        limits: Limits,
    ) -> Self {
        // Arguments that differ from job to job travel with the jobs; a prefix that does not, with the launch.
        let first = launch.args.iter().position(has_index).unwrap_or(launch.args.len());
        let templates = launch.args.split_off(first);
        let next = (!indices.is_empty()).then_some(*indices.start());
        Self { launch, group: group.into(), indices, seed, limits, next, group_name: group.into(), templates }
    }

    fn job(&self, index: u64) -> JobSpec {
        let text = index.to_string();
        let number = u32::try_from(index - self.indices.start()).unwrap_or(u32::MAX);
        JobSpec {
            job: JobId(number),
            launch: LaunchId(0),
            kind: JobKind::Verdict,
            test: TestRef { group: Arc::clone(&self.group_name), name: text.as_str().into() },
            args: self.templates.iter().map(|template| fill(template, &text)).collect(),
            env: vec![
                ("SEATRIAL_INDEX".into(), text.into()),
                ("SEATRIAL_SEED".into(), job_seed(self.seed, index).to_string().into()),
            ],
            reading: Reading::ExitCode,
            limits: self.limits.clone(),
            near: None,
        }
    }

    fn add(&mut self, count: u64, out: &mut Vec<PlanAction>) {
        for _ in 0..count {
            let Some(index) = self.next else { return };
            out.push(PlanAction::Job(self.job(index)));
            self.next = (index < *self.indices.end()).then(|| index + 1);
            if self.next.is_none() {
                out.push(PlanAction::Complete);
            }
        }
    }
}

impl Planner for ArrayPlan {
    fn handle(&mut self, event: PlanEvent, out: &mut Vec<PlanAction>) {
        match event {
            PlanEvent::Begin => {
                out.push(PlanAction::Launch(LaunchId(0), self.launch.clone()));
                let total = self.indices.end().saturating_sub(*self.indices.start()).saturating_add(1);
                let tests =
                    if self.indices.is_empty() { 0 } else { u32::try_from(total).unwrap_or(u32::MAX) };
                out.push(PlanAction::Listed { group: self.group.clone(), tests });
                if self.next.is_none() {
                    out.push(PlanAction::Complete);
                }
                self.add(AHEAD, out);
            }
            PlanEvent::RunningLow => self.add(AHEAD / 2, out),
            PlanEvent::Binary(_)
            | PlanEvent::Relay { .. }
            | PlanEvent::Reported { .. }
            | PlanEvent::FoundAll
            | PlanEvent::Told(_)
            | PlanEvent::Settled { .. }
            | PlanEvent::Again { .. }
            | PlanEvent::Handed { .. } => {}
        }
    }
}

/// The seed of one job: SplitMix64's output for the run's seed, `index` steps on (Steele, Lea, Flood 2014).
#[must_use]
pub fn job_seed(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const MARK: &[u8] = b"{index}";

fn has_index(argument: &Bytes) -> bool {
    argument.0.windows(MARK.len()).any(|window| window == MARK)
}

fn fill(template: &Bytes, index: &str) -> Bytes {
    let mut bytes = Vec::with_capacity(template.len() + index.len());
    let mut rest = template.0.as_slice();
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(index.as_bytes());
        rest = &rest[at + MARK.len()..];
    }
    bytes.extend_from_slice(rest);
    Bytes(bytes)
}
