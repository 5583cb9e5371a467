//! Slots as they are, with real jobs in them: what is kept, what is thrown away, what ends.
//!
//! Run by root, every test runs again as an ordinary user. A test asks for a [`room::Room`], a slot of its own.
#![expect(clippy::print_stdout, reason = "it is its own test harness")]
#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod ending;
mod keeping;
mod room;
mod skeleton;
mod warm;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// A test by its name.
type Test = (&'static str, fn());

/// The ordinary user that root's tests run as too: no account, and no right to anything.
const ORDINARY: u32 = 12_345;

fn main() -> ExitCode {
    // A slot's processes are this program, executed again.
    seatrial_sandbox::enter_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let filters: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| {
        filters.is_empty()
            || filters
                .iter()
                .any(|filter| if has("--exact") { name == *filter } else { name.contains(*filter) })
    };
    let tests: Vec<Test> = [keeping::TESTS, warm::TESTS, ending::TESTS, skeleton::TESTS].concat();
    let chosen: Vec<Test> = tests.into_iter().filter(|(name, _)| wanted(name) && !has("--ignored")).collect();
    if has("--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let user = rustix::process::getuid().as_raw();
    let mut failed = 0;
    for (name, test) in &chosen {
        let passed = std::panic::catch_unwind(test).is_ok();
        failed += usize::from(!passed);
        println!("test {name} (user {user}) ... {}", if passed { "ok" } else { "FAILED" });
    }
    let again = user != 0 || run_as_another(&args);
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {} passed; {failed} failed; 0 ignored", chosen.len() - failed);
    if failed == 0 && again { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same once more as an ordinary user, from a place where everybody may go. True when all passed.
fn run_as_another(args: &[String]) -> bool {
    let dir = tempfile::Builder::new().prefix("slots-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.path().join("slots");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut command = Command::new(copy);
    command.args(args).uid(ORDINARY).gid(ORDINARY).current_dir("/").env_remove("TMPDIR");
    command.status().unwrap().success()
}
