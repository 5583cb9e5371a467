//! This process and its children, seen in both ways.

use super::{below, by_parent, children_of, has_ended, name_of};
use std::process::{Command, Stdio};

#[test]
fn children_are_seen_with_and_without_the_kernels_list() {
    let mut shell = Command::new("/bin/sh");
    // The inner one cannot be executed in place of the outer one, for there is something to do after it.
    shell.args(["-c", "cat; true"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().expect("a shell");
    let (pid, own) = (child.id().cast_signed(), std::process::id().cast_signed());
    let seen = seatrial_testkit::wait_for("the shell's child", || {
        children_of(pid).first().copied().ok_or_else(String::new)
    });
    assert_eq!((by_parent(pid), children_of(pid)), (vec![seen], vec![seen]));
    assert!(by_parent(own).contains(&pid) && children_of(own).contains(&pid));
    assert!(below(own).contains(&seen) && !below(pid).contains(&pid));
    seatrial_testkit::wait_for("its name", || match name_of(seen) {
        Some(name) if name == "cat" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert!(!has_ended(pid) && !has_ended(seen));
    drop(child.stdin.take());
    seatrial_testkit::wait_for("the end of both", || {
        if has_ended(pid) && has_ended(seen) { Ok(()) } else { Err(String::new()) }
    });
    child.wait().expect("it was started here");
    assert!(has_ended(pid) && children_of(pid).is_empty());
}
