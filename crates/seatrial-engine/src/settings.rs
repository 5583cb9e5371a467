//! What the engine is asked for, resolved: nothing here is optional talk, every value is in force.

use crate::capture::SpillFolder;
use seatrial_model::RunHeader;
use seatrial_sandbox::{Isolation, Network, RootRequest};
use std::path::PathBuf;
use std::time::Duration;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The run's header; `isolation` is filled in by the engine, which finds out what this machine can.
    pub header: RunHeader,
    /// Jobs at once.
    pub slots: u32,
    /// `Some`: this isolation or none. `None`: `cow` where the machine can, else `process`, said once.
    pub isolation: Option<Isolation>,
    /// Which network jobs see.
    pub network: Network,
    /// Ports of the host's loopback that answer in the slots.
    pub forward: Vec<u16>,
    /// What the slots' root must show.
    pub root: RootRequest,
    /// Bytes of each private layer, at most; 0: as much as the kernel gives a tmpfs.
    pub scratch: u64,
    /// True: private layers are kept on a disk, not in memory.
    pub layers_on_disk: bool,
    /// Where they are then kept, in a folder of the run.
    pub disk: PathBuf,
    /// Processes in a slot, at most.
    pub max_processes: u64,
    /// Bytes of memory a job may use.
    pub memory: Option<u64>,
    /// How often a bad test is tried again.
    pub retries: u32,
    /// True: a test that passes only after the tests before it has not passed.
    pub strict: bool,
    /// After so many bad tests the run stops handing out.
    pub max_fail: Option<u32>,
    /// Time between the polite end of a job and the hard one.
    pub grace: Duration,
    /// Where private layers of bad tests are kept.
    pub keep: Option<PathBuf>,
    /// Patterns of files that are copied from a private layer into the real tree.
    pub write_back: Vec<String>,
    /// The same for files of which each test may write its own version: the last counts, and nothing is a conflict.
    pub gather: Vec<String>,
    /// The same for files that tests only add, such as reports: what was there before is neither changed nor deleted.
    pub add: Vec<String>,
    /// The project's directory: patterns are relative to it.
    pub project: PathBuf,
    /// Where the middles of large outputs go.
    pub spill: SpillFolder,
    /// True: the run is one job whose standard streams are the user's.
    pub passthrough: bool,
    /// Where the private TMPDIRs of process isolation are made, in a folder of the run.
    pub tmp: PathBuf,
}
