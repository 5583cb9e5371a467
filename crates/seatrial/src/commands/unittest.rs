//! `seatrial unittest`

use crate::commands::ours::separate;
use crate::commands::python::{Suite, Wishes};
use crate::exit::Error;
use crate::options::RunOptions;
use clap::Parser;
use seatrial_frameworks::pytest::helper::Rule;
use seatrial_model::Bytes;
use seatrial_plan::Granularity;
use std::ffi::OsString;

/// Arguments of `seatrial unittest`: unittest's and ours, mixed as they come.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `python -m unittest` takes, with Seatrial's options anywhere before `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// Our own options among unittest's.
#[derive(Debug, Parser)]
#[command(
    name = "seatrial unittest",
    about = "Run unittest tests: the arguments of `python -m unittest`, each test in a process forked from a warm interpreter",
    override_usage = "seatrial unittest [OPTIONS] [UNITTEST ARGUMENTS]",
    max_term_width = 110,
    after_help = "\
Everything else is read as `python -m unittest` reads it (`python -m unittest --help`): `discover` with -s, -p and -t,
names of modules, classes and tests, paths of files, -k, -f, -b, --locals, --durations. Without any, tests are discovered.
-v shows passing tests too.

Examples:
  seatrial unittest                                   what `python -m unittest` would run here
  seatrial unittest discover -s tests -p 'check_*.py'
  seatrial unittest tests.test_parser.Comments -k nested -f
  seatrial unittest tests/test_parser.py -j 4 --retries 2 --timeout 30s"
)]
struct Own {
    /// The Python to use: a path, an environment's directory, or a name in PATH
    #[arg(long, value_name = "PYTHON")]
    python: Option<OsString>,
    /// Jobs at once, as `--slots`
    #[arg(short = 'j', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: Option<u32>,
    /// A test that passes only after those before it in its module is a failure, not an order-dependent pass
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    options: RunOptions,
}

/// Loads tests as unittest does and runs them.
pub(crate) fn run(args: &Args) -> Result<u8, Error> {
    let (mut own, theirs) = separate::<Own>(&args.args, &[]);
    own.options.show_passes |= theirs.iter().any(is_verbose);
    let wishes = Wishes {
        slots: own.jobs,
        granularity: Granularity::Test,
        strict: own.strict,
        explain: false,
        write_back: Vec::new(),
        gather: Vec::new(),
        reports: None,
        record_files: false,
    };
    Suite::find(own.python.as_deref(), Rule::Unittest)?.run(&own.options, &theirs, wishes)
}

/// `-v`, alone or among other letters without values, or `--verbose`.
fn is_verbose(arg: &Bytes) -> bool {
    let is_cluster = |letters: &[u8]| letters.contains(&b'v') && letters.iter().all(|c| b"vqfcb".contains(c));
    arg.0 == b"--verbose" || arg.0.strip_prefix(b"-").is_some_and(is_cluster)
}
