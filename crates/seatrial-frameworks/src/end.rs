//! The end of a process in words.

use seatrial_model::{End, Outcome, SpawnStep};

/// The name of a signal's number on Linux, such as `SIGSEGV`; `signal 99` for one that has no name.
#[must_use]
pub fn signal_name(number: i32) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    match usize::try_from(number).ok().and_then(|n| NAMES.get(n.checked_sub(1)?)) {
        Some(name) => format!("SIG{name}"),
        None => format!("signal {number}"),
    }
}

/// The words for an end that is none of the test's doing (it never began, or its slot died), with its outcome.
///
/// `None` for a process that ran and ended.
#[must_use]
pub fn without_a_word(end: &End) -> Option<(Outcome, String)> {
    match end {
        End::Exit(_) | End::Signal(_) => None,
        End::NotStarted { step, errno } => {
            let step = match step {
                SpawnStep::Clone => "clone",
                SpawnStep::Chdir => "chdir",
                SpawnStep::Exec => "exec",
                SpawnStep::Setup => "setup",
            };
            let error = std::io::Error::from_raw_os_error(*errno);
            Some((Outcome::Error, format!("could not be started: {step}: {error}")))
        }
        End::SlotLost => Some((Outcome::Lost, "its slot died while it ran".to_owned())),
    }
}

/// What an end means when the exit code alone decides: 0 is a pass, a signal a crash.
#[must_use]
pub fn by_exit_code(end: &End) -> (Outcome, Option<String>) {
    match end {
        End::Exit(0) => (Outcome::Pass, None),
        End::Exit(code) => (Outcome::Fail, Some(format!("exit code {code}"))),
        End::Signal(number) => (Outcome::Crash, Some(signal_name(*number))),
        End::NotStarted { .. } | End::SlotLost => match without_a_word(end) {
            Some((outcome, reason)) => (outcome, Some(reason)),
            None => (Outcome::Error, None),
        },
    }
}
