//! Who is told what happens in a run, made from the options.

use crate::exit::Error;
use crate::options::{Format, RunOptions};
use crate::places;
use rustix::termios::tcgetwinsize;
use seatrial_engine::Subscriber;
use seatrial_history::{History, Recorder};
use seatrial_model::{Event, Instant, NoticeLevel};
use seatrial_report::junit::{Junit, Outputs};
use seatrial_report::live::Frame;
use seatrial_report::plain::Plain;
use seatrial_report::terminal::Terminal;
use seatrial_report::view::RunView;
use seatrial_report::{github, json};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// What the terminal is told beforehand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expectation {
    /// Sum of the expected durations of all tests, if history knows it.
    pub(crate) total: Option<Duration>,
}

/// All subscribers that the options ask for.
pub(crate) fn make(
    options: &RunOptions,
    history: Option<History>,
    expectation: &Expectation,
    silent: bool,
) -> Result<Vec<Box<dyn Subscriber>>, Error> {
    let mut all: Vec<Box<dyn Subscriber>> = Vec::new();
    if options.format == Some(Format::Json) {
        all.push(Box::new(Json { gone: false }));
    } else if silent {
        all.push(Box::new(Notices));
    } else {
        let mut view = RunView::new();
        if let Some(total) = expectation.total {
            view.set_expected(total);
        }
        view.set_attempts(options.retries + 1);
        let colours = places::wants_colour(std::io::stderr().is_terminal());
        if options.is_live() {
            let frame = Frame::new();
            all.push(Box::new(Live { view, terminal: Terminal::new(colours), frame, last: Instant(0) }));
        } else {
            let plain = Plain::new(colours, options.show_passes);
            all.push(Box::new(Lines { view, plain, last: Instant(0) }));
        }
    }
    if places::is_github() {
        all.push(Box::new(Github));
    }
    if let Some(file) = options.junit_file()? {
        all.push(Box::new(JunitFile { junit: Some(Junit::new(Outputs::OfFailures)), file }));
    }
    if let Some(history) = history {
        all.push(Box::new(Recording {
            history: Some(history),
            labels: options.label.clone(),
            recorder: None,
            problem: None,
            flushed: Instant(0),
        }));
    }
    Ok(all)
}

/// Writes to the user's eyes; a stream that is closed or broken ends the talk, not the run.
fn talk(text: &str) {
    if !text.is_empty() {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }
}

/// A terminal with a live region.
struct Live {
    view: RunView,
    terminal: Terminal,
    frame: Frame,
    last: Instant,
}

impl Live {
    fn draw(&mut self, now: Instant, scroll: &str) {
        let size = tcgetwinsize(std::io::stderr()).ok();
        let width = size.map_or(80, |size| usize::from(size.ws_col).max(20));
        let height = size.map_or(24, |size| usize::from(size.ws_row).max(4));
        let region = self.terminal.status(&self.view, now, width, height);
        talk(&self.frame.draw(scroll, &region, width));
    }
}

impl Subscriber for Live {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        let mut scroll = String::new();
        for (now, event) in batch {
            self.view.event(*now, event);
            scroll.push_str(&self.terminal.event(&self.view, *now, event));
            self.last = *now;
        }
        if !scroll.is_empty() {
            self.draw(self.last, &scroll);
        }
    }

    fn tick(&mut self, now: Instant) {
        // Ten pictures a second are enough for eyes, and cheap.
        if now.since(self.last) >= Duration::from_millis(100) || now < self.last {
            self.last = now;
            self.draw(now, "");
        }
    }

    fn finish(&mut self) -> Option<String> {
        let end = self.frame.clear();
        talk(&end);
        talk(&self.terminal.summary(&self.view, self.last));
        None
    }
}

/// A file, a pipe or a CI log.
struct Lines {
    view: RunView,
    plain: Plain,
    last: Instant,
}

impl Subscriber for Lines {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        for (now, event) in batch {
            self.view.event(*now, event);
            talk(&self.plain.event(&self.view, *now, event));
            self.last = *now;
        }
    }

    fn tick(&mut self, now: Instant) {
        self.last = self.last.max(now);
        if let Some(line) = self.plain.tick(&self.view, now) {
            talk(&line);
        }
    }

    fn finish(&mut self) -> Option<String> {
        talk(&self.plain.summary(&self.view, self.last));
        None
    }
}

/// Event lines on stdout.
struct Json {
    /// The reader has closed its end.
    gone: bool,
}

impl Subscriber for Json {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        let mut lines = String::new();
        for (now, event) in batch {
            lines.push_str(&json::line(*now, event));
            lines.push('\n');
        }
        let mut stdout = std::io::stdout().lock();
        if !self.gone && stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            // Nobody reads any more (`| head`): the run ends as any program at the head of a closed pipe does.
            self.gone = true;
            seatrial_engine::end_run();
        }
    }

    fn tick(&mut self, _now: Instant) {}
}

/// What the user must know of a run whose streams are the job's own.
struct Notices;

impl Subscriber for Notices {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        for (_, event) in batch {
            if let Event::Notice { level, text, hint } = event
                && *level != NoticeLevel::Info
            {
                warn(text, hint.as_deref());
            }
        }
    }

    fn tick(&mut self, _now: Instant) {}
}

/// GitHub's annotations, on stderr, which its runner reads too: stdout may be event lines.
struct Github;

impl Subscriber for Github {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        for line in batch.iter().filter_map(|(_, event)| github::annotation(event)) {
            talk(&format!("{line}\n"));
        }
    }

    fn tick(&mut self, _now: Instant) {}
}

/// `--junit`.
struct JunitFile {
    junit: Option<Junit>,
    file: PathBuf,
}

impl Subscriber for JunitFile {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        if let Some(junit) = &mut self.junit {
            for (now, event) in batch {
                junit.event(*now, event);
            }
        }
    }

    fn tick(&mut self, _now: Instant) {}

    fn finish(&mut self) -> Option<String> {
        let text = self.junit.take()?.finish().map_err(|error| error.to_string());
        let result = text.and_then(|text| {
            std::fs::write(&self.file, text).map_err(|error| format!("{}: {error}", self.file.display()))
        });
        result.err().map(|error| format!("the JUnit report could not be written: {error}"))
    }
}

/// History. One that cannot be written is said once; the run goes on.
struct Recording {
    /// Until the run has begun.
    history: Option<History>,
    labels: Vec<(String, String)>,
    recorder: Option<Recorder>,
    problem: Option<String>,
    flushed: Instant,
}

/// How long results may wait in an open transaction.
const FLUSH: Duration = Duration::from_millis(200);

impl Recording {
    fn note(&mut self, result: Result<(), seatrial_history::Error>) {
        if let Err(error) = result {
            self.recorder = None;
            self.problem = Some(format!("this run's history is incomplete: {error}"));
            talk(&format!("warning: this run is not recorded any further: {error}\n"));
        }
    }
}

impl Subscriber for Recording {
    fn events(&mut self, batch: &[(Instant, Event)]) {
        for (now, event) in batch {
            if let (Event::RunStarted(header), Some(mut history)) = (event, self.history.take()) {
                match history.begin(header, &places::user(), &self.labels) {
                    Ok(recorder) => self.recorder = Some(recorder),
                    Err(error) => self.note(Err(error)),
                }
            }
            let Some(recorder) = &mut self.recorder else { return };
            let result = recorder.record(*now, event);
            self.note(result);
        }
    }

    fn tick(&mut self, now: Instant) {
        if now.since(self.flushed) >= FLUSH {
            self.flushed = now;
            if let Some(recorder) = &mut self.recorder {
                let result = recorder.flush();
                self.note(result);
            }
        }
    }

    fn finish(&mut self) -> Option<String> {
        if let Some(recorder) = &mut self.recorder {
            let result = recorder.flush();
            self.note(result);
        }
        self.problem.take()
    }
}

/// Tells the user what the run could not do beside the tests.
pub(crate) fn say_problems(problems: &[String]) {
    for problem in problems {
        warn(problem, None);
    }
}

/// A warning, with what to do next.
pub(crate) fn warn(text: &str, hint: Option<&str>) {
    talk(&format!("warning: {text}\n"));
    if let Some(hint) = hint {
        talk(&format!("  hint: {hint}\n"));
    }
}
