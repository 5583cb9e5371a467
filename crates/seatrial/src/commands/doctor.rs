//! `seatrial doctor`

use super::past::print;
use crate::places;
use seatrial_sandbox::{Finding, probe};
use std::path::Path;

/// Prints what this machine can and cannot do; 1 when something is amiss.
pub(crate) fn run() -> u8 {
    let mut findings = probe();
    findings.push(state());
    findings.push(disk());
    let mut text = String::new();
    for finding in &findings {
        let sign = if finding.good { "ok " } else { "no " };
        text.push_str(&format!("{sign} {:<15} {}\n", finding.what, finding.found));
        if let Some(lost) = &finding.lost {
            text.push_str(&format!("    {:<15} without it: {lost}\n", ""));
        }
        if let Some(mend) = &finding.mend {
            text.push_str(&format!("    {:<15} mend: {mend}\n", ""));
        }
    }
    print(&text);
    u8::from(findings.iter().any(|finding| !finding.good))
}

fn state() -> Finding {
    let bad = |found: String| Finding {
        what: "history",
        good: false,
        found,
        lost: Some("runs are not recorded; the longest tests cannot start first".into()),
        mend: Some("export XDG_STATE_HOME=DIR (a folder that you may write)".into()),
    };
    let Some(folder) = places::state() else {
        return bad("neither XDG_STATE_HOME nor HOME is set".into());
    };
    let trial = folder.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&trial, b"x"));
    let _ = std::fs::remove_file(&trial);
    match written {
        Ok(()) => Finding {
            what: "history",
            good: true,
            found: format!("is kept in {}", folder.display()),
            lost: None,
            mend: None,
        },
        Err(error) => bad(format!("{}: {error}", folder.display())),
    }
}

/// Free space for history and for builds; half a gigabyte is little for either.
fn disk() -> Finding {
    const LITTLE: u64 = 512 << 20;
    let folder = places::state().unwrap_or_else(std::env::temp_dir);
    let existing = folder.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let free = rustix::fs::statvfs(existing).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    let good = free >= LITTLE;
    Finding {
        what: "disk",
        good,
        found: format!("{} MiB free below {}", free >> 20, existing.display()),
        lost: (!good).then(|| "history and large outputs may not be kept".into()),
        mend: (!good).then(|| format!("rm -r {}", folder.join("spill").display())),
    }
}
