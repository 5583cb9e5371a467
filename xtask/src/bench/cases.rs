//! Who competes in which case, and the goals.

use super::workload::{self, Workload};
use crate::process::{Result, any_output, native, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was built to measure with.
pub(crate) struct Tools {
    pub(crate) seatrial: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) work: PathBuf,
}

/// A workload and those who run it; Seatrial is the first.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) competitors: Vec<Competitor>,
}

/// Somebody who runs a workload, and how Seatrial is to compare.
pub(crate) struct Competitor {
    pub(crate) label: String,
    words: Vec<String>,
    vars: Vec<(String, String)>,
    pub(crate) stdin: Option<PathBuf>,
    folder: PathBuf,
    pub(crate) wall_goal: Option<f64>,
    pub(crate) cpu_goal: Option<f64>,
}

impl Competitor {
    pub(crate) fn new(label: &str, folder: &Path, words: &[&str]) -> Self {
        Self {
            label: label.to_owned(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            vars: Vec::new(),
            stdin: None,
            folder: folder.to_path_buf(),
            wall_goal: None,
            cpu_goal: None,
        }
    }

    fn goal(mut self, wall: Option<f64>, cpu: Option<f64>) -> Self {
        self.wall_goal = wall;
        self.cpu_goal = cpu;
        self
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, in an environment without what cargo gave to us.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        native(&mut command).args(&self.words[1..]).current_dir(&self.folder);
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The case of a name.
pub(crate) fn make(name: &str, tools: &Tools) -> Result<Case> {
    let work = &tools.work;
    match name {
        "trivial" => trivial(tools, &workload::trivial(work)?),
        "serde_json" => crate_case(tools, name, &["--tests"], (0.45, None)),
        "clap_builder" => crate_case(tools, name, &["--lib"], (0.45, None)),
        "regex-automata" => crate_case(tools, name, &["--lib"], (0.60, Some(0.62))),
        "slow" => {
            let workload = workload::slow(work)?;
            let competitors =
                vec![seatrial(tools, &workload, &[]), nextest(&workload, &[]).goal(Some(1.0), None)];
            Ok(Case { title: "40 tests that sleep 50 to 250 ms".to_owned(), competitors })
        }
        "one" => {
            let workload = workload::trivial(work)?;
            let competitors = vec![
                seatrial(tools, &workload, &["t00250"]),
                nextest(&workload, &["t00250"]).goal(Some(0.6), None),
            ];
            Ok(Case { title: "one test of 500 by name".to_owned(), competitors })
        }
        "exec" => {
            let program = tools.seatrial.display().to_string();
            let ours =
                Competitor::new("seatrial exec", work, &[&program, "exec", "-n", "5000", "--", "/bin/true"]);
            let xargs = "seq 5000 | xargs -P2 -n1 /bin/true";
            let competitors = vec![
                state(ours, tools),
                Competitor::new("xargs -P2 -n1", work, &["sh", "-c", xargs]).goal(Some(1.5), None),
            ];
            Ok(Case { title: "5,000 times /bin/true".to_owned(), competitors })
        }
        other => Err(format!("no case `{other}`")),
    }
}

fn trivial(tools: &Tools, workload: &Workload) -> Result<Case> {
    let competitors = vec![
        seatrial(tools, workload, &[]),
        nextest(workload, &[]).goal(Some(0.36), Some(0.38)),
        no_double_spawn(workload, &[]).goal(Some(0.75), Some(0.90)),
        floor(tools, workload)?.goal(Some(1.2), None),
    ];
    Ok(Case { title: "500 tests that do nothing".to_owned(), competitors })
}

fn crate_case(tools: &Tools, name: &str, targets: &[&str], goals: (f64, Option<f64>)) -> Result<Case> {
    let workload = workload::published(&tools.work, name, targets)?;
    let mut competitors = vec![
        seatrial(tools, &workload, targets),
        nextest(&workload, targets).goal(Some(goals.0), goals.1),
        no_double_spawn(&workload, targets),
    ];
    if workload.binaries.len() == 1 {
        competitors.push(floor(tools, &workload)?);
    }
    Ok(Case { title: format!("{name} {}", targets.join(" ")), competitors })
}

fn seatrial(tools: &Tools, workload: &Workload, args: &[&str]) -> Competitor {
    let program = tools.seatrial.display().to_string();
    let words: Vec<&str> = [program.as_str(), "cargo"].into_iter().chain(args.iter().copied()).collect();
    state(Competitor::new("seatrial cargo", &workload.folder, &words), tools)
}

/// History goes to a folder of the bench, not to the user's.
fn state(competitor: Competitor, tools: &Tools) -> Competitor {
    competitor.var("XDG_STATE_HOME", &tools.work.join("state").display().to_string())
}

fn nextest(workload: &Workload, args: &[&str]) -> Competitor {
    let words: Vec<&str> = ["cargo", "nextest", "run"].into_iter().chain(args.iter().copied()).collect();
    Competitor::new("cargo nextest run", &workload.folder, &words)
}

fn no_double_spawn(workload: &Workload, args: &[&str]) -> Competitor {
    let mut competitor = nextest(workload, args).var("NEXTEST_DOUBLE_SPAWN", "0");
    competitor.label = "nextest, no double spawn".to_owned();
    competitor
}

/// The floor over the tests that the first binary lists and would run.
fn floor(tools: &Tools, workload: &Workload) -> Result<Competitor> {
    let binary = workload.binaries.first().ok_or("cargo built no test binary")?;
    let names = names_of(binary)?;
    let list = workload.folder.join("names.txt");
    write(&list, names.join("\n"))?;
    let (program, binary) = (tools.floor.display().to_string(), binary.display().to_string());
    let slots = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
    let mut competitor =
        Competitor::new("floor (vfork, exec)", &workload.folder, &[&program, &slots, "tests", &binary]);
    competitor.stdin = Some(list);
    Ok(competitor)
}

/// The tests that a binary lists and would run.
pub(crate) fn names_of(binary: &Path) -> Result<Vec<String>> {
    let listed = |more: &[&str]| -> Result<Vec<String>> {
        let output = any_output(Command::new(binary).args(["--list", "--format", "terse"]).args(more))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    };
    let ignored = listed(&["--ignored"])?;
    Ok(listed(&[])?.into_iter().filter(|name| !ignored.contains(name)).collect())
}
