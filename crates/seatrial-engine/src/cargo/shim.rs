//! The shim: what cargo and rustdoc start in place of a test binary. It reports itself and ends as it is told.

use seatrial_frameworks::cargo::shim::ShimCall;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::exit;

/// The last part of the shim's path, which makes this binary a shim.
pub(crate) const NAME: &str = "seatrial-shim";

/// Where it reports to.
pub(crate) const SOCKET_VARIABLE: &str = "SEATRIAL_SHIM_SOCKET";

/// Kinds of frame in an answer: a byte, a length in four bytes (little-endian), so many bytes.
pub(crate) const STDOUT: u8 = 1;
pub(crate) const STDERR: u8 = 2;
/// The end: four bytes, an exit code, or a signal's number below zero.
pub(crate) const END: u8 = 3;

/// Becomes a shim, and never returns, when this process was started as one; else does nothing.
pub fn shim_if_asked() {
    let mut args = std::env::args_os();
    let is_shim = args.next().is_some_and(|name| Path::new(&name).file_name() == Some(OsStr::new(NAME)));
    if !is_shim {
        return;
    }
    match report(args.map(OsStringExt::into_vec).collect()) {
        Ok(code) if code < 0 => {
            // As the process ended, so does this one: rustdoc tells a signal from a code.
            let _ = signal_hook::low_level::emulate_default_handler(-code);
            exit(128 - code)
        }
        Ok(code) => exit(code),
        Err(error) => {
            let _ =
                writeln!(std::io::stderr(), "seatrial: this test binary could not be handed over: {error}");
            exit(101)
        }
    }
}

fn report(argv: Vec<Vec<u8>>) -> std::io::Result<i32> {
    let socket = std::env::var_os(SOCKET_VARIABLE)
        .ok_or_else(|| std::io::Error::other(format!("{SOCKET_VARIABLE} is not set")))?;
    let cwd = std::env::current_dir()?.into_os_string().into_vec();
    let env = std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&ShimCall { argv, cwd, env }.encode())?;
    loop {
        let mut head = [0u8; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body)?;
        match head[0] {
            STDOUT => std::io::stdout().write_all(&body)?,
            STDERR => std::io::stderr().write_all(&body)?,
            _ => {
                let code = body.try_into().map(i32::from_le_bytes);
                return code.map_err(|_| std::io::Error::other("the answer is no exit code"));
            }
        }
    }
}
