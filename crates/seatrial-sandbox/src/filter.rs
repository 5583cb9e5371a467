//! The system-call filter of local jobs: only what reaches out of the container is refused.
//!
//! Key rings and AF_VSOCK know no namespaces. Everything else (io_uring, perf, userfaultfd, nested namespaces) stays
//! as the host allows. Installed once by the zygote and inherited, it costs a job nothing.

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xC000_00B7;

const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;
const NO_FAMILY: u32 = 0x0005_0000 | libc::EAFNOSUPPORT as u32;

/// Offsets in `struct seccomp_data`: number, architecture, low half of the first argument.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// The program for `seccomp(2)`.
pub(crate) fn native() -> Vec<sock_filter> {
    let refused = [libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl];
    let mut program = vec![
        load(ARCHITECTURE),
        // Calls of another architecture (32-bit programs) are not known by these numbers: they pass.
        jump_equal(ARCH, 1, 0),
        give(ALLOW),
        load(NUMBER),
    ];
    for number in refused {
        program.push(jump_equal(number as u32, 0, 1));
        program.push(give(REFUSE));
    }
    program.extend([
        jump_equal(libc::SYS_socket as u32, 1, 0),
        give(ALLOW),
        load(FIRST_ARGUMENT),
        jump_equal(libc::AF_VSOCK as u32, 0, 1),
        give(NO_FAMILY),
        give(ALLOW),
    ]);
    program
}

/// The program as the kernel reads it from memory, for processes that install it themselves.
pub(crate) fn bytes(program: &[sock_filter]) -> Vec<u8> {
    let bytes = |step: &sock_filter| {
        let [code_0, code_1] = step.code.to_ne_bytes();
        let [a, b, c, d] = step.k.to_ne_bytes();
        [code_0, code_1, step.jt, step.jf, a, b, c, d]
    };
    program.iter().flat_map(bytes).collect()
}

const fn load(offset: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

const fn jump_equal(value: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt, jf, k: value }
}

const fn give(value: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: value }
}
