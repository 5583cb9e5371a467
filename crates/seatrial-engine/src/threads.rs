//! What every thread beside the loop is started with, and how its locks are taken.

use std::io;
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Starts a thread that process lists show under this name.
pub(crate) fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

/// A lock whose holder panicked is still good: every change under it is a single assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
