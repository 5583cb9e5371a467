//! Names of Linux signals.

use std::borrow::Cow;

/// Names of the signals 1 to 31, as in Linux' `include/uapi/asm-generic/signal.h` (x86, Arm, RISC-V).
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The first and last real-time signal that a C library hands to programs (it keeps 32 and 33 to itself).
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// The name of a Linux signal: `SIGSEGV`, `SIGRTMIN+3`; `signal 99` for a number without a name.
#[must_use]
pub fn name(number: i32) -> Cow<'static, str> {
    let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    if let Some(name) = index.and_then(|i| NAMES.get(i)) {
        return Cow::Borrowed(name);
    }
    match number {
        34 => Cow::Borrowed("SIGRTMIN"),
        n if REAL_TIME.contains(&n) => Cow::Owned(format!("SIGRTMIN+{}", n - REAL_TIME.start())),
        n => Cow::Owned(format!("signal {n}")),
    }
}
