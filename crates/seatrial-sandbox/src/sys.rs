//! System calls that no well-kept crate wraps: `clone3`, `wait4` with usage, `signalfd`, `seccomp`.
//!
//! Every function here is a thin shape over one call; what they are for is told where they are used.

#![expect(unsafe_code, reason = "raw system calls; with `child`, the only such place")]

use rustix::io::Errno;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// `struct clone_args` of `clone3(2)`, the fields that all kernels with the call know.
#[repr(C)]
#[derive(Default, Clone, Copy)]
pub(crate) struct CloneArgs {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
    pub(crate) set_tid: u64,
    pub(crate) set_tid_size: u64,
    pub(crate) cgroup: u64,
}

/// `CLONE_CLEAR_SIGHAND`: handlers of the parent become the default in the child.
pub(crate) const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// Makes a process that starts in `entry(arg)` on the stack that `args` names and never returns from it.
///
/// # Safety
/// `args` must name a stack that is free for as long as the child runs on it; with `CLONE_VM` the child shares all
/// memory, so `entry` may only do what its documentation promises (no allocation, no locks), and `CLONE_VFORK` must
/// be set so that the parent sleeps meanwhile. `arg` must be what `entry` expects.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn clone_into(
    args: &CloneArgs,
    entry: extern "C" fn(usize) -> !,
    arg: usize,
) -> Result<i32, Errno> {
    let result: isize;
    // SAFETY: the child continues after the instruction on its own stack and calls `entry`, which does not return;
    // the parent falls through. All registers that the kernel or the child's half change are declared.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "and rsp, -16",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") std::ptr::from_ref(args),
            in("rsi") size_of::<CloneArgs>(),
            in("r12") arg,
            in("r13") entry,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    check(result).map(|pid| pid as i32)
}

/// Makes a process that starts in `entry(arg)` on the stack that `args` names and never returns from it.
///
/// # Safety
/// As for the x86-64 form.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn clone_into(
    args: &CloneArgs,
    entry: extern "C" fn(usize) -> !,
    arg: usize,
) -> Result<i32, Errno> {
    let result: isize;
    // SAFETY: as above; x19 and x20 survive the call in both processes.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x21",
            "blr x20",
            "brk 1",
            "2:",
            inlateout("x0") std::ptr::from_ref(args) => result,
            in("x1") size_of::<CloneArgs>(),
            in("x8") libc::SYS_clone3,
            in("x21") arg,
            in("x20") entry,
            lateout("x30") _,
        );
    }
    check(result).map(|pid| pid as i32)
}

/// `fork` by `clone3`: `Ok(0)` in the child. For single-threaded callers only.
pub(crate) fn fork(flags: u64, exit_signal: u64) -> Result<i32, Errno> {
    let args = CloneArgs { flags, exit_signal, ..CloneArgs::default() };
    // SAFETY: without CLONE_VM and with no stack given this is fork(2): the child gets a copy of everything.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    if result < 0 { Err(last_error()) } else { Ok(result as i32) }
}

/// One ended child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaped {
    pub(crate) pid: i32,
    pub(crate) status: i32,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Largest resident size of it and its waited-for descendants, in KiB.
    pub(crate) max_rss: u64,
}

/// Reaps any child: `None` when some live but none has ended (only without `block`).
///
/// # Errors
/// `ECHILD` when there is no child at all.
pub(crate) fn reap_any(block: bool) -> Result<Option<Reaped>, Errno> {
    reap(-1, block)
}

/// Reaps this child, or any for -1: `None` when it has not ended (only without `block`).
///
/// # Errors
/// `ECHILD` when there is no such child.
pub(crate) fn reap(pid: i32, block: bool) -> Result<Option<Reaped>, Errno> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live locals of the right types.
        let pid = unsafe {
            libc::wait4(pid, &raw mut status, if block { 0 } else { libc::WNOHANG }, &raw mut usage)
        };
        if pid == 0 {
            return Ok(None);
        }
        if pid < 0 {
            match last_error() {
                Errno::INTR => continue,
                other => return Err(other),
            }
        }
        return Ok(Some(Reaped {
            pid,
            status,
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
            max_rss: usage.ru_maxrss.unsigned_abs(),
        }));
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), (time.tv_usec.unsigned_abs() * 1000) as u32)
}

/// Blocks SIGCHLD for this thread and gives a descriptor that is readable when one is pending.
pub(crate) fn sigchld_fd() -> Result<OwnedFd, Errno> {
    // SAFETY: the set is initialised by sigemptyset before use; the returned descriptor is ours alone.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(last_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(last_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// SIGPIPE back to its default: Rust's runtime ignores it, and an ignored signal stays ignored in what we execute.
pub(crate) fn default_sigpipe() {
    // SAFETY: SIG_DFL is a valid disposition for SIGPIPE.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Sends `signal` to one process.
pub(crate) fn kill_one(pid: i32, signal: i32) {
    // SAFETY: no memory is involved; the callers name single processes, never a group.
    unsafe {
        libc::kill(pid, signal);
    }
}

/// Sends `signal` to every process that we may signal but ourselves: as PID 1 of a namespace, to all others in it.
pub(crate) fn kill_all(signal: i32) {
    // SAFETY: no memory is involved.
    unsafe {
        libc::kill(-1, signal);
    }
}

/// Installs a system-call filter for this process and all it makes.
pub(crate) fn install_filter(filter: &[libc::sock_filter]) -> Result<(), Errno> {
    let program =
        libc::sock_fprog { len: filter.len() as libc::c_ushort, filter: filter.as_ptr().cast_mut() };
    const SECCOMP_SET_MODE_FILTER: libc::c_ulong = 1;
    // SAFETY: the program points at `filter`, which outlives the call; the kernel copies it.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

/// Makes every mount at and below the mount that `path` names read-only (`mount_setattr(2)`, Linux 5.12).
pub(crate) fn read_only_recursive(path: &std::ffi::CStr) -> Result<(), Errno> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        userns: u64,
    }
    const MOUNT_ATTR_RDONLY: u64 = 1;
    const AT_RECURSIVE: libc::c_int = 0x8000;
    let attr = MountAttr { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, userns: 0 };
    // SAFETY: `path` is NUL-terminated and `attr` is of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            AT_RECURSIVE,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

/// Brings the loopback interface of this network namespace up (`SIOCSIFFLAGS`).
pub(crate) fn loopback_up() -> Result<(), Errno> {
    // SAFETY: `request` is an ifreq that the ioctl reads; the socket is closed before returning.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(last_error());
        }
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        let result = libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request);
        let error = last_error();
        libc::close(socket);
        if result < 0 { Err(error) } else { Ok(()) }
    }
}

/// A new namespace of System V IPC and POSIX queues for this process. For single-threaded callers only.
pub(crate) fn fresh_ipc() -> Result<(), Errno> {
    // SAFETY: unsharing IPC touches no memory and no descriptor of ours.
    if unsafe { libc::unshare(libc::CLONE_NEWIPC) } != 0 { Err(last_error()) } else { Ok(()) }
}

/// True when this IPC namespace holds System V segments, semaphores or queues; also when that cannot be told.
///
/// The `..._INFO` commands of shmctl(2), semctl(2) and msgctl(2) count them without a walk.
pub(crate) fn has_system_v_objects() -> bool {
    const SHM_INFO: libc::c_int = 14;
    const SEM_INFO: libc::c_int = 19;
    const MSG_INFO: libc::c_int = 12;
    /// `struct shm_info`: what is used, then sizes and counters.
    #[repr(C)]
    #[derive(Default)]
    struct ShmInfo {
        used_ids: libc::c_int,
        rest: [libc::c_ulong; 5],
    }
    /// `struct seminfo`, and the like for queues: ten numbers. Under `SEM_INFO` the eighth (`semusz`) counts sets,
    /// under `MSG_INFO` the first (`msgpool`) counts queues.
    type Numbers = [libc::c_int; 10];
    let (mut shm, mut sem, mut msg) = (ShmInfo::default(), Numbers::default(), Numbers::default());
    // SAFETY: each call fills a local of at least the size that its command writes.
    let failed = unsafe {
        libc::shmctl(0, SHM_INFO, (&raw mut shm).cast()) < 0
            || libc::semctl(0, 0, SEM_INFO, sem.as_mut_ptr()) < 0
            || libc::msgctl(0, MSG_INFO, msg.as_mut_ptr().cast()) < 0
    };
    failed || shm.used_ids > 0 || sem[7] > 0 || msg[0] > 0
}

/// Clears the status flags (`O_NONBLOCK`, `O_ASYNC`, ...) of an open file that a test may have changed.
pub(crate) fn clear_status_flags(fd: RawFd) {
    // SAFETY: no memory is involved; on a closed descriptor the call fails without effect.
    unsafe {
        libc::fcntl(fd, libc::F_SETFL, 0);
    }
}

pub(crate) fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

fn check(result: isize) -> Result<isize, Errno> {
    if result < 0 { Err(Errno::from_raw_os_error(-(result as i32))) } else { Ok(result) }
}

/// Marks a descriptor that we do not own to be closed at exec; a number that is not open is left alone.
pub(crate) fn set_cloexec(fd: RawFd) {
    // SAFETY: no memory is involved.
    unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
    }
}
