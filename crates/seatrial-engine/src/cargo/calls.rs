//! The shim's calls: taken in, understood with what cargo said of its artifacts, answered.

use super::{CargoRequest, exit_code, lock, shim, thread};
use crate::inbox::{Input, Outbox};
use seatrial_frameworks::cargo::args::libtest_args;
use seatrial_frameworks::cargo::environment::{Additions, environment};
use seatrial_frameworks::cargo::group::{TargetKind, group_name};
use seatrial_frameworks::cargo::messages::{Artifact, package_name};
use seatrial_frameworks::cargo::shim::{HEADER, ShimCall, body_length};
use seatrial_frameworks::cargo::{doctest, manifest};
use seatrial_model::{Bytes, Captured, End, Launch, NoticeLevel, Output};
use seatrial_plan::{FoundBinary, PlanEvent};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Test binaries by path, as cargo announced them. Calls wait until the build is over: then all are known.
#[derive(Debug, Default)]
pub(crate) struct Binaries {
    known: Mutex<Known>,
    built: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    by_path: BTreeMap<String, Announced>,
    built: bool,
}

#[derive(Clone, Debug)]
struct Announced {
    group: String,
    custom_harness: bool,
}

/// Open calls, and the socket that they come through.
#[derive(Debug)]
pub(crate) struct Calls {
    open: Mutex<BTreeMap<u64, UnixStream>>,
    packages: Mutex<Vec<(String, String)>>,
    closed: AtomicBool,
    path: std::path::PathBuf,
}

/// What is needed to understand a call.
struct Desk {
    calls: Arc<Calls>,
    binaries: Arc<Binaries>,
    outbox: Outbox,
    request: CargoRequest,
    number: AtomicU64,
}

impl Binaries {
    /// Takes in an artifact; what is no test binary is of no interest.
    pub(crate) fn add(&self, artifact: Artifact, platform: Option<&str>) {
        let Some(path) = artifact.test_binary().map(str::to_owned) else { return };
        let kind = TargetKind::from_cargo(&artifact.target_kind).unwrap_or(TargetKind::Lib);
        let package = package_name(&artifact.package_id).unwrap_or(&artifact.target_name).to_owned();
        let custom_harness = std::fs::read_to_string(&artifact.manifest_path).is_ok_and(|text| {
            manifest::is_custom_harness(&text, kind, &artifact.target_name).unwrap_or(false)
        });
        let group = group_name(&package, kind, &artifact.target_name, platform);
        lock(&self.known).by_path.insert(path, Announced { group, custom_harness });
    }

    /// The build is over, or cargo is.
    pub(crate) fn built(&self) {
        lock(&self.known).built = true;
        self.built.notify_all();
    }

    /// What was announced of a binary, once everything was.
    fn find(&self, path: &str) -> Option<Announced> {
        let mut known = lock(&self.known);
        while !known.built {
            known = self.built.wait(known).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        known.by_path.get(path).cloned()
    }
}

impl Calls {
    /// Listens on a socket of this path.
    pub(crate) fn listen(
        path: &Path,
        request: &CargoRequest,
        binaries: Arc<Binaries>,
        outbox: &Outbox,
    ) -> io::Result<Arc<Self>> {
        let listener = UnixListener::bind(path)?;
        let calls = Arc::new(Self {
            open: Mutex::default(),
            packages: Mutex::default(),
            closed: AtomicBool::new(false),
            path: path.to_path_buf(),
        });
        let desk = Arc::new(Desk {
            calls: Arc::clone(&calls),
            binaries,
            outbox: outbox.clone(),
            request: request.clone(),
            number: AtomicU64::new(0),
        });
        thread("shim calls", move || {
            for stream in listener.incoming() {
                if desk.calls.closed.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let desk = Arc::clone(&desk);
                // rustdoc starts several doctests at once, and a call may wait for the build's last word.
                let _ = thread("shim call", move || desk.take(stream));
            }
        })?;
        Ok(calls)
    }

    /// Answers a relay: what the process wrote, then how it ended. A shim that is gone wants no answer.
    pub(crate) fn answer(&self, call: u64, end: Option<End>, output: &Output) {
        let Some(mut stream) = lock(&self.open).remove(&call) else { return };
        let _ = frames(&mut stream, shim::STDOUT, &output.stdout)
            .and_then(|()| frames(&mut stream, shim::STDERR, &output.stderr))
            .and_then(|()| frame(&mut stream, shim::END, &exit_code(end).to_le_bytes()));
    }

    /// Packages whose doctests ran, with their directories as seen from the workspace's.
    pub(crate) fn packages(&self) -> Vec<(String, String)> {
        lock(&self.packages).clone()
    }

    /// Takes no more calls.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        // The listening thread looks when somebody calls.
        let _ = UnixStream::connect(&self.path);
    }
}

impl Desk {
    /// One call, from its bytes to its answer or to its place among the open ones.
    fn take(&self, mut stream: UnixStream) {
        match receive(&mut stream) {
            Ok(call) => match doctest::recognise(&call) {
                Some(found) => self.relay(stream, &call, &found),
                None => {
                    self.binary(&call);
                    let _ = frame(&mut stream, shim::END, &0i32.to_le_bytes());
                }
            },
            // Whoever connects without a word is not a shim: `close` does.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => self.outbox.send(Input::Notice {
                level: NoticeLevel::Error,
                text: format!("a call of the shim could not be read: {error}"),
                hint: None,
            }),
        }
    }

    fn binary(&self, call: &ShimCall) {
        let Some((program, args)) = call.argv.split_first() else { return };
        let path = String::from_utf8_lossy(program).into_owned();
        let announced = self.binaries.find(&path).unwrap_or_else(|| Announced {
            // cargo runs something that it did not announce: it is listed like any other.
            group: Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned(),
            custom_harness: true,
        });
        let found = FoundBinary {
            launch: self.launch(call, &announced.group, Vec::new()),
            group: announced.group,
            raw_args: args.iter().map(|arg| Bytes(arg.clone())).collect(),
            args: libtest_args(args.iter().map(Vec::as_slice)),
            custom_harness: announced.custom_harness,
        };
        self.outbox.send(Input::Plan(Box::new(PlanEvent::Binary(found))));
    }

    fn relay(&self, stream: UnixStream, call: &ShimCall, found: &doctest::DoctestCall) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mut launch = self.launch(call, &format!("{} (doc)", found.package), found.env.clone());
        launch.args.extend(call.argv.iter().skip(1).map(|arg| Bytes(arg.clone())));
        let directory = call.variable("CARGO_MANIFEST_DIR").unwrap_or_default();
        let directory = Path::new(std::str::from_utf8(directory).unwrap_or_default());
        let inside = directory.strip_prefix(&self.request.workspace).unwrap_or(directory);
        let entry = (found.package.clone(), inside.to_string_lossy().into_owned());
        {
            let mut packages = lock(&self.calls.packages);
            if !packages.contains(&entry) {
                packages.push(entry);
            }
        }
        lock(&self.calls.open).insert(number, stream);
        self.outbox.send(Input::Plan(Box::new(PlanEvent::Relay { call: number, launch })));
    }

    /// The binary as the user's own runner, or nobody, would execute it.
    fn launch(&self, call: &ShimCall, group: &str, more: Vec<(Bytes, Bytes)>) -> Launch {
        let binary = call.argv.first().cloned().unwrap_or_default();
        let workspace = self.request.workspace.as_os_str().as_encoded_bytes();
        let additions = Additions {
            runners: &self.request.restore,
            run: Some(self.request.run),
            group,
            workspace_root: Some(workspace),
            programs: &[],
        };
        let mut env = environment(&call.env, &additions);
        env.extend(more);
        let cwd = Bytes(call.cwd.clone());
        match self.request.runner.split_first() {
            None => Launch { program: Bytes(binary), args: Vec::new(), env, cwd, warm: None },
            Some((runner, args)) => {
                let mut args = args.to_vec();
                args.push(Bytes(binary));
                Launch { program: runner.clone(), args, env, cwd, warm: None }
            }
        }
    }
}

fn receive(stream: &mut UnixStream) -> io::Result<ShimCall> {
    let mut message = vec![0u8; HEADER];
    stream.read_exact(&mut message)?;
    let header: [u8; HEADER] = message[..HEADER].try_into().map_err(io::Error::other)?;
    let length = body_length(&header).map_err(io::Error::other)?;
    message.resize(HEADER + usize::try_from(length).map_err(io::Error::other)?, 0);
    stream.read_exact(&mut message[HEADER..])?;
    ShimCall::decode(&message).map_err(io::Error::other)
}

fn frames(stream: &mut UnixStream, kind: u8, captured: &Captured) -> io::Result<()> {
    for bytes in [&captured.head.0, &captured.tail.0] {
        if !bytes.is_empty() {
            frame(stream, kind, bytes)?;
        }
    }
    Ok(())
}

fn frame(stream: &mut UnixStream, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(bytes);
    stream.write_all(&message)
}
