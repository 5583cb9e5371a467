//! This machine's slots: made, watched, made again.

use crate::capture::SpillFolder;
use crate::forward;
use crate::launches::Prepared;
use crate::run_folder::RunFolder;
use crate::settings::Settings;
use crate::slots::LocalSlot;
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use seatrial_model::{Attempt, Instant, JobSpec, RunId, SlotId};
use seatrial_sandbox::{
    Cgroups, Isolation, Network, RootPlan, SlotMessage, SlotSpec, needs_disk_layers, oom_kills,
    why_no_containers,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long a slot may take to be made before it counts as dead.
const MADE_WITHIN: Duration = Duration::from_secs(20);

/// What woke the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    Inbox,
    Slot(SlotId),
    Output(SlotId),
}

/// The slots of this machine.
pub(crate) struct Pool {
    epoll: OwnedFd,
    spec: SlotSpec,
    slots: BTreeMap<SlotId, LocalSlot>,
    ready: Vec<SlotId>,
    /// Slots that were started before anybody asked, to find out what the machine can.
    early: Vec<SlotId>,
    /// Zygotes of slots that are gone, until they have ended and are reaped.
    dying: Vec<u32>,
    cgroups: Option<Cgroups>,
    memory: Option<u64>,
    /// Each slot's count of kills for lack of memory, with what it was when the slot was made.
    kills: BTreeMap<SlotId, (File, u64)>,
    max_processes: u64,
    run: RunId,
    /// Where the private TMPDIRs of process isolation go, in a folder of this run.
    tmp: PathBuf,
    /// Where private layers go when they are not kept in memory, in a folder of this run.
    disk: PathBuf,
    /// The run's folder in one of the two.
    folder: Option<RunFolder>,
    on_disk: bool,
    remade: u32,
    spill: SpillFolder,
}

const INBOX: u64 = u64::MAX;

/// A sentence for the user and what to do next.
pub(crate) type Notice = (String, Option<String>);

impl Pool {
    /// Starts all slots and waits for the first to say what this machine can.
    ///
    /// # Errors
    /// In words: containers were demanded and cannot be had, or no slot of any kind can be made.
    pub(crate) fn start(settings: &Settings) -> Result<(Self, Vec<Notice>), String> {
        let problem = |error: io::Error| format!("no slot can be made: {error}");
        let mut notices = Vec::new();
        let isolation = settings.isolation.unwrap_or(Isolation::Cow);
        let root = match isolation {
            Isolation::Process => RootPlan::default(),
            Isolation::Cow => RootPlan::of_host(&settings.root).map_err(problem)?,
        };
        let run = settings.header.run;
        let mut pool = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|errno| problem(errno.into()))?,
            spec: SlotSpec {
                isolation,
                network: settings.network,
                forward: settings.forward.clone(),
                root,
                scratch: settings.scratch,
                layers: None,
                max_processes: settings.max_processes,
                tmp: PathBuf::new(),
            },
            slots: BTreeMap::new(),
            ready: Vec::new(),
            early: Vec::new(),
            dying: Vec::new(),
            cgroups: None,
            memory: settings.memory,
            kills: BTreeMap::new(),
            max_processes: settings.max_processes,
            run,
            tmp: settings.tmp.clone(),
            disk: settings.disk.clone(),
            folder: None,
            on_disk: settings.layers_on_disk,
            remade: 0,
            spill: settings.spill.clone(),
        };
        match Cgroups::make(&run.to_string()) {
            Ok(cgroups) => pool.cgroups = Some(cgroups),
            Err(why) if settings.memory.is_some() => notices.push((
                format!("--memory is not held to: no control group can be made ({why})"),
                Some("`seatrial doctor` tells what mends it".into()),
            )),
            Err(_) => {}
        }
        let mut started = pool.start_all(settings.slots);
        if started.as_ref().is_err_and(|failure| needs_disk_layers(failure)) {
            pool.on_disk = true;
            started = pool.start_all(settings.slots);
        }
        if let Err(failure) = started {
            if settings.isolation.is_some() || isolation == Isolation::Process {
                return Err(failure);
            }
            let mend = why_no_containers(&failure);
            notices.push((
                format!("no containers here, tests run as plain process groups: {failure}"),
                Some(mend.unwrap_or_else(|| "`seatrial doctor` tells more".into())),
            ));
            pool.spec.isolation = Isolation::Process;
            pool.start_all(settings.slots)?;
        }
        Ok((pool, notices))
    }

    pub(crate) fn isolation(&self) -> Isolation {
        self.spec.isolation
    }

    /// True when what jobs write lies on a disk until it is removed.
    pub(crate) fn on_disk(&self) -> bool {
        self.on_disk
    }

    /// Makes a slot, unless it was made early. True when it is ready already.
    pub(crate) fn build(&mut self, id: SlotId) -> io::Result<bool> {
        if let Some(at) = self.early.iter().position(|early| *early == id) {
            self.early.remove(at);
            return Ok(self.ready.contains(&id));
        }
        self.start_slot(id)?;
        Ok(false)
    }

    /// Forgets a slot whose zygote is gone.
    pub(crate) fn drop_slot(&mut self, id: SlotId) {
        if let Some(mut slot) = self.slots.remove(&id) {
            slot.reap();
            self.dying.extend(slot.slot.zygote());
        }
        self.bury();
        self.ready.retain(|ready| *ready != id);
    }

    pub(crate) fn slot(&mut self, id: SlotId) -> Option<&mut LocalSlot> {
        self.slots.get_mut(&id)
    }

    /// True when the kernel killed something in the slot for lack of memory since it was made.
    pub(crate) fn lacked_memory(&self, id: SlotId) -> bool {
        self.kills.get(&id).is_some_and(|(events, before)| oom_kills(events) > *before)
    }

    /// All slots that are there.
    pub(crate) fn slots(&mut self) -> impl Iterator<Item = (&SlotId, &mut LocalSlot)> {
        self.slots.iter_mut()
    }

    /// The next message of a slot. A first `Ready` is noted and its listeners are served.
    pub(crate) fn receive(&mut self, id: SlotId) -> Option<SlotMessage> {
        let message = self.slots.get_mut(&id)?.slot.receive()?;
        Some(self.note(id, message))
    }

    fn note(&mut self, id: SlotId, mut message: SlotMessage) -> SlotMessage {
        if let SlotMessage::Ready { listeners, .. } | SlotMessage::Listening { listeners, .. } = &mut message
        {
            for (listener, port) in std::mem::take(listeners) {
                // A thread that cannot be had shows as a connection that is never answered.
                let _ = forward::serve(listener, port);
            }
        }
        if let SlotMessage::Ready { .. } = &message {
            self.ready.push(id);
        }
        message
    }

    /// Lets more ports of the host's loopback answer in all slots, before their next job.
    pub(crate) fn forward(&mut self, ports: &[u16]) {
        let new: Vec<u16> = ports.iter().copied().filter(|port| !self.spec.forward.contains(port)).collect();
        self.spec.forward.extend(&new);
        if new.is_empty() || self.spec.isolation == Isolation::Process || self.spec.network == Network::Host {
            return;
        }
        for slot in self.slots.values_mut() {
            // A slot that takes nothing is gone: the one that is made in its place has the ports.
            let _ = slot.slot.forward(&new);
        }
    }

    /// Opened files to which a process writes to move into the slot's control groups.
    pub(crate) fn doors(&self, id: SlotId) -> io::Result<Vec<OwnedFd>> {
        let doors = self.cgroups.as_ref().map(|cgroups| cgroups.doors(&slot_name(id)));
        doors.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Hands a job to a slot.
    pub(crate) fn send(
        &mut self,
        id: SlotId,
        now: Instant,
        launch: &Prepared,
        (spec, attempt): (JobSpec, Attempt),
        stdin: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let slot = self.slots.get_mut(&id).ok_or(Errno::SRCH)?;
        slot.send(now, launch, spec, attempt, stdin)
    }

    /// A slot, and where large outputs of its jobs go.
    pub(crate) fn slot_and_spill(&mut self, id: SlotId) -> Option<(&mut LocalSlot, &SpillFolder)> {
        Some((self.slots.get_mut(&id)?, &self.spill))
    }

    pub(crate) fn watch_inbox(&self, inbox: BorrowedFd<'_>) -> io::Result<()> {
        let data = epoll::EventData::new_u64(INBOX);
        Ok(epoll::add(&self.epoll, inbox, data, epoll::EventFlags::IN)?)
    }

    /// Waits for at most `limit`; gives what is ready.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<Vec<Token>> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: limit.as_secs().cast_signed(),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let mut events = [std::mem::MaybeUninit::<epoll::Event>::uninit(); 64];
        let (ready, _) = match epoll::wait(&self.epoll, &mut events, limit.as_ref()) {
            Ok(ready) => ready,
            Err(Errno::INTR) => return Ok(Vec::new()),
            Err(errno) => return Err(errno.into()),
        };
        Ok(ready
            .iter()
            .map(|event| match event.data.u64() {
                INBOX => Token::Inbox,
                data if data & 1 == 0 => Token::Slot(SlotId((data >> 1) as u32)),
                data => Token::Output(SlotId((data >> 1) as u32)),
            })
            .collect())
    }

    /// When the next running job has run so long that its pipes must be listened to.
    pub(crate) fn listen_at(&self, after: Duration) -> Option<Instant> {
        let running = self.slots.values().filter(|slot| !slot.listening);
        running.filter_map(|slot| slot.running.as_ref().map(|job| job.started + after)).min()
    }

    /// Listens to the pipes of jobs that have run so long.
    pub(crate) fn listen(&mut self, now: Instant, after: Duration) -> io::Result<()> {
        for (id, slot) in &mut self.slots {
            let Some(job) = &slot.running else { continue };
            if slot.listening || job.started + after > now {
                continue;
            }
            for stream in job.streams() {
                let data = epoll::EventData::new_u64(u64::from(id.0) << 1 | 1);
                epoll::add(&self.epoll, slot.slot.pipe(job.set, stream), data, epoll::EventFlags::IN)?;
            }
            slot.listening = true;
        }
        Ok(())
    }

    /// Stops listening to a slot whose running job has ended.
    pub(crate) fn unlisten(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if let (true, Some(job)) = (slot.listening, &slot.running) {
            for stream in job.streams() {
                let _ = epoll::delete(&self.epoll, slot.slot.pipe(job.set, stream));
            }
        }
        slot.listening = false;
    }

    /// Ends all slots: their zygotes end when their sockets close, and everything in them with them.
    pub(crate) fn close(&mut self) {
        for (_, slot) in std::mem::take(&mut self.slots) {
            self.dying.extend(slot.slot.zygote());
        }
    }

    /// Reaps zygotes that have ended by now.
    fn bury(&mut self) {
        self.dying.retain(|pid| {
            let pid = Pid::from_raw(pid.cast_signed());
            pid.is_some_and(|pid| matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None)))
        });
    }

    /// Removes what was made for slots, when they are gone. Gives what is left behind, in words.
    pub(crate) fn finish(mut self) -> Option<String> {
        self.close();
        // Groups can be removed when their last process is gone; a zygote ends as soon as its socket closes.
        let mut left = false;
        if let Some(cgroups) = &mut self.cgroups {
            for _ in 0..4000 {
                left = !cgroups.remove();
                if !left {
                    break;
                }
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        left.then(|| "a control group could not be removed: processes in it do not end".into())
    }

    /// Starts all slots; the first to answer tells for all.
    fn start_all(&mut self, count: u32) -> Result<(), String> {
        let problem = |error: io::Error| format!("make a slot: {error}");
        self.close();
        self.early = (0..count).map(SlotId).collect();
        for id in self.early.clone() {
            self.start_slot(id).map_err(problem)?;
        }
        let first = SlotId(0);
        let answer = self.slots.get_mut(&first).and_then(|slot| slot.slot.wait(MADE_WITHIN));
        match answer.map(|message| self.note(first, message)) {
            Some(SlotMessage::Ready { .. }) => Ok(()),
            Some(SlotMessage::Failed(failure)) => Err(failure.to_string()),
            None => Err("the first slot was not ready within 20 s".into()),
            Some(
                SlotMessage::Listening { .. }
                | SlotMessage::Invitation(_)
                | SlotMessage::Ended(_)
                | SlotMessage::Recalled { .. }
                | SlotMessage::WentOn { .. }
                | SlotMessage::Gone,
            ) => Err("the first slot ended while it was made".into()),
        }
    }

    /// The run's folder on a disk, made when it is first needed. Process isolation needs one, layers on a disk another.
    fn folder(&mut self) -> io::Result<PathBuf> {
        let (base, prefix) = match self.spec.isolation {
            Isolation::Process => (&self.tmp, "seatrial-process-"),
            Isolation::Cow => (&self.disk, ""),
        };
        let folder = match self.folder.take().filter(|folder| folder.path().starts_with(base)) {
            Some(folder) => folder,
            None => RunFolder::make(base, prefix, self.run)?,
        };
        Ok(self.folder.insert(folder).path().to_path_buf())
    }

    fn start_slot(&mut self, id: SlotId) -> io::Result<()> {
        let name = slot_name(id);
        let memory = match &mut self.cgroups {
            Some(cgroups) => cgroups.slot(&name, self.memory, self.max_processes).ok(),
            None => None,
        };
        let mut vars = vec![format!("SEATRIAL_SLOT={}", id.0).into_bytes()];
        let mut spec = self.spec.clone();
        if spec.isolation == Isolation::Process {
            spec.tmp = self.folder()?.join(&name);
            std::fs::create_dir_all(&spec.tmp)?;
            vars.push([b"TMPDIR=", spec.tmp.as_os_str().as_encoded_bytes()].concat());
        }
        if spec.isolation == Isolation::Cow && self.on_disk {
            self.remade += 1;
            let folder = self.folder()?.join(format!("{name}-{}", self.remade));
            std::fs::create_dir_all(&folder)?;
            spec.layers = Some(folder);
        }
        if let Some((_, events)) = &memory
            && let Ok(events) = events.try_clone().map(File::from)
        {
            let before = oom_kills(&events);
            self.kills.insert(id, (events, before));
        }
        let has_group = memory.is_some();
        let cgroups = &self.cgroups;
        let slot = LocalSlot::start(id, &spec, memory, vars, |pid| match cgroups {
            Some(cgroups) if has_group => cgroups.enter(&name, pid),
            Some(_) | None => Ok(()),
        })?;
        let data = epoll::EventData::new_u64(u64::from(id.0) << 1);
        epoll::add(&self.epoll, slot.slot.socket(), data, epoll::EventFlags::IN)?;
        self.slots.insert(id, slot);
        Ok(())
    }
}

fn slot_name(id: SlotId) -> String {
    format!("slot-{}", id.0)
}

/// Something with a descriptor that ends with the pool.
impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("epoll", &self.epoll.as_fd()).field("slots", &self.slots.len()).finish()
    }
}
