//! `seatrial cargo`

use crate::commands::ours::{current_dir, separate};
use crate::commands::settings_file;
use crate::exit::{self, BUILD, Error, USAGE};
use crate::options::{Context, RunOptions, new_run};
use crate::places;
use crate::revision::Revision;
use crate::subscribers::{self, Expectation};
use clap::Parser;
use rustix::termios::tcgetwinsize;
use seatrial_engine::cargo::{Cargo, CargoRequest, make_folder};
use seatrial_engine::inbox;
use seatrial_frameworks::cargo::args::{TestCommand, libtest_args, split};
use seatrial_frameworks::cargo::config::{Config, load};
use seatrial_frameworks::cargo::runner::{
    Displace, Platform, build_targets, displace, find_runner, runner_variable,
};
use seatrial_frameworks::cargo::snapshot::snapshot_write_back;
use seatrial_frameworks::cargo::workspace::workspace_root;
use seatrial_model::{Bytes, Facts, RunId};
use seatrial_plan::{CargoPlan, CargoSettings, Execution};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `seatrial cargo`: cargo's and ours, mixed as they come.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `cargo test` takes, with Seatrial's options anywhere before `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// Our own options among cargo's.
#[derive(Debug, Parser)]
#[command(
    name = "seatrial cargo",
    about = "Run Rust tests: `cargo test`'s arguments, each test in its own container",
    override_usage = "seatrial cargo [OPTIONS] [CARGO TEST ARGUMENTS] [FILTER] [-- LIBTEST ARGUMENTS]",
    max_term_width = 110,
    after_help = "\
Everything else before `--` goes to cargo (`cargo test --help`), and cargo decides what runs. `-j N` is the number
of build jobs and of slots, `-- --test-threads N` of slots alone. After `--` libtest's options select tests as usual:
--ignored, --include-ignored, --exact, --skip; the rest goes to each test.

Examples:
  seatrial cargo                              all tests of the package or workspace
  seatrial cargo -p parser --lib lexer::      some of one package's
  seatrial cargo --retries 2 --timeout 30s -- --include-ignored"
)]
struct Own {
    /// Run each test in its own process, or a binary's tests together (they share statics)
    #[arg(long, value_name = "HOW")]
    execution: Option<ExecutionChoice>,
    #[command(flatten)]
    options: RunOptions,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ExecutionChoice {
    /// A process for each test.
    Test,
    /// A process for each binary.
    Binary,
}

/// Builds with cargo and runs what it would run.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    // `--no-fail-fast` is cargo's too, and means the same.
    let (own, cargos) = separate::<Own>(&args.args, &["--no-fail-fast"]);
    let command = split(&cargos).map_err(|error| Error::new(USAGE, error.to_string()))?;
    let harness = libtest_args(command.harness.iter().map(|arg| arg.0.as_slice()));
    if command.help || command.no_run || harness.list {
        return cargo_alone(&args.args);
    }
    let cwd = current_dir()?;
    let workspace = workspace(&cwd, &command);
    let settings_of_file = read_settings(&workspace, own.execution)?;
    let run = new_run();
    let (folder, shim) = make_folder(run)
        .map_err(|error| Error::new(exit::INCOMPLETE, format!("no folder for the shim: {error}")))?;
    run_in(&own, &command, (settings_of_file, &workspace, &cwd), run, (folder.path(), &shim))
}

fn run_in(
    own: &Own,
    command: &TestCommand,
    (cargo_settings, workspace, cwd): (CargoSettings, &Path, &Path),
    run: RunId,
    (folder, shim): (&Path, &Path),
) -> Result<u8, Error> {
    let harness = libtest_args(command.harness.iter().map(|arg| arg.0.as_slice()));
    let request = request(own, command, workspace, cwd, run, (folder, shim))?;
    let mut keep_visible = vec![cwd.to_path_buf(), folder.to_path_buf()];
    keep_visible.extend(target_dir(command, cwd));
    let (outbox, inbox) = inbox().map_err(|error| Error::new(exit::INCOMPLETE, error.to_string()))?;
    let revision = Revision::ask(workspace);
    let mut cargo = Cargo::start(&request, outbox.clone()).map_err(|error| {
        Error::new(USAGE, format!("`{}` could not be started: {error}", request.program.to_string_lossy()))
            .hint("install Rust (rustup), or set CARGO to cargo's path")
    })?;
    // From here on cargo builds; what follows happens meanwhile.
    let environment = places::environment();
    let write_back = snapshot_write_back(&environment.iter().map(|(k, v)| (&k.0, &v.0)).collect::<Vec<_>>());
    let mut settings = own.options.resolve(Context {
        project: workspace.to_path_buf(),
        keep_visible,
        passthrough: false,
        slots: harness.test_threads.or(build_jobs(&command.cargo)),
        write_back: write_back.into_iter().map(str::to_owned).collect(),
        gather: Vec::new(),
        add: Vec::new(),
        run,
    });
    let history = super::exec::open_history();
    let facts =
        history.as_ref().and_then(|history| history.facts(&settings.header.project).ok()).unwrap_or_default();
    let subscribers = subscribers::make(&own.options, history, &expected(&facts, command), false)?;
    let mut plan = CargoPlan::new(cargo_settings, own.options.limits());
    settings.header.revision = revision.and_then(Revision::answer);
    let watch = cargo.watch();
    let exit_code = move |counts: &seatrial_model::Counts, interrupted: bool| {
        if !interrupted && watch().built != Some(true) { BUILD } else { exit::code(counts, interrupted) }
    };
    let end = seatrial_engine::run(
        &mut settings,
        &facts,
        &mut plan,
        (outbox, inbox),
        &mut cargo,
        subscribers,
        &exit_code,
    )
    .map_err(|text| {
        Error::new(exit::INCOMPLETE, text).hint("`seatrial doctor` tells what this machine lacks")
    })?;
    subscribers::say_problems(&end.problems);
    Ok(end.exit_code)
}

/// What cargo does without us: help, building alone, listing.
fn cargo_alone(args: &[OsString]) -> Result<u8, Error> {
    let status = std::process::Command::new(program()).arg("test").args(args).status();
    match status {
        Ok(status) => Ok(if status.success() { exit::OK } else { BUILD }),
        Err(error) => Err(Error::new(USAGE, format!("`cargo` could not be started: {error}"))),
    }
}

/// How cargo is to be started so that it calls the shim.
fn request(
    own: &Own,
    command: &TestCommand,
    workspace: &Path,
    cwd: &Path,
    run: RunId,
    (folder, shim): (&Path, &Path),
) -> Result<CargoRequest, Error> {
    let environment = places::environment();
    let value = |name: &str| {
        environment.iter().find(|(key, _)| key.0 == name.as_bytes()).map(|(_, value)| value.clone())
    };
    let home = value("CARGO_HOME").map(|home| PathBuf::from(OsString::from_vec(home.0)));
    let home = home
        .or_else(|| value("HOME").map(|home| PathBuf::from(OsString::from_vec(home.0)).join(".cargo")))
        .unwrap_or_default();
    let wrong = |error: seatrial_frameworks::cargo::config::ConfigError| Error::new(USAGE, error.to_string());
    let configs =
        load(cwd, &home, &command.config, &mut |path| std::fs::read_to_string(path).ok()).map_err(wrong)?;
    let targets = build_targets(&command.targets, value("CARGO_BUILD_TARGET").as_ref(), &configs, HOSTS[0]);
    let mut vars = Vec::new();
    let mut args = command.argv();
    let mut runner = Vec::new();
    let mut triples: Vec<&str> = targets.iter().map(String::as_str).collect();
    // The host is one of these; asking rustc which would cost more than naming both.
    triples.extend(HOSTS.iter().filter(|host| !targets.iter().any(|target| target == *host)));
    for triple in triples {
        let name = runner_variable(triple);
        let platform = platform(triple, &configs);
        let found = find_runner(&configs, value(&name).as_ref(), &platform, cwd).map_err(wrong)?;
        match displace(found.as_ref(), triple, &shim.to_string_lossy()) {
            Displace::Variable(name, value) => vars.push((name, value)),
            Displace::Argument(argument) => {
                let after = args.iter().position(|arg| arg.0 == b"test").map_or(0, |at| at + 1);
                let end = args.iter().position(|arg| arg.0 == b"--").unwrap_or(args.len());
                args.insert(end.max(after), argument);
            }
        }
        if let Some(found) = found {
            runner = std::iter::once(found.program).chain(found.args).collect();
        }
    }
    vars.push(("TMPDIR".into(), folder.join("tmp").as_os_str().as_bytes().into()));
    vars.extend(appearance(own, &value));
    let restore = vars.iter().map(|(name, _)| (name.clone(), value(name))).collect();
    Ok(CargoRequest {
        program: program(),
        args,
        vars,
        restore,
        runner,
        folder: folder.to_path_buf(),
        workspace: workspace.to_path_buf(),
        run,
        platform: (targets.len() > 1).then(|| targets.join("+")),
    })
}

#[cfg(target_arch = "x86_64")]
const HOSTS: [&str; 2] = ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"];
#[cfg(target_arch = "aarch64")]
const HOSTS: [&str; 2] = ["aarch64-unknown-linux-gnu", "aarch64-unknown-linux-musl"];

/// The platform of a triple. Its `cfg`s cost a process, which only a runner under `cfg(...)` is worth.
fn platform(triple: &str, configs: &[Config]) -> Platform {
    let asks = configs.iter().any(|config| {
        let targets = config.table.get("target").and_then(|targets| targets.as_table());
        targets.is_some_and(|targets| {
            targets.iter().any(|(key, of)| key.starts_with("cfg(") && of.get("runner").is_some())
        })
    });
    let text = asks.then(|| {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        std::process::Command::new(rustc).args(["--print", "cfg", "--target", triple]).output().ok()
    });
    let text = text.flatten().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    Platform::new(triple, &text.unwrap_or_default())
}

/// cargo's stderr goes through us: it is told what it would have seen of the terminal.
fn appearance(own: &Own, value: &dyn Fn(&str) -> Option<Bytes>) -> Vec<(String, Bytes)> {
    let mut vars = Vec::new();
    if !own.options.is_live() {
        return vars;
    }
    if value("CARGO_TERM_COLOR").is_none() && places::wants_colour(true) {
        vars.push(("CARGO_TERM_COLOR".to_owned(), "always".into()));
    }
    if value("CARGO_TERM_PROGRESS_WHEN").is_none() {
        let width = tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col.max(20));
        vars.push(("CARGO_TERM_PROGRESS_WHEN".to_owned(), "always".into()));
        vars.push(("CARGO_TERM_PROGRESS_WIDTH".to_owned(), width.to_string().into()));
    }
    vars
}

fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The workspace's directory: the project's name in history. cargo has the last word on what is built.
fn workspace(cwd: &Path, command: &TestCommand) -> PathBuf {
    let start = match &command.manifest_path {
        Some(path) => {
            let path = cwd.join(PathBuf::from(OsString::from_vec(path.0.clone())));
            path.parent().map_or_else(|| cwd.to_path_buf(), Path::to_path_buf)
        }
        None => cwd.to_path_buf(),
    };
    let start = start.canonicalize().unwrap_or(start);
    let root = workspace_root(&start, &mut |path| std::fs::read_to_string(path).ok());
    let root = root.unwrap_or(start);
    root.canonicalize().unwrap_or(root)
}

/// `seatrial.toml` of the project, if there is one, with the command line's word over it.
fn read_settings(project: &Path, execution: Option<ExecutionChoice>) -> Result<CargoSettings, Error> {
    let mut settings = settings_file::read(project)?.unwrap_or_default().cargo;
    if let Some(execution) = execution {
        settings.overrides.clear();
        settings.execution = match execution {
            ExecutionChoice::Test => Execution::Test,
            ExecutionChoice::Binary => Execution::Binary,
        };
    }
    Ok(settings)
}

/// What history expects of a whole run; with a filter it expects nothing.
fn expected(facts: &Facts, command: &TestCommand) -> Expectation {
    let whole = command.filter.is_none() && command.harness.is_empty() && !facts.tests.is_empty();
    let total = whole.then(|| facts.tests.values().map(|test| test.duration).sum::<Duration>());
    Expectation { total }
}

/// The target directory, where somebody names one; made, so that a slot can show it although cargo has not begun.
fn target_dir(command: &TestCommand, cwd: &Path) -> Option<PathBuf> {
    let named = command.target_dir.as_ref().map(|dir| OsString::from_vec(dir.0.clone()));
    let dir = named.or_else(places::cargo_target_dir).map(|dir| cwd.join(dir))?;
    // One that cannot be made is cargo's to complain of.
    let _ = std::fs::create_dir_all(&dir);
    Some(dir)
}

/// The value of cargo's `-j`.
fn build_jobs(cargo: &[Bytes]) -> Option<u32> {
    let texts: Vec<String> = cargo.iter().map(|arg| arg.to_text().into_owned()).collect();
    texts.iter().enumerate().find_map(|(at, text)| {
        let value = match text.as_str() {
            "-j" | "--jobs" => texts.get(at + 1)?.as_str(),
            _ => text.strip_prefix("--jobs=").or_else(|| text.strip_prefix("-j"))?,
        };
        value.parse().ok().filter(|jobs| *jobs > 0)
    })
}
