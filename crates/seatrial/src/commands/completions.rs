//! `seatrial completions`

use clap::CommandFactory;
use clap_complete::Shell;

/// Arguments of `seatrial completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script on stdout.
pub(crate) fn run(args: &Args) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "seatrial", &mut script);
    super::past::print(&String::from_utf8_lossy(&script));
    crate::exit::OK
}
