//! Folders of the repository, and commands run with their names in every error.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A result whose error is a sentence for a person.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().unwrap_or(&here).to_path_buf()
}

/// The folder that cargo builds into.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds the release binary and says where it is.
pub(crate) fn build_seatrial() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--quiet", "-p", "seatrial"]).current_dir(root()))?;
    Ok(target_dir().join("release/seatrial"))
}

/// Runs a command to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", words(command))) }
}

/// Runs a command to its end and takes what it wrote; a bad exit is an error with the end of its stderr.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = any_output(command)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("`{}` ended with {}\n{}", words(command), output.status, tail(&output.stderr)))
}

/// Runs a command to its end and takes what it wrote, whatever its exit.
pub(crate) fn any_output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))
}

/// The last lines of a program's talk.
pub(crate) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// The sentence for a command that could not be started.
pub(crate) fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}", words(command))
}

/// A command as one would type it.
pub(crate) fn words(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Writes a file, making its folder.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, bytes))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Takes away what cargo told us about our own package.
pub(crate) fn without_ours(command: &mut Command) -> &mut Command {
    let given = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))
    });
    for name in given {
        command.env_remove(name);
    }
    command.env_remove("LD_LIBRARY_PATH")
}

/// Lets a command begin as if typed in a shell elsewhere: nothing of our cargo, nor of our target directory.
pub(crate) fn native(command: &mut Command) -> &mut Command {
    without_ours(command).env_remove("CARGO").env_remove("CARGO_TARGET_DIR")
}
