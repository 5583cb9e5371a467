//! What the processes inside Python are started with: the first packet, the text that reads it, a job's payload.
//!
//! The helper's sources are compiled in. Nothing of it is written to a disk or installed in the user's environment.

use super::listing::ListedAll;
use super::run_fixtures::{values, variables};
use seatrial_model::Bytes;
use serde_json::{Value, json};
use std::fmt;

/// What follows `python -c`: reads the first packet from descriptor 3 and executes its `boot` source.
///
/// The first lines run before anything is imported: `-c` puts the working directory first in the search path, where a
/// file of the project may have the name of a module of the standard library.
pub const BOOT: &str = "\
import sys
if sys.path[:1] == ['']: del sys.path[0]
import json, socket
old = sys.version_info < (3, 6)
if old:
    channel = socket.fromfd(3, socket.AF_UNIX, socket.SOCK_SEQPACKET)
else:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, 3)
    channel.set_inheritable(False)
packet = json.loads(channel.recv(1 << 20).decode('utf-8'))
names = {'__name__': 'seatrial_boot', 'packet': packet, 'channel': channel}
exec(compile(packet['modules']['old'] if old else packet['boot'], '<seatrial boot>', 'exec'), names)
";

/// Bytes of a first packet at most: what Linux, unless it is told otherwise, sends in one piece through a socket whose
/// buffer is as large as it may be (twice `net.core.wmem_max`, socket(7)).
pub const MAX_FIRST_PACKET: usize = 384 * 1024;

/// Version of the first packet's form.
const VERSION: u32 = 1;

macro_rules! source {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../python/seatrial_python/", $name, ".py")))
    };
}

/// The first code in the interpreter: name and source.
const BOOT_MODULE: (&str, &str) = source!("boot");

/// The files of the helper that both frameworks use: name and source.
const SHARED: &[(&str, &str)] = &[
    source!("capture"),
    source!("checks"),
    source!("classes"),
    source!("collecting"),
    source!("forks"),
    source!("hazards"),
    source!("imports"),
    source!("listing"),
    source!("old"),
    source!("randomness"),
    source!("reports"),
    source!("snapshots"),
    source!("spare"),
    source!("starts"),
    source!("wire"),
];

/// The files for pytest alone.
const PYTEST: &[(&str, &str)] = &[
    source!("cold"),
    source!("contract"),
    source!("coverage_share"),
    source!("facts"),
    source!("invitation"),
    source!("keeper"),
    source!("leftovers"),
    source!("lister"),
    source!("once"),
    source!("origin"),
    source!("resident"),
    source!("run_fixtures"),
    source!("stepwise"),
    source!("terminal"),
    source!("versions"),
    source!("warm_up"),
    source!("warmer"),
    source!("wide"),
];

/// The files for unittest alone.
const UNITTEST: &[(&str, &str)] = &[
    source!("unittest_capture"),
    source!("unittest_lister"),
    source!("unittest_run"),
    source!("unittest_walk"),
    source!("unittest_warmer"),
];

/// Whose tests are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framework {
    /// pytest's.
    #[default]
    Pytest,
    /// Those of the standard library's `unittest`.
    Unittest,
}

impl Framework {
    /// Its name, as people know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pytest => "pytest",
            Self::Unittest => "unittest",
        }
    }

    const fn modules(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Pytest => PYTEST,
            Self::Unittest => UNITTEST,
        }
    }
}

/// What a process inside Python is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The framework's session, once a run.
    Lister,
    /// The interpreter of a slot that forks for each test.
    Warmer,
}

/// Whose rule for `sys.path` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// As `pytest`: the search path is as it is.
    #[default]
    Pytest,
    /// As `python -m pytest`: the working directory comes first.
    PythonM,
    /// As `python -m unittest`: the working directory comes first. Tests are unittest's.
    Unittest,
}

impl Rule {
    /// The framework whose command this is.
    #[must_use]
    pub const fn framework(self) -> Framework {
        match self {
            Self::Pytest | Self::PythonM => Framework::Pytest,
            Self::Unittest => Framework::Unittest,
        }
    }
}

/// What the processes are told of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings<'a> {
    /// Slots; 0: plug-ins are told of no workers.
    pub workers: u32,
    /// The run's id.
    pub run: &'a str,
    /// The hash seed, which is in the environment too.
    pub seed: u32,
    /// How tests are put together: `auto`, `test`, `class`, `module` or `session`.
    pub granularity: &'a str,
    /// The project's directory, when the files that tests open and the modules that they import are to be told.
    pub record_files: Option<&'a str>,
}

/// What a warmer is told of its slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot<'a> {
    /// The slot's number, from 0.
    pub number: u32,
    /// Its entry of the lister's `nodes`, when there is one.
    pub worker_input: Option<&'a Value>,
}

/// Everything in a first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPacket<'a> {
    /// What the process is to be.
    pub role: Role,
    /// The framework's arguments, without Seatrial's own.
    pub args: &'a [Bytes],
    /// Whose rule for `sys.path` holds.
    pub rule: Rule,
    /// What it is told of the run.
    pub settings: Settings<'a>,
    /// Definitions of the fixtures for the whole run.
    pub fixtures: &'a [Value],
}

/// The first packet would have so many bytes, more than [`MAX_FIRST_PACKET`]: the user's arguments are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the arguments are too long: {} bytes with the helper's sources, of at most {MAX_FIRST_PACKET}; with \
             pytest 8.2 or newer they can stand in a file, one a line, given as `@FILE`",
            self.0
        )
    }
}

impl std::error::Error for TooLong {}

/// A test as the helper finds it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestKey<'a> {
    /// Its id in the lister's words.
    pub id: &'a str,
    /// How many tests of its file with the same id come before it.
    pub n: u32,
    /// Its file.
    pub file: &'a str,
}

impl FirstPacket<'_> {
    /// The packet's bytes.
    ///
    /// # Errors
    /// More bytes than a packet can have.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        self.bytes(None)
    }

    /// The bytes of a warmer's packet that tells of its slot.
    ///
    /// # Errors
    /// More bytes than a packet can have.
    pub fn encode_for(&self, slot: Slot<'_>) -> Result<Vec<u8>, TooLong> {
        self.bytes(Some(slot))
    }

    fn bytes(&self, slot: Option<Slot<'_>>) -> Result<Vec<u8>, TooLong> {
        let framework = self.rule.framework();
        let role = match (self.role, framework) {
            (Role::Lister, Framework::Pytest) => "lister",
            (Role::Warmer, Framework::Pytest) => "warmer",
            (Role::Lister, Framework::Unittest) => "unittest_lister",
            (Role::Warmer, Framework::Unittest) => "unittest_warmer",
        };
        let rule = match self.rule {
            Rule::Pytest => "pytest",
            Rule::PythonM => "python -m pytest",
            Rule::Unittest => "python -m unittest",
        };
        let modules: serde_json::Map<String, Value> = [SHARED, framework.modules()]
            .concat()
            .into_iter()
            .map(|(name, source)| (name.to_owned(), Value::from(source)))
            .collect();
        let mut settings = json!({
            "workers": self.settings.workers,
            "run": self.settings.run,
            "seed": self.settings.seed,
            "granularity": self.settings.granularity,
        });
        if let Some(root) = self.settings.record_files {
            settings["files"] = root.into();
        }
        if let Some(slot) = slot {
            settings["slot"] = slot.number.into();
            if let Some(input) = slot.worker_input {
                settings["workerinput"] = input.clone();
            }
        }
        let args: Vec<String> = self.args.iter().map(python_string).collect();
        let packet = format!(
            r#"{{"v":{VERSION},"role":"{role}","rule":"{rule}","boot":{},"modules":{},"settings":{settings},"fixtures":{},"args":[{}]}}"#,
            Value::from(BOOT_MODULE.1),
            Value::from(modules),
            Value::from(self.fixtures),
            args.join(",")
        );
        if packet.len() > MAX_FIRST_PACKET { Err(TooLong(packet.len())) } else { Ok(packet.into_bytes()) }
    }
}

/// A warmer's second packet, with what the lister has found out: what plug-ins hand to the worker of each slot (a warmer
/// knows its slot's number from `SEATRIAL_SLOT`), fixtures for the whole run with the variables that tell them, the
/// variables that plug-ins have set, and the modules that the collection has imported. What there is no room for stays away.
#[must_use]
pub fn second_packet(nodes: &[Value], found: &ListedAll) -> Vec<u8> {
    let mut packet = json!({
        "nodes": nodes,
        "cold": found.cold,
        "fixture_values": values(&found.fixtures),
        "environment": variables(&found.fixtures),
    });
    let wanted = [
        json!({"variables": found.variables, "folders": found.folders}),
        json!({"apart": found.apart}),
        json!({"imports": found.imports}),
    ];
    for more in wanted {
        let mut longer = packet.clone();
        if let (Some(all), Value::Object(more)) = (longer.as_object_mut(), more) {
            all.extend(more);
        }
        if longer.to_string().len() <= MAX_FIRST_PACKET {
            packet = longer;
        }
    }
    packet.to_string().into_bytes()
}

/// The payload of the job that a warm interpreter gets when all others are over: it tears down whatever it has set up.
#[must_use]
pub fn last_payload() -> String {
    payload_for(&[], How { last: Last::OfSession, ..How::default() }, &|_| &[])
}

/// What is to be torn down after a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Last {
    /// Nothing: other tests of the group follow in this slot.
    #[default]
    No,
    /// Fixtures wider than a function, but not the session's.
    OfGroup,
    /// All fixtures.
    OfSession,
}

/// How a job's tests are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// All in one fork.
    pub batch: bool,
    /// As many in one fork as find it as the first of them did.
    pub check: bool,
    /// The job may end before its last test, so that another slot gets the rest.
    pub share: bool,
    /// The job ends with a test that fails.
    pub stop: bool,
    /// The file is collected in the fork itself, and all its tests run there.
    pub fresh: bool,
    /// What is torn down before the job is over.
    pub last: Last,
}

/// The payload of a job: these tests, run in this way. `siblings` gives the ids of all tests of a test's
/// function, if it is worth while: by them a test is found whose id is another at each collection.
#[must_use]
pub fn payload_for<'a>(
    tests: &[TestKey<'_>],
    how: How,
    siblings: &dyn Fn(&TestKey<'_>) -> &'a [String],
) -> String {
    let file = tests.first().map_or("", |test| test.file);
    let mut of = serde_json::Map::new();
    for test in tests {
        let ids = siblings(test);
        if !ids.is_empty() && !of.contains_key(function_key(test.id)) {
            of.insert(function_key(test.id).to_owned(), ids.into());
        }
    }
    let of_test = |test: &TestKey<'_>| {
        let mut value = json!({"id": test.id, "n": test.n});
        if test.file != file {
            value["file"] = test.file.into();
        }
        value
    };
    let tests: Vec<Value> = tests.iter().map(of_test).collect();
    let last = match how.last {
        Last::No => Value::from(false),
        Last::OfGroup => Value::from(true),
        Last::OfSession => Value::from("session"),
    };
    let mut payload = json!({"file": file, "tests": tests, "last": last});
    for (name, is_set) in [
        ("batch", how.batch),
        ("check", how.check),
        ("share", how.share),
        ("stop", how.stop),
        ("fresh", how.fresh),
    ] {
        if is_set {
            payload[name] = true.into();
        }
    }
    if !of.is_empty() {
        payload["of"] = of.into();
    }
    payload.to_string()
}

/// What the ids of a function's tests have in common: all before the parameters.
#[must_use]
pub fn function_key(id: &str) -> &str {
    id.split('[').next().unwrap_or(id)
}

/// An argument as a JSON string. A byte that is not UTF-8 becomes the half of a surrogate pair by which Python's
/// `os.fsdecode` stands for it; JSON can write one, though a Rust string cannot hold it.
fn python_string(arg: &Bytes) -> String {
    let mut json = String::from("\"");
    for chunk in arg.0.utf8_chunks() {
        let text = Value::from(chunk.valid()).to_string();
        json.push_str(&text[1..text.len() - 1]);
        json.extend(chunk.invalid().iter().map(|byte| format!("\\udc{byte:02x}")));
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests;
