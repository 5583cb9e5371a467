//! A slot of one test, and words for what is done in it.

use rustix::process::{Pid, WaitOptions, waitpid};
use seatrial_sandbox::{
    Command, Ended, Isolation, JobEnd, Launch, Network, RootPlan, RootRequest, Slot, SlotMessage, SlotSpec,
};
use seatrial_testkit::wait_for;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;
use tempfile::TempDir;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const WARMER: &str = include_str!("warmer.py");

/// How a room is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Copy-on-write, layers in memory.
    Memory,
    /// Copy-on-write, layers on a disk.
    Disk,
    /// A process group.
    Process,
}

/// The kinds of copy-on-write that can be had. Layers cannot lie on an overlay, which is what a slot, or Docker, shows as
/// the disk.
pub(crate) fn cow() -> Vec<Kind> {
    const OVERLAY: u64 = 0x794c_7630;
    let on_overlay = rustix::fs::statfs("/var/tmp").unwrap().f_type as u64 == OVERLAY;
    if on_overlay { vec![Kind::Memory] } else { vec![Kind::Memory, Kind::Disk] }
}

/// A slot with a directory of the host's in it.
pub(crate) struct Room {
    slot: Option<Slot>,
    stage: Child,
    zygote: Option<Pid>,
    tag: u64,
    /// A directory of this test's user, outside /tmp.
    pub(crate) home: PathBuf,
    /// One in /tmp that stays visible there.
    pub(crate) project: PathBuf,
    /// The private TMPDIR of process isolation.
    pub(crate) tmp: PathBuf,
    dirs: [TempDir; 2],
}

/// How a job did.
#[derive(Debug)]
pub(crate) struct Did {
    pub(crate) ended: Ended,
    pub(crate) output: String,
    pub(crate) report: String,
    /// How often it was told that another test's process had begun.
    pub(crate) went_on: u32,
}

impl Did {
    /// Checks that the job ended well and reported this; the slot is clean.
    #[track_caller]
    pub(crate) fn reports(&self, expected: &str) -> &Self {
        assert_eq!((self.ended.end, self.report.trim_end()), (JobEnd::Exit(0), expected), "{self:?}");
        self.clean()
    }

    /// Checks how the job ended.
    #[track_caller]
    pub(crate) fn ends(&self, end: JobEnd) -> &Self {
        assert_eq!(self.ended.end, end, "{self:?}");
        self
    }

    /// Checks that the slot takes further jobs.
    #[track_caller]
    pub(crate) fn clean(&self) -> &Self {
        assert!(self.ended.clean, "{self:?}");
        self
    }
}

/// The number of the warm launch.
pub(crate) const WARM: u32 = 1;

impl Room {
    /// Makes a slot and waits until it takes jobs.
    pub(crate) fn new(kind: Kind) -> Self {
        let dir = |parent: &str| tempfile::Builder::new().prefix("room-").tempdir_in(parent).unwrap();
        let dirs = [dir("/var/tmp"), dir("/tmp")];
        let (home, project) = (dirs[0].path().join("home"), dirs[1].path().join("project"));
        let (tmp, layers) = (dirs[0].path().join("tmp"), dirs[0].path().join("layers"));
        for dir in [&home, &project, &tmp, &layers] {
            std::fs::create_dir(dir).unwrap();
        }
        for dir in [&home, &project] {
            std::fs::create_dir_all(dir.join("tree/inner")).unwrap();
            for file in ["file", "tree/leaf", "tree/inner/leaf"] {
                std::fs::write(dir.join(file), "host").unwrap();
            }
        }
        let request = RootRequest { keep: vec![home.clone(), project.clone()], ..RootRequest::default() };
        let spec = SlotSpec {
            isolation: if kind == Kind::Process { Isolation::Process } else { Isolation::Cow },
            network: Network::Isolated,
            forward: Vec::new(),
            root: RootPlan::of_host(&request).unwrap(),
            scratch: 0,
            layers: (kind == Kind::Disk).then_some(layers),
            max_processes: 4096,
            tmp: tmp.clone(),
        };
        let (slot, stage) = Slot::start(&spec, None, |_| Ok(())).unwrap();
        let mut room = Self { slot: Some(slot), stage, zygote: None, tag: 0, home, project, tmp, dirs };
        let message = room.slot().wait(LONG);
        assert!(matches!(message, Some(SlotMessage::Ready { .. })), "{kind:?}: {message:?}");
        room.zygote = room.slot().zygote().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        room
    }

    pub(crate) fn slot(&mut self) -> &mut Slot {
        self.slot.as_mut().unwrap()
    }

    /// The id of the zygote, seen from outside.
    pub(crate) fn pid(&self) -> u32 {
        self.zygote.map_or_else(|| self.stage.id(), |pid| pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// A job of the warm launch to its end: the payload's parts are Python, as `warmer.py` tells.
    pub(crate) fn warm(&mut self, fixture: &str, tests: &[&str]) -> Did {
        self.payload(&payload(fixture, tests, ""))
    }

    /// A job of the warm launch with this payload, to its end.
    pub(crate) fn payload(&mut self, payload: &str) -> Did {
        let set = self.start(payload);
        self.end(set)
    }

    /// Starts a job of the warm launch; gives its set of pipes.
    pub(crate) fn start(&mut self, payload: &str) -> usize {
        let args: [&[u8]; 3] = [b"python3", b"-c", WARMER.as_bytes()];
        let tmp = format!("TMPDIR={}", self.tmp.display());
        let vars: [&[u8]; 2] = [b"PATH=/usr/bin:/bin", tmp.as_bytes()];
        let slot = self.slot();
        if !slot.knows(WARM) {
            let launch = Launch { program: b"/usr/bin/python3", args: &args, vars: &vars, cwd: b"/" };
            slot.launch_warm(WARM, &launch, b"first", false).unwrap();
        }
        self.send(payload)
    }

    /// Makes the warm launch known. `early`: its program starts before there is a job for it.
    pub(crate) fn introduce(&mut self, early: bool) {
        let args: [&[u8]; 3] = [b"python3", b"-c", WARMER.as_bytes()];
        let launch =
            Launch { program: b"/usr/bin/python3", args: &args, vars: &[b"PATH=/usr/bin:/bin"], cwd: b"/" };
        self.slot().launch_warm(WARM, &launch, b"early", early).unwrap();
    }

    /// Waits for the program that starts early; its process' id, seen from outside.
    pub(crate) fn early(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        wait_for("a program without a job", || {
            let pids = std::fs::read_to_string(&children).map_err(|error| error.to_string())?;
            let pid = pids.trim().parse().map_err(|_| format!("children: {pids}"))?;
            // Until it executes the program, the zygote waits for it.
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if name.starts_with("python") { Ok(pid) } else { Err(format!("a process called {name}")) }
        })
    }

    /// Sends a job of the warm launch, which the slot knows.
    pub(crate) fn send(&mut self, payload: &str) -> usize {
        self.tag += 1;
        let tag = self.tag;
        let slot = self.slot();
        slot.send(tag, &Command { launch: WARM, args: &[payload.as_bytes()], vars: &[], stdin: None })
            .unwrap()
    }

    /// Signals the job that was started last.
    pub(crate) fn signal(&mut self, signal: i32) {
        let tag = self.tag;
        self.slot().signal(tag, signal).unwrap();
    }

    /// Asks for the job that was sent last.
    pub(crate) fn recall(&mut self) {
        let tag = self.tag;
        self.slot().recall(tag).unwrap();
    }

    /// Waits for the end of the job that was started last.
    #[track_caller]
    pub(crate) fn end(&mut self, set: usize) -> Did {
        let tag = self.tag;
        let mut message = self.slot().wait(LONG);
        let mut went_on = 0;
        while let Some(SlotMessage::WentOn { tag: own }) = message {
            assert_eq!(own, tag);
            went_on += 1;
            message = self.slot().wait(LONG);
        }
        let Some(SlotMessage::Ended(ended)) = message else { panic!("{message:?}") };
        assert_eq!(ended.tag, tag);
        let output = self.stream(set, 0) + &self.stream(set, 1);
        Did { ended, output, went_on, report: self.stream(set, 2) }
    }

    /// A shell's job to its end.
    pub(crate) fn sh(&mut self, script: &str) -> Did {
        let set = self.start_shell(script);
        self.end(set)
    }

    /// Starts a shell's job; gives its set of pipes.
    pub(crate) fn start_shell(&mut self, script: &str) -> usize {
        let args: [&[u8]; 3] = [b"sh", b"-c", script.as_bytes()];
        let launch =
            Launch { program: b"/bin/sh", args: &args, vars: &[b"PATH=/usr/sbin:/usr/bin:/bin"], cwd: b"/" };
        self.tag += 1;
        let tag = self.tag;
        let slot = self.slot();
        // A launch of its own each time.
        let number = 100 + tag as u32;
        slot.launch(number, &launch).unwrap();
        let launch = number;
        slot.send(tag, &Command { launch, args: &[], vars: &[], stdin: None }).unwrap()
    }

    /// What is in a pipe now.
    pub(crate) fn stream(&mut self, set: usize, stream: usize) -> String {
        let mut bytes = vec![0; 64 << 10];
        let length = rustix::io::read(self.slot().pipe(set, stream), &mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Closes the engine's end.
    pub(crate) fn close(&mut self) {
        self.slot = None;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.slot = None;
        let _ = self.stage.wait();
        if let Some(pid) = self.zygote {
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
        open_all(&self.dirs[0].path().join("layers"));
    }
}

/// Overlayfs leaves directories that nobody may enter, and that could not be removed.
fn open_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_all(&entry.path());
        }
    }
}

/// A payload: a fixture, tests, and what is done after them in the warmer.
pub(crate) fn payload(fixture: &str, tests: &[&str], after: &str) -> String {
    let tests: Vec<String> = tests.iter().map(|test| quote(test)).collect();
    format!(
        "{{\"fixture\": {}, \"tests\": [{}], \"after\": {}}}",
        quote(fixture),
        tests.join(", "),
        quote(after)
    )
}

fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// A path as Python writes it.
pub(crate) fn py(path: &Path) -> String {
    format!("'{}'", path.display())
}
