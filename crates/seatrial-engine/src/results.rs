//! From a job's end to its verdicts and notes.

use crate::local::EndedParts;
use seatrial_frameworks::pytest::report::{self, Show};
use seatrial_frameworks::read;
use seatrial_model::{
    Captured, End, JobKind, JobSpec, Outcome, Output, Reading, SpawnStep, TestRef, Verdict,
};
use seatrial_sched::{Cause, Part};

/// What was read from a job.
pub(crate) struct Judged {
    /// What became of its tests.
    pub(crate) verdicts: Vec<Verdict>,
    /// What there is to show of the job.
    pub(crate) output: Output,
    /// What is known of each test by itself.
    pub(crate) parts: Vec<Part>,
}

/// What became of the job's tests, from all that it wrote.
pub(crate) fn judge(
    spec: &JobSpec,
    cause: Cause,
    parts: &EndedParts,
    (output, report): (Output, &Captured),
    program: Option<&[u8]>,
) -> Judged {
    let verdicts = verdicts(spec, cause, parts, &output, program);
    match &spec.reading {
        Reading::Pytest { tests } => of_pytest(spec, tests, parts, report, (verdicts, output)),
        Reading::ExitCode | Reading::LibtestOne { .. } | Reading::LibtestMany | Reading::LibtestList => {
            Judged { verdicts, output, parts: Vec::new() }
        }
    }
}

/// pytest's reports tell of each test, and the engine of the one with which the job was ended.
fn of_pytest(
    spec: &JobSpec,
    tests: &[TestRef],
    parts: &EndedParts,
    report: &Captured,
    (engines, mut output): (Vec<Verdict>, Output),
) -> Judged {
    let names = if tests.is_empty() { std::slice::from_ref(&spec.test) } else { tests };
    let results = report::read(report, names.len(), &parts.end);
    // Where a process came to an end of its own, an error of the engine's means no more than that we are to read.
    let ended = matches!(parts.end, End::Exit(_) | End::Signal(_));
    let overruled =
        engines.into_iter().next().filter(|verdict| !(ended && verdict.outcome == Outcome::Error));
    let (mut verdicts, mut told) = (Vec::new(), Vec::new());
    let mut found_running = false;
    for (test, result) in names.iter().zip(results) {
        let own = result.verdict(test.clone());
        // Of a lone test without its last report, the job's time says more.
        let wall = (names.len() > 1 || result.replay).then_some(result.duration);
        let mut part = Part { wall, ran: result.ran, before: result.before, ..Part::default() };
        let verdict = match &overruled {
            // Of several tests, those that had ended before stand; the next was running.
            Some(word) if names.len() == 1 || !(result.replay && result.ran) => {
                let running = !std::mem::replace(&mut found_running, true);
                part.ran |= running;
                part.wall = part.wall.filter(|_| names.len() > 1);
                let reason = if running { word.reason.clone() } else { own.reason };
                Verdict { test: test.clone(), outcome: word.outcome, reason }
            }
            Some(_) | None => own,
        };
        let shown: String =
            result.shown(&Show::default()).iter().map(|shown| shown.with_headline(WIDTH)).collect();
        part.text = (!shown.is_empty()).then(|| Captured::whole(shown.into_bytes()));
        told.push(part);
        verdicts.push(verdict);
    }
    // What a lone test's process wrote past pytest's capture is shown below its report.
    if let [part] = &mut told[..]
        && let Some(text) = part.text.take()
    {
        output.stdout.total += text.total;
        output.stdout.head.0.splice(0..0, text.head.0);
    }
    Judged { verdicts, output, parts: told }
}

/// Columns of what pytest would have printed.
const WIDTH: usize = 80;

/// What became of the job's tests. Why it was ended comes before what it said.
fn verdicts(
    spec: &JobSpec,
    cause: Cause,
    parts: &EndedParts,
    output: &Output,
    program: Option<&[u8]>,
) -> Vec<Verdict> {
    let one = |outcome, reason: Option<String>| vec![Verdict { test: spec.test.clone(), outcome, reason }];
    match cause {
        Cause::Timeout => {
            let limit = spec.limits.timeout.unwrap_or_default();
            return one(Outcome::Timeout, Some(format!("timed out after {:.1} s", limit.as_secs_f64())));
        }
        Cause::Cancelled => return one(Outcome::Cancelled, None),
        Cause::Natural | Cause::SlotLost => {}
    }
    match parts.end {
        End::SlotLost if parts.out_of_memory => {
            return one(Outcome::Oom, Some("killed for lack of memory, and its container with it".into()));
        }
        End::SlotLost => return one(Outcome::Lost, Some("its slot died".into())),
        End::NotStarted { step, errno } => {
            let what = match step {
                SpawnStep::Exec => format!("execute {}", String::from_utf8_lossy(program.unwrap_or(b"?"))),
                SpawnStep::Chdir => "enter its working directory".to_owned(),
                SpawnStep::Clone => "make a process".to_owned(),
                SpawnStep::Setup => "set up its streams".to_owned(),
            };
            let error = std::io::Error::from_raw_os_error(errno);
            return one(Outcome::Error, Some(format!("could not {what}: {error}")));
        }
        End::Exit(_) | End::Signal(_) => {}
    }
    let verdicts = read::read(&spec.reading, &spec.test, &parts.end, output);
    let bad = verdicts.iter().any(|verdict| verdict.outcome.is_bad());
    if parts.out_of_memory && bad && spec.kind == JobKind::Verdict && verdicts.len() == 1 {
        let limit = spec.limits.memory.map(|bytes| format!(" (limit {} MiB)", bytes >> 20));
        let reason = format!("killed for lack of memory{}", limit.unwrap_or_default());
        return one(Outcome::Oom, Some(reason));
    }
    verdicts
}

/// Things to tell the reader beside the outcome.
pub(crate) fn notes(parts: &EndedParts, bad: bool, output: &Output) -> Vec<String> {
    let mut notes = Vec::new();
    if !parts.survivors.is_empty() {
        notes.push(format!("left running and ended: {}", parts.survivors.join(", ")));
    }
    if bad {
        notes.extend(network_hint(output));
        notes.extend(space_hint(output));
        notes.extend(owner_hint(output));
    }
    notes
}

/// A bad test that was refused by an address: names the port, if it can be read, and the option that opens it.
fn network_hint(output: &Output) -> Option<String> {
    let texts = [&output.stderr.head, &output.stderr.tail, &output.stdout.head, &output.stdout.tail];
    for text in texts {
        let text = text.to_text();
        if text.contains("Network is unreachable") || text.contains("NetworkUnreachable") {
            return Some(
                "the network outside is not reachable in the container (`--network host` opens it)".into(),
            );
        }
        if !(text.contains("Connection refused") || text.contains("ConnectionRefused")) {
            continue;
        }
        let port = loopback_port(&text);
        return Some(match port {
            Some(port) if listens(port) => format!(
                "port {port} answers on this machine but not in the container (`--forward {port}` opens it)"
            ),
            Some(port) => format!("nothing listens on port {port} of this machine either"),
            None => "a service of this machine must be named (`--forward PORT`, or `--network host`)".into(),
        });
    }
    None
}

fn space_hint(output: &Output) -> Option<String> {
    let full = [&output.stderr.head, &output.stderr.tail, &output.stdout.head, &output.stdout.tail]
        .iter()
        .any(|text| text.to_text().contains("No space left on device"));
    full.then(|| "the private layer is full (`--scratch SIZE` gives it more)".into())
}

/// `EOVERFLOW`, where a file of an owner or group without an id in the container was to be written.
fn owner_hint(output: &Output) -> Option<String> {
    let told = [&output.stderr.head, &output.stdout.head]
        .iter()
        .any(|text| text.to_text().contains("Value too large for defined data type"));
    told.then(|| {
        "a directory of another user or group cannot be written in the container (`--isolation process` writes for real)"
            .into()
    })
}

/// The first port of a loopback address in a text: `127.0.0.1:5432`, `localhost:5432`, `[::1]:5432`.
fn loopback_port(text: &str) -> Option<u16> {
    ["127.0.0.1:", "localhost:", "[::1]:"].iter().find_map(|host| {
        text.match_indices(host).find_map(|(at, _)| {
            let digits: String = text[at + host.len()..].chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
    })
}

fn listens(port: u16) -> bool {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(100)).is_ok()
}
