//! The user's own target runner (an emulator, `sudo`, a probe), which the shim displaces and Seatrial then chains;
//! and the target platforms of a build, each of which has one.

use super::config::{Config, ConfigError, Origin};
use cargo_platform::{Cfg, Platform as Expression};
use seatrial_model::Bytes;
use std::path::Path;
use std::str::FromStr;

/// A runner: cargo puts the test binary and its arguments after its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// The program: a path, or a name to look up in `PATH`.
    pub program: Bytes,
    /// Its arguments.
    pub args: Vec<Bytes>,
    /// Where it is set.
    pub origin: Origin,
    /// True when it is set as a list: cargo merges no string into a list, nor the other way.
    pub is_list: bool,
}

/// A platform to build for.
#[derive(Clone, Debug)]
pub struct Platform {
    triple: String,
    cfgs: Vec<Cfg>,
}

impl Platform {
    /// The platform of this triple; `cfg_text` is what `rustc --print cfg --target TRIPLE` prints.
    #[must_use]
    pub fn new(triple: &str, cfg_text: &str) -> Self {
        let cfgs = cfg_text.lines().filter_map(|line| Cfg::from_str(line).ok()).collect();
        Self { triple: triple.to_owned(), cfgs }
    }

    /// The triple.
    #[must_use]
    pub fn triple(&self) -> &str {
        &self.triple
    }
}

/// The host's triple in the text of `rustc -vV`.
#[must_use]
pub fn host_triple(rustc_vv: &str) -> Option<&str> {
    rustc_vv.lines().find_map(|line| line.strip_prefix("host: "))
}

/// The variable that sets the runner of a triple, such as `CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER`.
#[must_use]
pub fn runner_variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"))
}

/// The triples that cargo builds tests for: `--target` (`arguments`), else `build.target` on the command line, else
/// `CARGO_BUILD_TARGET`, else `build.target` in the files, else the host's.
///
/// With a target of its own a run still tests proc-macros on the host, so the host's runner matters beside these.
#[must_use]
pub fn build_targets(
    arguments: &[Bytes],
    environment: Option<&Bytes>,
    configs: &[Config],
    host: &str,
) -> Vec<String> {
    let configured = |on_command_line: bool| {
        let mut configs = configs.iter().filter(|config| config.origin.is_argument() == on_command_line);
        configs.find_map(|config| match config.table.get("build")?.get("target")? {
            toml::Value::String(triple) => Some(vec![triple.clone()]),
            toml::Value::Array(list) => {
                Some(list.iter().filter_map(|t| Some(t.as_str()?.to_owned())).collect())
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Table(_) => None,
        })
    };
    let given: Vec<String> = arguments.iter().map(|triple| triple.to_text().into_owned()).collect();
    let named = Some(given)
        .filter(|given| !given.is_empty())
        .or_else(|| configured(true))
        .or_else(|| environment.map(|triple| vec![triple.to_text().into_owned()]))
        .or_else(|| configured(false))
        .unwrap_or_else(|| vec![host.to_owned()]);
    let mut triples: Vec<String> = Vec::new();
    for name in named {
        let triple = triple_of(&name, host);
        if !triples.contains(&triple) {
            triples.push(triple);
        }
    }
    triples
}

/// A target specification file goes by its name without `.json`, `host-tuple` is the host.
fn triple_of(name: &str, host: &str) -> String {
    if name == "host-tuple" {
        return host.to_owned();
    }
    match name.strip_suffix(".json") {
        Some(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
        None => name.to_owned(),
    }
}

/// The user's runner for a platform, by cargo's rules: `target.TRIPLE.runner` from the command line, the environment
/// (`environment` is the value of [`runner_variable`]), then the files; only then `target.'cfg(...)'.runner`.
///
/// # Errors
/// What cargo refuses: an empty runner, one of a wrong type, two `cfg(...)` that both match.
pub fn find_runner(
    configs: &[Config],
    environment: Option<&Bytes>,
    platform: &Platform,
    cwd: &Path,
) -> Result<Option<Runner>, ConfigError> {
    let of_triple = |on_command_line: bool| {
        configs
            .iter()
            .filter(|config| config.origin.is_argument() == on_command_line)
            .find_map(|config| Some((&config.origin, runner_in(config, &platform.triple)?)))
    };
    if let Some((origin, value)) = of_triple(true) {
        return from_value(value, origin, cwd).map(Some);
    }
    if let Some(words) = environment {
        return from_words(&words.to_text(), &Origin::Environment, cwd).map(Some);
    }
    if let Some((origin, value)) = of_triple(false) {
        return from_value(value, origin, cwd).map(Some);
    }
    match of_cfg(configs, platform)? {
        Some((origin, value)) => from_value(value, origin, cwd).map(Some),
        None => Ok(None),
    }
}

/// How to make cargo call the shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Displace {
    /// This variable, which is stronger than every file. Its value is split at blanks, so no path of the shim may
    /// hold one.
    Variable(String, Bytes),
    /// This argument after the user's `--config`, which is stronger than the environment.
    Argument(Bytes),
}

/// How to put the shim in the place of the runner that [`find_runner`] found.
#[must_use]
pub fn displace(found: Option<&Runner>, triple: &str, shim: &str) -> Displace {
    match found {
        Some(runner) if runner.origin.is_argument() => {
            // What JSON escapes in a string, TOML escapes in the same way.
            let shim = serde_json::Value::from(shim);
            let value = if runner.is_list { format!("[{shim}]") } else { shim.to_string() };
            Displace::Argument(format!("--config=target.{}.runner={value}", quoted(triple)).into())
        }
        Some(_) | None => Displace::Variable(runner_variable(triple), shim.into()),
    }
}

/// A triple as a TOML key: most are bare ones, but `thumbv8m.main-none-eabi` has a dot.
fn quoted(triple: &str) -> String {
    if triple.contains('.') { format!("'{triple}'") } else { triple.to_owned() }
}

fn runner_in<'a>(config: &'a Config, key: &str) -> Option<&'a toml::Value> {
    config.table.get("target")?.get(key)?.get("runner")
}

/// The runner of the one `cfg(...)` that matches. The same expression may stand in several files: the strongest counts.
fn of_cfg<'a>(
    configs: &'a [Config],
    platform: &Platform,
) -> Result<Option<(&'a Origin, &'a toml::Value)>, ConfigError> {
    let mut found: Option<(&str, &Origin, &toml::Value)> = None;
    for config in configs {
        let Some(targets) = config.table.get("target").and_then(toml::Value::as_table) else { continue };
        for (key, settings) in targets {
            let Some(runner) = settings.get("runner").filter(|_| matches(key, platform)) else { continue };
            match found {
                Some((other, ..)) if other != key => {
                    let reason = format!("two runners match: those of `{other}` and of `{key}`");
                    return Err(ConfigError { origin: config.origin.clone(), reason });
                }
                Some(_) => {}
                None => found = Some((key, &config.origin, runner)),
            }
        }
    }
    Ok(found.map(|(_, origin, runner)| (origin, runner)))
}

fn matches(key: &str, platform: &Platform) -> bool {
    key.starts_with("cfg(")
        && Expression::from_str(key).is_ok_and(|cfg| cfg.matches(&platform.triple, &platform.cfgs))
}

fn from_value(value: &toml::Value, origin: &Origin, cwd: &Path) -> Result<Runner, ConfigError> {
    let error = |reason: &str| ConfigError { origin: origin.clone(), reason: reason.to_owned() };
    match value {
        toml::Value::String(words) => from_words(words, origin, cwd),
        toml::Value::Array(list) => {
            let words: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
            runner(&words.ok_or_else(|| error("a runner's arguments are strings"))?, origin, cwd, true)
        }
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => Err(error("a runner is a string or a list of strings")),
    }
}

fn from_words(words: &str, origin: &Origin, cwd: &Path) -> Result<Runner, ConfigError> {
    runner(&words.split_whitespace().collect::<Vec<_>>(), origin, cwd, false)
}

fn runner(words: &[&str], origin: &Origin, cwd: &Path, is_list: bool) -> Result<Runner, ConfigError> {
    let Some((program, args)) = words.split_first() else {
        return Err(ConfigError { origin: origin.clone(), reason: "the runner is empty".to_owned() });
    };
    let program = if program.contains('/') {
        origin.directory(cwd).join(program).as_os_str().as_encoded_bytes().into()
    } else {
        Bytes::from(*program)
    };
    Ok(Runner {
        program,
        args: args.iter().map(|arg| Bytes::from(*arg)).collect(),
        origin: origin.clone(),
        is_list,
    })
}
