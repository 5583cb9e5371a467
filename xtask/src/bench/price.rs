//! What a container adds to one job: the sandbox's own example against the floor.

use super::cases::Tools;
use crate::process::{Result, cargo, output, root};

/// Builds the example and lets it print.
pub(crate) fn run(tools: &Tools) -> Result<String> {
    let scratch = tools.work.join("price");
    std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "-p", "seatrial-sandbox", "--example", "price", "--"]);
    let text = output(command.arg(&tools.floor).arg(&scratch).current_dir(root()))?;
    Ok(format!("one job in a slot\n{}", String::from_utf8_lossy(&text)))
}
