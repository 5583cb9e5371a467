//! Signals to the run, as messages to the loop: once polite, twice hard; stop and continue.

use crate::inbox::{Input, Outbox};
use std::io;
use std::io::Read;
use std::os::unix::net::UnixStream;

/// Signals that end a run.
pub(crate) const ENDING: [i32; 3] =
    [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP];

/// The terminal's stop key.
pub(crate) const STOP: i32 = signal_hook::consts::SIGTSTP;

/// Forwards the signals that concern a run to `outbox`, from a thread that sleeps until one comes.
///
/// # Errors
/// The kernel gives no socket, or refuses a handler.
pub(crate) fn forward(outbox: &Outbox) -> io::Result<()> {
    for signal in ENDING.into_iter().chain([STOP]) {
        let (mut read, write) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(signal, write)?;
        let outbox = outbox.clone();
        std::thread::Builder::new().name("signals".into()).stack_size(64 << 10).spawn(move || {
            let mut byte = [0u8; 1];
            while matches!(read.read(&mut byte), Ok(1)) {
                outbox.send(Input::Signal(signal));
            }
        })?;
    }
    Ok(())
}

/// Asks this process' run to end politely, as SIGTERM from outside would.
pub fn end_run() {
    let _ = signal_hook::low_level::raise(signal_hook::consts::SIGTERM);
}

/// Stops this process as the terminal's stop key does by default; returns when it is continued.
pub(crate) fn stop_here() {
    let _ = signal_hook::low_level::raise(signal_hook::consts::SIGSTOP);
}
