//! The parts that need no container: plans, wire forms, the filter.

use crate::plan::{Entry, RootPlan, RootRequest, Top, mount_points};
use crate::spec::{Isolation, Network, SlotSpec};
use crate::wire::{Reader, Writer, receive, send};
use crate::{filter, wire};
use rustix::fd::AsFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::path::{Path, PathBuf};

#[test]
fn mount_points_are_unescaped_sorted_and_named_once() {
    let table = b"22 1 0:20 / /proc rw - proc proc rw\n\
        23 1 8:1 / / rw - ext4 /dev/x rw\n\
        24 23 8:2 / /home/a\\040b\\134c rw shared:1 - ext4 /dev/y rw\n\
        25 23 8:2 / /home/a\\040b\\134c rw - ext4 /dev/y rw\nshort\n";
    assert_eq!(
        mount_points(table),
        [PathBuf::from("/"), PathBuf::from("/home/a b\\c"), PathBuf::from("/proc")]
    );
}

fn spec() -> SlotSpec {
    let top = |path: &str| Top { path: path.into(), mode: 0o755, uid: 3, gid: u32::MAX };
    SlotSpec {
        isolation: Isolation::Cow,
        network: Network::Host,
        forward: vec![5432, 1],
        root: RootPlan {
            entries: vec![
                Entry::Dir(top("/home")),
                Entry::Overlay(top("/home/me")),
                Entry::Link { path: "/bin".into(), target: "usr/bin".into() },
                Entry::Bind { path: "/sys".into(), dir: true, read_only: true },
            ],
            kept: vec![Entry::Overlay(top("/tmp/p")), Entry::Copy(top("/tmp/f"))],
            fresh_tmp: true,
            devices: vec!["net/tun".into()],
        },
        scratch: 1 << 40,
        layers: Some("/s".into()),
        max_processes: 7,
        tmp: "/t".into(),
    }
}

#[test]
fn a_specification_survives_its_wire_form() {
    let spec = spec();
    let bytes = spec.encode();
    let read = SlotSpec::decode(&bytes).expect("it can be read");
    assert_eq!(format!("{read:?}"), format!("{spec:?}"));
    for length in 0..bytes.len() {
        assert!(SlotSpec::decode(&bytes[..length]).is_none(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn a_reader_never_reads_beyond_the_end() {
    let mut writer = Writer::default();
    writer.u32(1_000).u8(1);
    assert!(Reader(&writer.0).bytes().is_none());
    let mut reader = Reader(&[1, 0]);
    assert_eq!((reader.u8(), reader.u32(), reader.u8(), reader.u8()), (Some(1), None, Some(0), None));
}

#[test]
fn strings_for_exec_end_at_their_first_nul() {
    let mut writer = Writer::default();
    writer.cstring(b"ab\0cd").cstring(b"");
    assert_eq!(writer.0, b"ab\0\0");
}

#[test]
fn descriptors_travel_with_their_packet() {
    let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    send(a.as_fd(), b"one", &[file.as_fd(), file.as_fd()]).unwrap();
    send(a.as_fd(), b"two", &[]).unwrap();
    let (mut buffer, mut fds) = (vec![0; wire::PACKET], Vec::new());
    assert_eq!(receive(b.as_fd(), &mut buffer, &mut fds, true), Ok(3));
    assert_eq!((&buffer[..3], fds.len()), (&b"one"[..], 2));
    assert_eq!(receive(b.as_fd(), &mut buffer, &mut fds, true), Ok(3));
    assert_eq!((&buffer[..3], fds.len()), (&b"two"[..], 0));
    assert_eq!(receive(b.as_fd(), &mut buffer, &mut fds, false), Err(rustix::io::Errno::AGAIN));
    drop(a);
    assert_eq!(receive(b.as_fd(), &mut buffer, &mut fds, false), Ok(0));
}

/// What the filter says of a call: a walk through its program (classic BPF: load, jump if equal, return).
fn verdict(architecture: u32, number: u32, argument: u32) -> u32 {
    let program = filter::native();
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let step = program[at];
        at += 1;
        match u32::from(step.code) {
            0x20 => {
                accumulator = match step.k {
                    0 => number,
                    4 => architecture,
                    16 => argument,
                    other => panic!("it loads from {other}"),
                }
            }
            0x15 => at += usize::from(if accumulator == step.k { step.jt } else { step.jf }),
            0x06 => return step.k,
            other => panic!("unknown step {other:#x}"),
        }
    }
}

#[test]
fn the_filter_refuses_what_reaches_out_and_nothing_else() {
    let own = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };
    const ALLOW: u32 = 0x7fff_0000;
    let refused = 0x0005_0000 | libc::EPERM as u32;
    for number in 0..500 {
        let keys = [libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl];
        let expected = if keys.contains(&i64::from(number)) { refused } else { ALLOW };
        assert_eq!(verdict(own, number, libc::AF_INET as u32), expected, "call {number}");
    }
    let socket = libc::SYS_socket as u32;
    assert_eq!(verdict(own, socket, libc::AF_VSOCK as u32), 0x0005_0000 | libc::EAFNOSUPPORT as u32);
    assert_eq!(verdict(0x4000_0003, libc::SYS_keyctl as u32, 0), ALLOW, "another architecture's numbers");
}

#[test]
fn the_plan_of_this_machine_covers_its_root_once() {
    let plan = RootPlan::of_host(&RootRequest::default()).unwrap();
    let mut paths: Vec<&Path> = plan
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Dir(top) | Entry::Overlay(top) | Entry::Copy(top) => top.path.as_path(),
            Entry::Link { path, .. } | Entry::Bind { path, .. } => path.as_path(),
        })
        .collect();
    for name in std::fs::read_dir("/").unwrap().map(|entry| entry.unwrap().path()) {
        let made_fresh = ["/proc", "/dev", "/tmp"].iter().any(|fresh| name == Path::new(fresh));
        let special = !name.is_dir() && !name.is_file() && !name.is_symlink();
        assert!(made_fresh || special || paths.contains(&name.as_path()), "{} is missing", name.display());
    }
    let count = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(count, paths.len(), "a path is planned twice");
    assert!(plan.devices.contains(&PathBuf::from("null")));
}

#[test]
fn what_must_be_seen_below_tmp_is_kept_by_its_outermost_directory() {
    let base = tempfile_in_tmp();
    std::fs::create_dir_all(base.join("a/b")).unwrap();
    std::fs::write(base.join("a/file"), "x").unwrap();
    let request = RootRequest {
        keep: vec![base.join("a/b"), base.join("a/file"), "/usr".into(), base.join("missing")],
        ..RootRequest::default()
    };
    let plan = RootPlan::of_host(&request).unwrap();
    let real = base.canonicalize().unwrap();
    let kept: Vec<PathBuf> = plan
        .kept
        .iter()
        .filter_map(|entry| if let Entry::Overlay(top) = entry { Some(top.path.clone()) } else { None })
        .collect();
    assert_eq!(kept, [real.join("a")]);
    assert!(plan.fresh_tmp);
    let all = RootRequest { keep: vec!["/tmp".into()], ..RootRequest::default() };
    assert!(!RootPlan::of_host(&all).unwrap().fresh_tmp);
    std::fs::remove_dir_all(base).unwrap();
}

fn tempfile_in_tmp() -> PathBuf {
    let dir = Path::new("/tmp").join(format!("seatrial-plan-test-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
