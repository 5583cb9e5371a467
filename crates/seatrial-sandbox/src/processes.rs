//! Processes of a slot, as /proc tells them.

/// Direct children of this process, which has one thread.
pub(crate) fn own_children() -> Vec<i32> {
    read_children("/proc/thread-self/children").unwrap_or_else(|| by_parent(std::process::id().cast_signed()))
}

/// All processes below one, without itself.
pub(crate) fn below(pid: i32) -> Vec<i32> {
    let mut found = children_of(pid);
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(children_of(pid));
        at += 1;
    }
    found
}

/// True when it is gone, or dead and not yet waited for.
pub(crate) fn has_ended(pid: i32) -> bool {
    status(pid).is_none_or(|(state, _)| matches!(state, b'Z' | b'X'))
}

/// A process' name.
pub(crate) fn name_of(pid: i32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

/// Each thread has children of its own.
fn children_of(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        match read_children(&thread.path().join("children").to_string_lossy()) {
            Some(children) => found.extend(children),
            None if thread.path().exists() => return by_parent(pid),
            None => {}
        }
    }
    found
}

/// `None`: this kernel does not tell, or the thread has ended.
fn read_children(path: &str) -> Option<Vec<i32>> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// Children, by a look at all processes.
fn by_parent(parent: i32) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| status(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// A process' state and its parent (proc_pid_stat(5)).
fn status(pid: i32) -> Option<(u8, i32)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold some itself.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace();
    Some((*fields.next()?.as_bytes().first()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
