//! Warm launches: their program, the warmer, lives from job to job and forks a process for each test.
//!
//! `python/README.md` holds the contract. What the zygote sees of a job: `keep` (the warmer has run user code outside of
//! a test: what that wrote stays), `forked` and `ended` around each test's process (then what the test left is thrown
//! away, and `clean` allows the next fork), and `done`. A warmer that ends before `done` ends its job, badly. Where the
//! slot cannot be made clean below it, it is ended instead of being told `clean`: the tests before that count, the rest
//! of its job has not run.
//!
//! In a slot, whatever a test leaves running becomes a child of the zygote, for its own parent is dead by then: every
//! child but the warmer is a survivor. With process isolation there is no root to renew: in the private TMPDIR, paths
//! that were not there at the last `keep` are removed; a kept file that a test changes stays changed.

use super::job::{Job, Running};
use super::word::{self, Word};
use super::{FIRST_OWN, Zygote, empty_dir, wait_for};
use crate::child::{Failed, Step, Strings};
use crate::ipc::Ipc;
use crate::processes::{below, has_ended, name_of, own_children};
use crate::root::{Kept, Snapshot, Written};
use crate::slot::Ended;
use crate::spec::Isolation;
use crate::{sys, wire};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::time::{Duration, Instant};

/// How long a warmer may take to tear down what it has set up.
const TEAR_DOWN: Duration = Duration::from_secs(30);

/// How long one may take that has closed its channel, or left its test alone.
const LEAVE: Duration = Duration::from_secs(5);

/// Bytes that its channel takes, as far as the kernel allows: its first packet holds its sources.
pub(super) const CHANNEL: usize = 1 << 20;

/// Bytes of the longest job for a warmer: its channel takes that many everywhere.
const JOB: usize = 256 << 10;

/// A wait status of a process that SIGKILL ended.
const KILLED: i32 = libc::SIGKILL;

/// The process that forks tests.
pub(super) struct Warmer {
    /// 0 as long as an invited one has not arrived.
    pid: i32,
    channel: OwnedFd,
    /// Its launch.
    place: u8,
    /// It has its second packet, or there is none for it.
    informed: bool,
    /// It gets no further job: its layers lie deep, or its launch is another now.
    pub(super) worn_out: bool,
    /// What tests write stays.
    stays: bool,
    /// Its status, when it has ended.
    status: Option<i32>,
}

/// What came of listening to a warmer.
enum Heard {
    /// Nothing was there.
    Nothing,
    /// A word, which was obeyed.
    Word,
    /// The job is over, with this status.
    Done(i32),
    /// The slot cannot be made clean below it, so that no further test may begin: the status of the last one.
    Spoiled(i32),
    /// It has closed its channel.
    Closed,
    /// The same, and it has not read its job.
    Unread,
    /// It does not keep to the contract, or cannot go on.
    Broken,
}

impl Warmer {
    /// One that is to come from outside.
    pub(super) fn invited(channel: OwnedFd, place: u8) -> Self {
        Self { pid: 0, channel, place, informed: false, worn_out: false, stays: false, status: None }
    }

    pub(super) fn has_arrived(&self) -> bool {
        self.pid != 0
    }

    pub(super) fn arrive(&mut self, pid: i32) {
        self.pid = pid;
    }

    pub(super) fn channel(&self) -> &OwnedFd {
        &self.channel
    }

    /// True when it can take a job of the launch at this place.
    pub(super) fn serves(&self, place: u8) -> bool {
        self.place == place && self.is_fit()
    }

    fn is_fit(&self) -> bool {
        !self.worn_out && self.status.is_none()
    }

    fn tell(&self, packet: &[u8]) -> Result<(), Errno> {
        wire::send(self.channel.as_fd(), packet, &[])
    }
}

impl Zygote {
    /// One job of a warm launch, from its packet to the answer. `None`: the engine is gone.
    pub(super) fn run_warm(&mut self, job: Job) -> Option<()> {
        self.open_set(0)?;
        self.open_set(1)?;
        let mut running = Running::new(job);
        let heard = match self.hand_over(&mut running) {
            Ok(true) => {
                if let Some(signal) = running.job.signal {
                    self.signal_test(&running, signal);
                }
                self.attend(&mut running)?
            }
            Ok(false) => Heard::Unread,
            Err(failed) => {
                self.answer_not_started(&running.job, failed);
                return Some(());
            }
        };
        let mut status = match heard {
            Heard::Done(status) => status,
            // What has ended it was meant for this one.
            Heard::Unread if running.job.is_to_end() => self.lose_warmer(&mut running, LEAVE),
            Heard::Unread => {
                // It ended between two jobs: that is no fault of this one.
                let _ = self.dismiss_warmer();
                return self.run(running.job);
            }
            // One that closes its channel is about to end by itself.
            Heard::Nothing | Heard::Word | Heard::Closed => self.lose_warmer(&mut running, LEAVE),
            Heard::Broken => self.lose_warmer(&mut running, Duration::ZERO),
            Heard::Spoiled(status) => {
                let end = self.part_with_warmer(&mut running, TEAR_DOWN);
                if status == 0 { end } else { status }
            }
        };
        running.wall = running.started.elapsed();
        if self.warmer.as_ref().is_some_and(|warmer| !warmer.is_fit()) {
            let end = self.dismiss_warmer();
            if status == 0 {
                // What it tore down was its last test's.
                status = end;
            }
        }
        self.answer_ended(&running, status)?;
        self.spare = running.job.strings.into_bytes();
        Some(())
    }

    /// Gives the job to the warmer, which is started if there is none. False: the one that was there is gone.
    fn hand_over(&mut self, running: &mut Running) -> Result<bool, Failed> {
        let packet = job_packet(&running.job);
        if packet.len() > JOB {
            return Err(Failed { step: Step::Setup, errno: Errno::MSGSIZE.raw_os_error() });
        }
        self.await_warmer();
        running.old_warmer = self.warmer.is_some();
        running.pid = match &self.warmer {
            Some(warmer) => warmer.pid,
            None => self.start_warmer(running.job.place, running.job.set)?,
        };
        if !self.inform_warmer() {
            return Ok(!running.old_warmer);
        }
        match self.warmer.as_ref().map(|warmer| warmer.tell(&packet)) {
            // The end of a new one shows soon, with its status.
            Some(Err(_)) => Ok(!running.old_warmer),
            Some(Ok(())) | None => Ok(true),
        }
    }

    /// Starts the program of a warm launch before its first job, if that is wished and nothing speaks against it. Where
    /// it fails, it fails again with the first job, which tells.
    pub(super) fn start_early(&mut self, place: u8) {
        let eager = self.launches.get(usize::from(place)).is_some_and(|launch| launch.eager);
        if eager && self.warmer.is_none() && self.open_set(0).is_some() {
            let _ = self.start_warmer(place, 0);
        }
    }

    /// Gives a warmer its second packet, once. False: it is gone.
    fn inform_warmer(&mut self) -> bool {
        let Some(warmer) = self.warmer.as_mut().filter(|warmer| !warmer.informed) else { return true };
        warmer.informed = true;
        let second = self.launches[usize::from(warmer.place)].second.as_deref();
        second.is_none_or(|second| warmer.tell(second).is_ok())
    }

    /// Starts the program of a warm launch, its first packet waiting; gives its process id.
    fn start_warmer(&mut self, place: u8, set: u8) -> Result<i32, Failed> {
        let failed = |errno: Errno| Failed { step: Step::Setup, errno: errno.raw_os_error() };
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(failed)?;
        let own = |fd: OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, FIRST_OWN).map_err(failed);
        let (channel, theirs) = (own(ours)?, own(theirs)?);
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&channel, CHANNEL);
        let launch = &self.launches[usize::from(place)];
        wire::send(channel.as_fd(), launch.first.as_deref().unwrap_or_default(), &[]).map_err(failed)?;
        let set = usize::from(set) * super::SET;
        let mut fds = vec![&self.null, &self.pipes[set], &self.pipes[set + 1], &theirs];
        fds.extend(&self.pipes);
        let fds: Vec<i32> =
            fds.into_iter().map(AsRawFd::as_raw_fd).chain([self.shelf.file().as_raw_fd()]).collect();
        let pid = self.launcher.start(&launch.strings, &Strings::default(), &fds)?;
        self.warmer = Some(Warmer {
            pid,
            channel,
            place,
            informed: false,
            worn_out: false,
            stays: false,
            status: None,
        });
        Ok(pid)
    }

    /// Does what the warmer and the engine say until the job is over. `None`: the engine is gone.
    fn attend(&mut self, running: &mut Running) -> Option<Heard> {
        loop {
            if self.warmer.as_ref()?.status.is_some() {
                // It may have said all before it ended.
                loop {
                    let heard = self.listen(running);
                    if !matches!(heard, Heard::Word) {
                        return Some(heard);
                    }
                }
            }
            let channel = &self.warmer.as_ref()?.channel;
            let [child, packet, word] = wait_for([&self.children, &self.control, channel], None)?;
            if word {
                let heard = self.listen(running);
                if matches!(heard, Heard::Word) {
                    // A signal that came after the word `forked` is for the test that was forked.
                    continue;
                }
                if !matches!(heard, Heard::Nothing) {
                    return Some(heard);
                }
            }
            if packet {
                self.obey(Some(&mut *running))?;
            }
            if child {
                self.take_signals();
                self.reap(running);
            }
        }
    }

    /// Obeys one word of the warmer, if one is there.
    fn listen(&mut self, running: &mut Running) -> Heard {
        let Some(warmer) = &self.warmer else { return Heard::Closed };
        let mut packet = [0; word::LONGEST];
        let length = match wire::receive(warmer.channel.as_fd(), &mut packet, &mut Vec::new(), false) {
            Err(Errno::AGAIN) => return Heard::Nothing,
            // All that it was told is its job.
            Err(Errno::CONNRESET) if running.old_warmer && !running.heard => return Heard::Unread,
            Ok(0) | Err(Errno::CONNRESET) => return Heard::Closed,
            Err(_) => return Heard::Broken,
            Ok(length) => length,
        };
        running.heard = true;
        let good = match Word::read(&packet[..length]) {
            Some(Word::Collects) if running.test.is_none() => {
                self.answer_went_on(running.job.tag);
                true
            }
            Some(Word::Keep) if running.test.is_none() => self.keep() && self.tell_warmer(b"kept"),
            Some(Word::Stay) if running.test.is_none() => {
                self.stay(true);
                self.tell_warmer(b"kept")
            }
            Some(Word::Forked(pid)) if running.test.is_none() && pid != running.pid => {
                running.test = Some(pid);
                if std::mem::replace(&mut running.went_on, true) {
                    self.answer_went_on(running.job.tag);
                }
                true
            }
            Some(Word::Ended { pid, status, user, system, max_rss }) if running.test == Some(pid) => {
                running.test = None;
                running.add(&sys::Reaped { pid, status, user, system, max_rss });
                if !self.clean_up(running) {
                    // It tears down what it has set up, and ends.
                    self.tell_warmer(b"spoiled");
                    return Heard::Spoiled(status);
                }
                self.tell_warmer(b"clean")
            }
            Some(Word::Rests { pid, user, system, max_rss }) if running.test == Some(pid) => {
                running.test = None;
                running.add(&sys::Reaped { pid, status: 0, user, system, max_rss });
                if let (true, Some(ipc)) = (self.stays(), &mut self.ipc) {
                    // What its fixtures have made since the word `stay` is theirs.
                    ipc.keep();
                }
                true
            }
            Some(Word::Done(status)) => return self.done(running, status),
            Some(
                Word::Collects
                | Word::Keep
                | Word::Stay
                | Word::Forked(_)
                | Word::Ended { .. }
                | Word::Rests { .. }
                | Word::Arrived(_),
            )
            | None => false,
        };
        if good { Heard::Word } else { Heard::Broken }
    }

    /// False when it does not listen any more, which is no fault of its own: its end is seen as such.
    fn tell_warmer(&self, packet: &[u8]) -> bool {
        match self.warmer.as_ref().map(|warmer| warmer.tell(packet)) {
            Some(Ok(()) | Err(Errno::PIPE | Errno::CONNRESET)) => true,
            Some(Err(_)) | None => false,
        }
    }

    /// The warmer says that the job is over.
    fn done(&mut self, running: &mut Running, status: i32) -> Heard {
        if running.test.take().is_some() {
            if status == 0 {
                // It has lost sight of a test that it does not call bad.
                return Heard::Broken;
            }
            // The test's process has lost its parent, or the parent its end.
            let clean = self.clean_up(running);
            if let Some(warmer) = &mut self.warmer {
                warmer.worn_out |= !clean;
            }
        }
        Heard::Done(status)
    }

    /// After a test's process: ends what it left running, throws away what it wrote. False: the slot is not clean.
    fn clean_up(&mut self, running: &mut Running) -> bool {
        self.kill_orphans(running);
        let stays = self.stays();
        match self.isolation {
            Isolation::Process if stays => true,
            Isolation::Process => match &self.kept_tmp {
                Some(kept) => kept.remove_others(&self.tmp),
                None => empty_dir(&self.tmp),
            },
            Isolation::Cow => {
                // The warmer would stay in the old namespace if there were a new one.
                let same_ipc = stays || !self.ipc.as_ref().is_some_and(Ipc::is_dirty);
                if let Some(ipc) = self.ipc.as_mut().filter(|_| stays) {
                    ipc.keep();
                }
                let renewed = match &mut self.root {
                    Some(root) if !stays => root.renew(&mut running.written).is_some(),
                    _ => true,
                };
                self.clean &= renewed;
                same_ipc && self.protected.restore() && renewed
            }
        }
    }

    /// Whether what tests write is not thrown away.
    fn stays(&self) -> bool {
        self.warmer.as_ref().is_some_and(|warmer| warmer.stays)
    }

    /// Whether from now on what tests write is not thrown away. What the warmer has made until now stays in any case.
    fn stay(&mut self, stays: bool) {
        if let Some(warmer) = &mut self.warmer {
            warmer.stays = stays;
        }
        if let Some(ipc) = &mut self.ipc {
            ipc.keep();
        }
    }

    /// What the warmer has written until now stays. False: it cannot be kept, and the slot is lost with it.
    fn keep(&mut self) -> bool {
        match (self.isolation, &mut self.root) {
            (Isolation::Process, _) => self.kept_tmp = Snapshot::of_path(&self.tmp).ok(),
            (Isolation::Cow, None) => {}
            (Isolation::Cow, Some(root)) => match root.keep() {
                Ok(Kept::Shallow) => {}
                Ok(Kept::Deep) => {
                    if let Some(warmer) = &mut self.warmer {
                        warmer.worn_out = true;
                    }
                }
                Err(_) => {
                    self.clean = false;
                    return false;
                }
            },
        }
        self.stay(false);
        true
    }

    /// Ends every process that is a child of this one but the warmer, and notes the names of those that lived.
    fn kill_orphans(&mut self, running: &mut Running) {
        self.reap(running);
        let mut first = true;
        loop {
            let mut orphans = own_children();
            orphans.retain(|pid| *pid != running.pid);
            if orphans.is_empty() {
                return;
            }
            if std::mem::take(&mut first) {
                running.note_survivors(orphans.iter().filter_map(|pid| name_of(*pid)));
            }
            for pid in &orphans {
                sys::kill_one(*pid, libc::SIGKILL);
            }
            // Their children are this process' by the next turn.
            for pid in orphans {
                if let Ok(Some(reaped)) = sys::reap(pid, true) {
                    running.add(&reaped);
                }
            }
        }
    }

    /// Reaps orphans, and the warmer, as far as they have ended.
    fn reap(&mut self, running: &mut Running) {
        while let Ok(Some(reaped)) = sys::reap_any(false) {
            match &mut self.warmer {
                Some(warmer) if warmer.pid == reaped.pid => warmer.status = Some(reaped.status),
                _ => running.add(&reaped),
            }
        }
    }

    /// The warmer has ended in the middle of a job, or has to: gives the job's status.
    fn lose_warmer(&mut self, running: &mut Running, patience: Duration) -> i32 {
        let status = self.part_with_warmer(running, patience);
        if status == 0 { Ended::NOTHING_SAID << 8 } else { status }
    }

    /// Ends the warmer of a job that is not over; gives the warmer's status.
    fn part_with_warmer(&mut self, running: &mut Running, patience: Duration) -> i32 {
        running.warmer_lost = true;
        let status = self.end_warmer(patience);
        self.kill_survivors(running);
        self.shelf.rescue(&self.pipes[usize::from(running.job.set) * super::SET + 2]);
        self.forget(&mut running.written);
        status
    }

    /// Ends a warmer between two jobs, and forgets what it kept; gives its status.
    pub(super) fn dismiss_warmer(&mut self) -> i32 {
        let Some(status) = self.close_warmer() else { return 0 };
        self.forget(&mut Vec::new());
        status
    }

    /// Ends a warmer between two jobs, or behind the last one; gives its status, if there was one.
    pub(super) fn close_warmer(&mut self) -> Option<i32> {
        self.warmer.as_ref()?;
        let status = self.end_warmer(TEAR_DOWN);
        self.end_tree();
        Some(status)
    }

    /// Closes the channel and waits for the warmer's end, so long as it is given time; gives its status.
    fn end_warmer(&mut self, patience: Duration) -> i32 {
        let Some(Warmer { pid, channel, mut status, .. }) = self.warmer.take() else { return KILLED };
        if pid == 0 {
            // It has not arrived, and finds its channel closed.
            return KILLED;
        }
        if patience.is_zero() && status.is_none() {
            // Before it can see that nobody listens.
            sys::kill_one(pid, libc::SIGKILL);
        }
        drop(channel);
        let begun = Instant::now();
        while !patience.is_zero() && status.is_none() {
            status = sys::reap(pid, false).ok().flatten().map(|reaped| reaped.status);
            let left = patience.saturating_sub(begun.elapsed());
            if status.is_some() || left.is_zero() || wait_for([&self.children], Some(left)).is_none() {
                break;
            }
            self.take_signals();
        }
        status.unwrap_or_else(|| {
            sys::kill_one(pid, libc::SIGKILL);
            sys::reap(pid, true).ok().flatten().map_or(KILLED, |reaped| reaped.status)
        })
    }

    /// Back to the state in which the slot was made. Nobody is left in it.
    fn forget(&mut self, written: &mut Vec<Written>) {
        self.kept_tmp = None;
        let fresh_ipc = self.ipc.as_mut().is_none_or(Ipc::renew);
        let renewed = self.renew(written);
        let forgotten = self.root.as_mut().is_none_or(|root| root.forget().is_ok());
        self.clean &= fresh_ipc && renewed && forgotten;
    }

    /// Signals the processes of the test that runs. When there is none, it is the warmer that takes its time: then all.
    pub(super) fn signal_test(&self, running: &Running, signal: i32) {
        let of_warmer = below(running.pid);
        let Some(test) = running.test.filter(|test| of_warmer.contains(test) && !has_ended(*test)) else {
            self.kill_tree(signal, &own_children());
            return;
        };
        let mut all = vec![test];
        all.extend(below(test));
        for orphan in own_children().into_iter().filter(|pid| *pid != running.pid) {
            all.push(orphan);
            all.extend(below(orphan));
        }
        for pid in all {
            sys::kill_one(pid, signal);
        }
    }
}

/// `job`, the set of pipes, and the payload: the job's first argument.
fn job_packet(job: &Job) -> Vec<u8> {
    [b"job\0", job.set.to_string().as_bytes(), b"\0", job.strings.first_word()].concat()
}
