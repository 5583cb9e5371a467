//! What a container costs: jobs of one program in a slot, against the same program started by vfork and exec alone.
//!
//! `price [JOBS] [PROGRAM [ARG]...]` prints microseconds per job for: the plain start, a reused slot, a slot whose
//! /tmp each job writes, and one whose root each job writes.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use rustix::event::{PollFd, PollFlags, poll};
use seatrial_sandbox::{
    Command, Isolation, Network, RootPlan, RootRequest, Slot, SlotMessage, SlotSpec, enter_if_asked,
};
use std::time::Instant;

fn main() {
    enter_if_asked();
    let mut args = std::env::args().skip(1);
    let jobs: u32 = args.next().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let program: Vec<String> = args.collect();
    let program = if program.is_empty() { vec!["/bin/true".to_owned()] } else { program };

    let begun = Instant::now();
    for _ in 0..jobs {
        std::process::Command::new(&program[0]).args(&program[1..]).env_clear().status().unwrap();
    }
    println!("plain start (posix_spawn)   {:8.1} us", per_job(begun, jobs));

    for isolation in [Isolation::Process, Isolation::Cow] {
        let tmp = std::env::temp_dir().join(format!("seatrial-price-{}", std::process::id()));
        let spec = SlotSpec {
            isolation,
            network: Network::Isolated,
            forward: Vec::new(),
            root: RootPlan::of_host(&RootRequest::default()).unwrap(),
            scratch: 0,
            layers: None,
            max_processes: 8192,
            tmp: tmp.clone(),
        };
        std::fs::create_dir_all(&tmp).unwrap();
        let begun = Instant::now();
        let (mut slot, _child) = Slot::start(&spec, None, |_| Ok(())).unwrap();
        match next(&mut slot) {
            SlotMessage::Ready { read_only, .. } => {
                println!("{isolation}: set-up {:18.1} us {read_only:?}", per_job(begun, 1));
            }
            other => {
                println!("{isolation}: {other:?}");
                continue;
            }
        }
        let words: Vec<&str> = program.iter().map(String::as_str).collect();
        println!("{isolation}: reused slot       {:8.1} us", round(&mut slot, jobs, &words));
        let few = jobs.min(500);
        for (name, script) in [("job alone", "true"), ("dirty /tmp", "echo > /tmp/x"), ("dirty root", "echo > ~/x")] {
            let home = std::env::var("HOME").unwrap();
            let script = script.replace('~', &home);
            let took = round(&mut slot, few, &["/bin/sh", "-c", &script]);
            println!("{isolation}: sh, {name:12}  {took:8.1} us");
        }
        std::fs::remove_dir_all(&tmp).unwrap();
    }
}

fn round(slot: &mut Slot, jobs: u32, words: &[&str]) -> f64 {
    let begun = Instant::now();
    let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let command = Command { program: args[0], args: &args, vars: &[], cwd: b"/", stdin: None };
    let mut sent = 0;
    let mut ended = 0;
    while ended < jobs {
        while sent < jobs && sent < ended + 2 {
            slot.send(u64::from(sent), &command).unwrap();
            sent += 1;
        }
        match next(slot) {
            SlotMessage::Ended(end) => {
                assert!(end.clean);
                ended += 1;
            }
            other => {
                println!("{other:?}");
                return 0.0;
            }
        }
    }
    per_job(begun, jobs)
}

fn next(slot: &mut Slot) -> SlotMessage {
    loop {
        if let Some(message) = slot.receive() {
            return message;
        }
        let socket = slot.socket();
        poll(&mut [PollFd::new(&socket, PollFlags::IN)], None).unwrap();
    }
}

fn per_job(begun: Instant, jobs: u32) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(jobs)
}
