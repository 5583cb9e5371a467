//! Ports of the host's loopback that answer inside the slots.
//!
//! The zygote listens in the slot's network namespace and hands the listening socket out; a connection accepted from
//! it is joined here, in the host's network, with one to the same port.

use rustix::fd::OwnedFd;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};

/// Serves one forwarded port of one slot, until the slot is gone and with it the listening socket's last user.
pub(crate) fn serve(listener: OwnedFd, port: u16) -> io::Result<()> {
    let listener = TcpListener::from(listener);
    std::thread::Builder::new().name(format!("forward {port}")).spawn(move || {
        for inside in listener.incoming() {
            let Ok(inside) = inside else { return };
            // Refused on the host is closed at once in the slot: the nearest thing to a refusal after an accept.
            let Ok(outside) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let _ = join(inside, outside);
        }
    })?;
    Ok(())
}

fn join(inside: TcpStream, outside: TcpStream) -> io::Result<()> {
    let (inside_too, outside_too) = (inside.try_clone()?, outside.try_clone()?);
    copy(inside, outside_too)?;
    copy(outside, inside_too)
}

fn copy(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    std::thread::Builder::new().name("forward".into()).spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    })?;
    Ok(())
}
