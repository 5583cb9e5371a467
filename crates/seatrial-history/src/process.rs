//! Whether the process that records a run still lives.
//!
//! A process is named by `<boot id> <process namespace> <process id> <start in clock ticks>`, from `/proc` (see
//! proc(5)): a process id alone is given out again, soon within a boot and surely after it.

use std::fs;

/// This process's name; `None` without `/proc`.
pub(crate) fn own() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{} {} {pid} {}", boot()?, namespace()?, start(pid)?))
}

/// True when the process of this name is surely gone. One in another process namespace (a container) of this boot
/// cannot be seen from here, and is not surely gone.
pub(crate) fn is_gone(name: &str) -> bool {
    let mut fields = name.split(' ');
    let (Some(boot_then), Some(namespace_then), Some(pid), Some(start_then)) =
        (fields.next(), fields.next(), fields.next().and_then(|pid| pid.parse().ok()), fields.next())
    else {
        return false;
    };
    match (boot(), namespace()) {
        (Some(boot), Some(_)) if boot != boot_then => true,
        (Some(_), Some(namespace)) if namespace == namespace_then => {
            start(pid).is_none_or(|start| start != start_then)
        }
        _ => false,
    }
}

fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

fn namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid").ok().map(|link| link.to_string_lossy().into_owned())
}

/// When a process began, in clock ticks since boot: field 22 of its `stat`. A zombie has ended for our purpose.
fn start(pid: u32) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // Field 2 is the program's name in parentheses, with any characters in it: count from the last parenthesis.
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = String::from_utf8_lossy(&stat[close + 1..]).into_owned();
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}
