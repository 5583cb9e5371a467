//! What this machine can and cannot do, for `seatrial doctor`.

use crate::{Cgroups, Isolation, Network, RootPlan, RootRequest, Slot, SlotMessage, SlotSpec};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// Whether it is there.
    pub good: bool,
    /// What was found, in words.
    pub found: String,
    /// What is lost without it.
    pub lost: Option<String>,
    /// The one command that mends it.
    pub mend: Option<String>,
}

/// Looks at everything that containers need; takes some milliseconds.
#[must_use]
pub fn probe() -> Vec<Finding> {
    vec![containers(), cgroups(), open_files(), processes()]
}

/// True when a slot with its private layers on a disk would not fail in this way.
#[must_use]
pub fn needs_disk_layers(failure: &str) -> bool {
    failure.starts_with(crate::root::NO_ATTRIBUTES)
}

/// Why containers cannot be had here, and the command that mends it. `None`: they can.
#[must_use]
pub fn why_no_containers(failure: &str) -> Option<String> {
    let setting = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let sysctl = |name: &str, value: &str| Some(format!("sudo sysctl -w {name}={value}"));
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return sysctl("kernel.apparmor_restrict_unprivileged_userns", "0");
    }
    if setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return sysctl("kernel.unprivileged_userns_clone", "1");
    }
    if setting("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return sysctl("user.max_user_namespaces", "65536");
    }
    if failure.starts_with("make a process in new namespaces") {
        return Some(
            "in a container: start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`"
                .into(),
        );
    }
    None
}

/// Makes one slot to see whether it can be made.
fn containers() -> Finding {
    let result =
        RootPlan::of_host(&RootRequest::default()).map_err(|error| error.to_string()).and_then(|root| {
            try_slot(&SlotSpec {
                isolation: Isolation::Cow,
                network: Network::Isolated,
                forward: Vec::new(),
                root,
                scratch: 0,
                layers: None,
                max_processes: 4096,
                tmp: PathBuf::new(),
            })
        });
    match result {
        Ok(read_only) if read_only.is_empty() => Finding {
            what: "containers",
            good: true,
            found: "user namespaces, overlay and a private network work".into(),
            lost: None,
            mend: None,
        },
        Ok(read_only) => Finding {
            what: "containers",
            good: false,
            found: format!("work, but shown read-only: {}", read_only.join(", ")),
            lost: Some("tests cannot write below these directories".into()),
            mend: None,
        },
        Err(failure) => Finding {
            what: "containers",
            good: false,
            mend: why_no_containers(&failure),
            found: failure,
            lost: Some("tests run as plain process groups (`--isolation process`)".into()),
        },
    }
}

fn try_slot(spec: &SlotSpec) -> Result<Vec<String>, String> {
    let (mut slot, mut child) = Slot::start(spec, None, |_| Ok(())).map_err(|error| error.to_string())?;
    let result = match slot.wait(Duration::from_secs(10)) {
        Some(SlotMessage::Ready { read_only, .. }) => Ok(read_only),
        Some(SlotMessage::Failed(failure)) => Err(failure.to_string()),
        Some(
            SlotMessage::Listening { .. }
            | SlotMessage::Ended(_)
            | SlotMessage::Recalled { .. }
            | SlotMessage::WentOn { .. }
            | SlotMessage::Invitation(_)
            | SlotMessage::Gone,
        ) => Err("its first process ended without a word".into()),
        None => Err("no answer within 10 s".into()),
    };
    drop(slot);
    let _ = child.wait();
    result
}

fn cgroups() -> Finding {
    match Cgroups::make(&format!("doctor-{}", std::process::id())) {
        Ok(groups) => Finding {
            what: "control groups",
            good: true,
            found: format!("version {:?} memory groups can be made", groups.kind()).replace('V', ""),
            lost: None,
            mend: None,
        },
        Err(found) => Finding {
            what: "control groups",
            good: false,
            found,
            lost: Some("peak memory is that of the largest process, and --memory is not held to".into()),
            mend: Some("systemd-run --user --scope -p Delegate=yes seatrial ...".into()),
        },
    }
}

fn open_files() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let now = limit.current.unwrap_or(u64::MAX);
    Finding {
        what: "open files",
        good: now >= 1024,
        found: format!("at most {now}"),
        lost: (now < 1024).then(|| "fewer slots than processors may fit".into()),
        mend: (now < 1024).then(|| "ulimit -n 4096".into()),
    }
}

fn processes() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nproc);
    let now = limit.current.unwrap_or(u64::MAX);
    Finding {
        what: "processes",
        good: now >= 256,
        found: if now == u64::MAX { "no limit".into() } else { format!("at most {now}") },
        lost: (now < 256).then(|| "tests that start many processes fail".into()),
        mend: (now < 256).then(|| "ulimit -u 4096".into()),
    }
}
