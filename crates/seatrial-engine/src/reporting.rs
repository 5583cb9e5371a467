//! The one thread that tells: every subscriber gets the same events in the same order.

use seatrial_model::{Event, Instant};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Somebody who is told what happens: terminal, JSON, JUnit, history.
pub trait Subscriber: Send {
    /// Events in order, with the time of each.
    fn events(&mut self, batch: &[(Instant, Event)]);

    /// Called about ten times a second while the run lasts, and after each batch.
    fn tick(&mut self, now: Instant);

    /// The run is over and all events were given. Gives what it failed at, in words.
    fn finish(&mut self) -> Option<String> {
        None
    }
}

/// Batches that may wait for slow subscribers before the engine waits too.
const WAITING: usize = 256;

/// How long events may be held back to travel together.
pub(crate) const HOLD: Duration = Duration::from_millis(25);

/// Events that travel together at most.
const TOGETHER: usize = 512;

/// How often subscribers are ticked.
const TICK: Duration = Duration::from_millis(100);

/// The engine's end.
pub(crate) struct Reporting {
    sender: Option<SyncSender<Vec<(Instant, Event)>>>,
    batch: Vec<(Instant, Event)>,
    since: Option<Instant>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Reporting {
    /// Starts the thread.
    pub(crate) fn start(
        mut subscribers: Vec<Box<dyn Subscriber>>,
        clock: crate::clock::Clock,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("report".into())
            .spawn(move || serve(&receiver, &mut subscribers, &clock))?;
        Ok(Self { sender: Some(sender), batch: Vec::new(), since: None, thread: Some(thread) })
    }

    /// Takes one event; it travels with others unless somebody is waiting for it.
    pub(crate) fn tell(&mut self, now: Instant, event: Event) {
        let urgent = match &event {
            Event::AttemptFinished { outcome, .. } => outcome.is_bad(),
            Event::Notice { .. } | Event::RunStarted(_) | Event::RunFinished { .. } => true,
            Event::GroupListed { .. }
            | Event::Skipped { .. }
            | Event::AttemptStarted { .. }
            | Event::Slow { .. }
            | Event::Facts(_)
            | Event::Unknown => false,
        };
        self.since.get_or_insert(now);
        self.batch.push((now, event));
        if urgent || self.batch.len() >= TOGETHER {
            self.flush();
        }
    }

    /// When the held-back events should go, at the latest.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.since.map(|since| since + HOLD)
    }

    /// Sends what is held back.
    pub(crate) fn flush(&mut self) {
        self.since = None;
        if !self.batch.is_empty()
            && let Some(sender) = &self.sender
        {
            let _ = sender.send(std::mem::take(&mut self.batch));
        }
    }

    /// Waits until everything was told; gives what subscribers failed at.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.flush();
        self.sender = None;
        let thread = self.thread.take();
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| vec!["the reporting thread ended early".into()])
    }
}

fn serve(
    receiver: &Receiver<Vec<(Instant, Event)>>,
    subscribers: &mut [Box<dyn Subscriber>],
    clock: &crate::clock::Clock,
) -> Vec<String> {
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(batch) => {
                for subscriber in subscribers.iter_mut() {
                    subscriber.events(&batch);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        for subscriber in subscribers.iter_mut() {
            subscriber.tick(clock.now());
        }
    }
    subscribers.iter_mut().filter_map(|subscriber| subscriber.finish()).collect()
}
