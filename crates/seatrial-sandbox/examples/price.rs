//! What a container costs: one job at a time in a slot, against the same program by vfork and exec alone.
//!
//! `price FLOOR DIR [JOBS]` prints microseconds (least, median) from the start of a job to its end for /bin/true in a
//! reused slot, and for a shell that writes nothing, writes to /tmp, or writes below the root, so that this part has to
//! be made anew before the next job. FLOOR is the program of `benches/floor`, which does without a slot what writes
//! nothing; DIR a folder outside /tmp. The two take turns. A last column gives the time per job when the next is sent before the last
//! has ended, as the engine does.
//!
//! Then jobs of a warm launch, whose warmer (Python) forks nothing, so that what is left is the zygote's part and the
//! round trips: a job in which nothing happens, one with a test, and tests that wrote a file, over more and more kept layers.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use rustix::event::{PollFd, PollFlags, poll};
use seatrial_sandbox::{
    Command, Isolation, Launch, Network, RootPlan, RootRequest, Slot, SlotMessage, SlotSpec, enter_if_asked,
};
use std::path::Path;
use std::time::Instant;

const TURNS: u32 = 5;

/// The floor's job beside all that a shell does in a slot: writing a file natively may wait for a disk.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "echo > /dev/null"];

/// A warmer without forks: a job's payload is Python that keeps, and tests that only claim to have run.
const WARMER: &str = "
import os, socket, sys
channel = socket.socket(fileno=3)
channel.recv(1 << 20)
def say(word, answer):
    channel.sendall(word); assert channel.recv(100) == answer
def keep(): say(b'keep', b'kept')
def ended(): say(b'ended\\0' + b'4711' + b'\\0' + b'0\\0' * 3 + b'0', b'clean')
def test(path=None):
    channel.sendall(b'forked\\0' + b'4711')
    if path: write(path)
    ended()
def write(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
while True:
    packet = channel.recv(1 << 20)
    if not packet: break
    exec(packet.split(b'\\0', 2)[2], globals())
    channel.sendall(b'done\\0' + b'0')
";

fn main() {
    enter_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [floor, dir, more @ ..] = &args[..] else { panic!("usage: price FLOOR DIR [JOBS]") };
    let jobs: u32 = more.first().map_or(200, |text| text.parse().unwrap());
    let file = Path::new(dir).join("written");
    let to_root = format!("echo > {}", file.display());
    let kinds: [(&str, &[&str]); 4] = [
        ("/bin/true", &["/bin/true"]),
        ("sh, writes nothing", &SHELL),
        ("sh, writes to /tmp", &["/bin/sh", "-c", "echo > /tmp/seatrial-price"]),
        ("sh, writes to the root", &["/bin/sh", "-c", &to_root]),
    ];
    println!(
        "{:8} {:24} {:>17} {:>17} {:>12} {:>12}",
        "", "us per job", "floor min/median", "slot min/median", "above (med.)", "in a stream"
    );
    for isolation in [Isolation::Process, Isolation::Cow] {
        let Some(mut slot) = start(isolation, Path::new(dir)) else { continue };
        for (name, words) in kinds {
            let (mut theirs, mut ours) = (Vec::new(), Vec::new());
            for _ in 0..TURNS {
                theirs.push(of_floor(floor, jobs, if words[0] == SHELL[0] { &SHELL } else { words }));
                ours.extend(singly(&mut slot, jobs, words));
            }
            ours.sort_by(f64::total_cmp);
            theirs.sort_by(|a, b| a.1.total_cmp(&b.1));
            let least = theirs.iter().map(|(least, _)| *least).fold(f64::INFINITY, f64::min);
            let median = theirs[theirs.len() / 2].1;
            let our_median = ours[ours.len() / 2];
            println!(
                "{:8} {name:24} {least:8.1}/{median:8.1} {:8.1}/{our_median:8.1} {:+12.1} {:12.1}",
                isolation.to_string(),
                ours[0],
                our_median - median,
                stream(&mut slot, jobs, words),
            );
        }
    }
    for isolation in [Isolation::Process, Isolation::Cow] {
        if let Some(mut slot) = start(isolation, Path::new(dir)) {
            warm(&mut slot, isolation, dir, jobs);
        }
    }
    let _ = std::fs::remove_file("/tmp/seatrial-price");
    let _ = std::fs::remove_file(&file);
}

/// Prices of a warm launch's jobs.
fn warm(slot: &mut Slot, isolation: Isolation, dir: &str, jobs: u32) {
    let args: [&[u8]; 3] = [b"python3", b"-c", WARMER.as_bytes()];
    let launch = Launch { program: b"/usr/bin/python3", args: &args, vars: &[], cwd: b"/" };
    for number in [1, 2] {
        slot.launch_warm(number, &launch, b"first", false).unwrap();
    }
    let mut job = |number: u32, jobs: u32, name: &str, payload: &str| {
        let mut times: Vec<f64> = (0..jobs)
            .map(|tag| {
                let begun = Instant::now();
                let args: [&[u8]; 1] = [payload.as_bytes()];
                let command = Command { launch: number, args: &args, vars: &[], stdin: None };
                slot.send(u64::from(tag), &command).unwrap();
                ended(slot);
                begun.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        println!("{isolation:8} {name:24} {:26.1}/{median:8.1}", times[0]);
    };
    job(1, jobs, "warm, nothing", "pass");
    job(1, jobs, "warm, keep", "keep()");
    job(1, jobs, "warm, a test", "test()");
    if isolation == Isolation::Process {
        return;
    }
    // So few that the layers do not end the warmer. The first job starts it.
    let file = "os.urandom(8).hex()";
    job(2, 15, "warm, keep of /tmp", &format!("write('/tmp/' + {file}); keep()"));
    job(2, 15, "warm, keep of the root", &format!("write('{dir}/' + {file}); keep()"));
    for kept in [0, 1, 10, 25] {
        let more = format!(
            "for i in range({kept} - globals().get('kept', 0)):\n write('{dir}/%d-%d' % ({kept}, i))
 write('/tmp/%d-%d' % ({kept}, i)); keep()\nkept = {kept}"
        );
        let mut once = more.as_str();
        for (what, payload) in [
            ("/tmp", "test('/tmp/seatrial-price')".to_owned()),
            ("root", format!("test('{dir}/seatrial-price')")),
        ] {
            job(1, jobs, &format!("warm, {what} over {kept} kept"), &format!("{once}\n{payload}"));
            once = "";
        }
    }
}

fn start(isolation: Isolation, dir: &Path) -> Option<Slot> {
    let tmp = dir.join(format!("tmp-{isolation}"));
    std::fs::create_dir_all(&tmp).unwrap();
    let spec = SlotSpec {
        isolation,
        network: Network::Isolated,
        forward: Vec::new(),
        root: RootPlan::of_host(&RootRequest::default()).unwrap(),
        scratch: 0,
        layers: None,
        max_processes: 8192,
        tmp,
    };
    let begun = Instant::now();
    let (mut slot, _child) = Slot::start(&spec, None, |_| Ok(())).unwrap();
    let message = next(&mut slot);
    let SlotMessage::Ready { .. } = message else {
        println!("{isolation}: {message:?}");
        return None;
    };
    println!("{isolation:8} {:24} {:.1} us", "set-up of the slot", begun.elapsed().as_secs_f64() * 1e6);
    Some(slot)
}

/// Least and median microseconds of the floor program.
fn of_floor(floor: &str, jobs: u32, words: &[&str]) -> (f64, f64) {
    let mut command = std::process::Command::new(floor);
    let output = command.args(["1", "times", &jobs.to_string()]).args(words).env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let [_jobs, failed, _bytes, _total, least, median, _own] = figures[..] else {
        panic!("floor said `{text}`")
    };
    assert_eq!(failed, 0.0, "jobs of the floor failed");
    (least, median)
}

/// Microseconds of each job, the next sent when the last has ended.
fn singly(slot: &mut Slot, jobs: u32, words: &[&str]) -> Vec<f64> {
    (0..jobs)
        .map(|job| {
            let begun = Instant::now();
            send(slot, job, words);
            ended(slot);
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect()
}

/// Microseconds per job when the next is already there.
fn stream(slot: &mut Slot, jobs: u32, words: &[&str]) -> f64 {
    let begun = Instant::now();
    send(slot, 0, words);
    for job in 1..jobs {
        send(slot, job, words);
        ended(slot);
    }
    ended(slot);
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(jobs)
}

fn send(slot: &mut Slot, job: u32, words: &[&str]) {
    let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    // One launch for all jobs of one kind, as in a run.
    let launch = words.iter().map(|word| word.len() as u32).sum();
    if !slot.knows(launch) {
        slot.launch(launch, &Launch { program: args[0], args: &args, vars: &[], cwd: b"/" }).unwrap();
    }
    slot.send(u64::from(job), &Command { launch, args: &[], vars: &[], stdin: None }).unwrap();
}

fn ended(slot: &mut Slot) {
    let message = next(slot);
    let SlotMessage::Ended(end) = message else { panic!("{message:?}") };
    assert!(end.clean);
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
