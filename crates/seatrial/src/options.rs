//! Options of everything that runs tests: what was typed ([`RunOptions`]) and what it means ([`Settings`]).

use crate::exit::{Error, USAGE};
use crate::places;
use clap::ValueEnum;
use seatrial_engine::{Settings, SpillFolder};
use seatrial_model::{Limits, RunHeader, RunId};
use seatrial_sandbox::{Isolation, Network, RootRequest};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shared options.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Run options")]
pub(crate) struct RunOptions {
    /// Jobs at once [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) slots: Option<u32>,
    /// Try a failed test up to N more times; a pass then is shown as flaky
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retries: u32,
    /// End the run after N failed tests; without it everything runs
    #[arg(long, value_name = "N", conflicts_with = "no_fail_fast")]
    pub(crate) max_fail: Option<u32>,
    /// Run everything, whatever fails (the default; accepted for habit)
    #[arg(long)]
    pub(crate) no_fail_fast: bool,
    /// End a test after this time (`30s`, `5m`, `500ms`): SIGTERM, then SIGKILL for its whole process tree
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Announce tests that run longer than this
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(crate) slow_timeout: Option<Duration>,
    /// Time between SIGTERM and SIGKILL
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    pub(crate) grace: Option<Duration>,
    /// How far tests are kept from the machine [default: cow where it can be had, else process]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) isolation: Option<IsolationLevel>,
    /// Network of the tests: a loopback of their own, or the host's
    #[arg(long, value_name = "NET", default_value = "isolated")]
    pub(crate) network: Option<NetworkChoice>,
    /// Let a port of this machine's loopback answer in the containers; may be given again
    #[arg(long, value_name = "PORT")]
    pub(crate) forward: Vec<u16>,
    /// Show a device of this machine in the containers; may be given again
    #[arg(long, value_name = "PATH")]
    pub(crate) device: Vec<PathBuf>,
    /// Copy files that tests write, if they match, into the real project; may be given again
    #[arg(long, value_name = "GLOB")]
    pub(crate) write_back: Vec<String>,
    /// Keep what failed tests wrote; prints where
    #[arg(long)]
    pub(crate) keep: bool,
    /// Memory a test may use (`512M`, `2G`), where control groups allow
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// Largest private layer over each directory, and /tmp [default: half the machine's memory]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) scratch: Option<u64>,
    /// Keep what tests write on the disk of the state folder, not in memory
    #[arg(long)]
    pub(crate) scratch_on_disk: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// What to print: for people on stderr, or event lines on stdout
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: Option<Format>,
    /// A label for history; may be given again
    #[arg(long, value_name = "K=V", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Seed of the run's random choices [default: a random one, printed]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Show passing tests too
    #[arg(long)]
    pub(crate) show_passes: bool,
}

/// `--isolation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationLevel {
    /// Namespaces over a private copy-on-write view of this machine.
    Cow,
    /// A process group with a private TMPDIR.
    Process,
}

/// `--network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkChoice {
    /// A loopback of their own; the outside is unreachable at once.
    Isolated,
    /// This machine's network, and its sockets under /run.
    Host,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// Versioned event lines.
    Json,
}

/// What a command adds to the shared options.
pub(crate) struct Context {
    /// The project's directory: identity in history, base of patterns.
    pub(crate) project: PathBuf,
    /// Directories that tests must see even below /tmp.
    pub(crate) keep_visible: Vec<PathBuf>,
    /// True: one job whose streams are the user's.
    pub(crate) passthrough: bool,
    /// Jobs at once, if the command has a word of its own for it.
    pub(crate) slots: Option<u32>,
    /// Patterns that the environment asks to be written back.
    pub(crate) write_back: Vec<String>,
    /// Patterns of files that tests gather for later runs: of two versions the last counts.
    pub(crate) gather: Vec<String>,
    /// Patterns of files that tests add.
    pub(crate) add: Vec<String>,
    /// The run's id, made early.
    pub(crate) run: RunId,
}

impl RunOptions {
    /// What each test may use.
    pub(crate) fn limits(&self) -> Limits {
        Limits { timeout: self.timeout, slow_after: self.slow_timeout, memory: self.memory }
    }

    /// Everything that the engine needs, with defaults in force.
    pub(crate) fn resolve(&self, context: Context) -> Settings {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let slots = self.slots.or(context.slots).unwrap_or(processors);
        let state = places::state().unwrap_or_else(std::env::temp_dir);
        let network = match self.network {
            Some(NetworkChoice::Host) => Network::Host,
            Some(NetworkChoice::Isolated) | None => Network::Isolated,
        };
        let mut keep_visible = places::needed();
        keep_visible.extend(context.keep_visible);
        keep_visible.push(context.project.clone());
        let mut write_back = self.write_back.clone();
        write_back.extend(context.write_back);
        let run = context.run;
        Settings {
            header: RunHeader {
                run,
                started_unix_ms: run.unix_ms(),
                project: context.project.to_string_lossy().into_owned(),
                command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                slots,
                isolation: String::new(),
                // 53 bits, which every reader of JSON keeps.
                seed: self.seed.unwrap_or_else(|| random() >> 11),
                revision: None,
            },
            slots,
            isolation: self.isolation.map(|level| match level {
                IsolationLevel::Cow => Isolation::Cow,
                IsolationLevel::Process => Isolation::Process,
            }),
            network,
            forward: self.forward.clone(),
            root: RootRequest {
                keep: keep_visible,
                make: vec![std::env::temp_dir()],
                devices: self.device.clone(),
                host_run: network == Network::Host,
            },
            scratch: self.scratch.unwrap_or(0),
            layers_on_disk: self.scratch_on_disk,
            disk: state.join("scratch"),
            max_processes: MAX_PROCESSES,
            memory: self.memory,
            strict: false,
            retries: self.retries,
            max_fail: self.max_fail,
            grace: self.grace.unwrap_or(Duration::from_secs(5)),
            keep: self.keep.then(|| state.join("kept").join(run.to_string())),
            write_back,
            gather: context.gather,
            add: context.add,
            project: context.project,
            spill: SpillFolder(state.join("spill").join(run.to_string())),
            passthrough: context.passthrough,
            tmp: std::env::temp_dir(),
        }
    }

    /// True when people are to see what happens on a live display.
    pub(crate) fn is_live(&self) -> bool {
        self.format != Some(Format::Json) && std::io::stderr().is_terminal() && !places::is_ci()
    }

    /// The path of the JUnit report, absolute, so that no later change of directory moves it.
    pub(crate) fn junit_file(&self) -> Result<Option<PathBuf>, Error> {
        let Some(file) = &self.junit else { return Ok(None) };
        let file = std::path::absolute(file)
            .map_err(|error| Error::new(USAGE, format!("`--junit {}`: {error}", file.display())))?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            return Err(Error::new(USAGE, format!("`--junit`: there is no folder `{}`", folder.display()))
                .hint("make it first"));
        }
        Ok(Some(file))
    }
}

/// Processes and threads in a container, at most: a bound for fork bombs, far above what tests use.
const MAX_PROCESSES: u64 = 8192;

/// A new run's id.
pub(crate) fn new_run() -> RunId {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    RunId::new(u64::try_from(now.as_millis()).unwrap_or(0), random() as u32)
}

/// A random number from the kernel.
pub(crate) fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // The kernel's generator does not fail once it is initialised, which it is long before any test run.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}

/// `1500ms`, `30s`, `5m`, `1h`, `2.5` (seconds).
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 =
        digits.trim().parse().map_err(|_| format!("`{text}` is no time (try `30s` or `500ms`)"))?;
    let factor = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("`{unit}` is no unit of time (ms, s, m, h)")),
    };
    Duration::try_from_secs_f64(number * factor).map_err(|error| format!("`{text}`: {error}"))
}

/// `512M`, `2G`, `65536`; powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no size (try `512M` or `2G`)"))?;
    let shift = match text[digits.len()..].to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        unit => return Err(format!("`{unit}` is no unit of size (K, M, G, T)")),
    };
    number.checked_shl(shift).filter(|bytes| bytes >> shift == number).ok_or(format!("`{text}` is too large"))
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` is no label (`NAME=VALUE`)"))
}
