//! The network of a job: its own loopback, and what is opened by name.

use super::{world, worlds};
use seatrial_testkit::World;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Connects with bash's own means, and prints what went wrong or the first line that comes.
fn connect(to: &str) -> String {
    format!("exec 3<>/dev/tcp/{to} && echo hello >&3 && head -1 <&3")
}

fn bash(world: &World, options: &[&str], script: &str) -> seatrial_testkit::Ran {
    world.seatrial(["exec"]).args(options).args(["--", "bash", "-c", script]).run()
}

/// Answers one connection with its own first line in capitals.
fn echo_once() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut line = [0; 6];
            if stream.read_exact(&mut line).is_ok() {
                let _ = stream.write_all(&line.to_ascii_uppercase());
            }
        }
    });
    port
}

#[test]
fn loopback_is_up_and_a_jobs_own() {
    for world in worlds() {
        let script = "import socket
s = socket.create_server(('127.0.0.1', 45678)); c = socket.create_connection(('localhost', 45678)); a, _ = s.accept()
c.send(b'x'); print(a.recv(1).decode())
six = socket.create_server(('::1', 45678), family=socket.AF_INET6); print('six')";
        let call = world.seatrial(["exec", "--", "/usr/bin/python3", "-c", script]);
        call.run().exits(0).says("x\nsix");
        // Equal ports in all slots at once.
        let script = "import socket; s = socket.create_server(('127.0.0.1', 45678)); c = socket.create_connection(('127.0.0.1', 45678))";
        let call = world.seatrial(["exec", "-n", "12", "-j", "4", "--", "/usr/bin/python3", "-c", script]);
        call.run().exits(0).ends("12 passed, 0 failed, 0 skipped");
    }
}

#[test]
fn the_outside_is_refused_at_once() {
    for world in worlds() {
        let script = "import socket, errno
for family, host in ((socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '2001:db8::1')):
    try: socket.socket(family).connect((host, 80))
    except OSError as error: print(errno.errorcode[error.errno])";
        let ran = world.seatrial(["exec", "--", "/usr/bin/python3", "-c", script]).run().exits(0);
        ran.says("ENETUNREACH\nENETUNREACH");
    }
}

#[test]
fn the_hosts_ports_are_closed_unless_named() {
    for world in worlds() {
        let port = echo_once();
        let script = connect(&format!("127.0.0.1/{port}"));
        let refused = bash(&world, &[], &script);
        assert_ne!(refused.code(), 0, "{refused:?}");
        refused.tells("Connection refused");
        let forward = bash(&world, &["--forward", &port.to_string()], &script);
        forward.exits(0).says("HELLO");
        let host = bash(&world, &["--network", "host"], &script);
        host.exits(0).says("HELLO");
    }
}

#[test]
fn forwarded_ports_answer_in_every_slot_again_and_again() {
    let world = world();
    let port = echo_once().to_string();
    let script = format!("test \"$({})\" = HELLO", connect(&format!("127.0.0.1/{port}")));
    let call =
        world.seatrial(["exec", "-n", "12", "-j", "3", "--forward", &port, "--", "bash", "-c", &script]);
    call.run().exits(0).ends("12 passed, 0 failed, 0 skipped");
}

#[test]
fn a_refused_port_gets_a_hint_that_names_it() {
    let world = world();
    let port = echo_once();
    let script = format!("import socket; socket.create_connection(('127.0.0.1', {port}))");
    let hint = |script: &str| {
        let text = format!(
            "import sys\ntry:\n    {script}\nexcept OSError as e: sys.exit(f'127.0.0.1:{port} {{e}}')"
        );
        world.seatrial(["exec", "-n", "1", "--", "/usr/bin/python3", "-c", &text]).run().exits(1)
    };
    hint(&script).tells(&format!("--forward {port}")).tells("answers on this machine");
    let outside = "import socket; socket.create_connection(('192.0.2.1', 80))";
    hint(outside).tells("--network host");
}

#[test]
fn a_port_nobody_listens_on_is_said_too() {
    let world = world();
    // Bound, so that nobody else takes it, and not listening.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let script = format!("echo 'dial 127.0.0.1:{port}: Connection refused' >&2; exit 1");
    let ran = world.seatrial(["exec", "-n", "1", "--", "sh", "-c", &script]).run().exits(1);
    ran.tells(&format!("nothing listens on port {port}"));
}

#[test]
fn network_host_keeps_everything_else_private() {
    for world in worlds() {
        let ran = world
            .sh_with(&["--network", "host"], "readlink /proc/self/ns/net; echo new > ./file; cat file")
            .exits(0);
        let native = std::fs::read_link("/proc/self/ns/net").unwrap();
        ran.says(&format!("{}\nnew", native.display()));
        assert!(!world.project.join("file").exists());
    }
}
