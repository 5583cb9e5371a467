//! Runners and targets. The expectations are what cargo 1.95 did with the same files.

use super::{bytes, text};
use crate::cargo::config::{Origin, config_paths, load};
use crate::cargo::runner::{
    Displace, Platform, Runner, build_targets, displace, find_runner, host_triple, runner_variable,
};
use crate::libtest::golden::golden;
use seatrial_model::Bytes;
use std::path::Path;

const LINUX: &str = "x86_64-unknown-linux-gnu";

fn platform() -> Platform {
    Platform::new(LINUX, std::str::from_utf8(golden!("cargo/rustc-cfg.txt")).unwrap())
}

/// The runner in `/p/sub` with these files, these values of `--config` and this value of the variable.
fn find(
    files: &[(&str, &str)],
    arguments: &[&str],
    variable: Option<&str>,
) -> Result<Option<Runner>, String> {
    let mut read = |path: &Path| {
        files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
    };
    let arguments: Vec<Bytes> = arguments.iter().map(|argument| Bytes::from(*argument)).collect();
    let cwd = Path::new("/p/sub");
    let configs = load(cwd, Path::new("/home/u/.cargo"), &arguments, &mut read).map_err(|e| e.to_string())?;
    find_runner(&configs, variable.map(Bytes::from).as_ref(), &platform(), cwd).map_err(|e| e.to_string())
}

fn check(files: &[(&str, &str)], arguments: &[&str], variable: Option<&str>, expected: &str) {
    let words = match find(files, arguments, variable).unwrap() {
        Some(runner) => format!("{} {}", runner.program.to_text(), text(&runner.args)),
        None => String::new(),
    };
    assert_eq!(words.trim(), expected, "{files:?} {arguments:?} {variable:?}");
}

const TRIPLE: &str = "[target.x86_64-unknown-linux-gnu]\nrunner = 'of-triple a b'";
const CFG: &str = "[target.'cfg(unix)']\nrunner = 'of-cfg'";
const NEAR: &str = "/p/sub/.cargo/config.toml";
const FAR: &str = "/p/.cargo/config.toml";

#[test]
fn order_of_strength() {
    check(&[], &[], None, "");
    check(&[(NEAR, TRIPLE)], &[], None, "of-triple a b");
    check(&[(NEAR, TRIPLE)], &[], Some("of-env x"), "of-env x");
    check(&[(NEAR, CFG)], &[], Some("of-env"), "of-env");
    let argument = "target.x86_64-unknown-linux-gnu.runner='of-argument'";
    let second = "target.x86_64-unknown-linux-gnu.runner='of-second'";
    check(&[(NEAR, TRIPLE)], &[argument], Some("of-env"), "of-argument");
    check(&[], &[argument, second], None, "of-second");
    check(&[(NEAR, CFG), (FAR, TRIPLE)], &[], None, "of-triple a b");
    check(&[(NEAR, CFG), (FAR, "[target.'cfg(unix)']\nrunner = 'far'")], &[], None, "of-cfg");
    check(&[("/home/u/.cargo/config.toml", CFG)], &[], None, "of-cfg");
    check(
        &[("/home/u/.cargo/config.toml", CFG), ("/.cargo/config.toml", TRIPLE)],
        &[],
        None,
        "of-triple a b",
    );
    check(&[("/q/.cargo/config.toml", TRIPLE)], &[], None, "");
    check(&[(NEAR, "[target.aarch64-unknown-linux-gnu]\nrunner = 'other'")], &[], None, "");
    check(&[("/p/sub/.cargo/config", CFG), (NEAR, TRIPLE)], &[], None, "of-cfg");
}

#[test]
fn forms() {
    let of = |runner: &str| format!("[target.x86_64-unknown-linux-gnu]\nrunner = {runner}");
    check(&[(NEAR, &of("['a', 'b c']"))], &[], None, "a b c");
    check(&[(NEAR, &of("'./a b'"))], &[], None, "/p/sub/./a b");
    check(&[(FAR, &of("'tools/a'"))], &[], None, "/p/tools/a");
    check(&[(FAR, &of("'/abs/a'"))], &[], None, "/abs/a");
    check(&[], &[], Some("./a b"), "/p/sub/./a b");
    check(&[], &["target.x86_64-unknown-linux-gnu.runner='./a'"], None, "/p/sub/./a");
    // A file given on the command line counts from its directory's parent, as any file does.
    check(&[("/p/sub/a/b/c.toml", &of("'./a'"))], &["a/b/c.toml"], None, "/p/sub/a/./a");
    for wrong in ["''", "[]", "3", "['a', 3]"] {
        assert!(find(&[(NEAR, &of(wrong))], &[], None).is_err(), "{wrong}");
    }
    assert!(find(&[], &[], Some(" ")).is_err());
    assert!(find(&[(NEAR, "runner = ")], &[], None).unwrap_err().contains("`/p/sub/.cargo/config.toml`"));
}

#[test]
fn expressions() {
    let cfg = |expression: &str| format!("[target.'cfg({expression})']\nrunner = 'r'");
    check(&[(NEAR, &cfg("not(windows)"))], &[], None, "r");
    check(&[(NEAR, &cfg("all(unix, target_arch = \"x86_64\")"))], &[], None, "r");
    check(&[(NEAR, &cfg("any(windows, target_os = \"macos\")"))], &[], None, "");
    check(&[(NEAR, &cfg("all("))], &[], None, "");
    let two = [(NEAR, CFG), (FAR, "[target.'cfg(not(windows))']\nrunner = 'x'")];
    assert!(find(&two, &[], None).unwrap_err().contains("two runners match"));
    let one = [(NEAR, CFG), (FAR, "[target.'cfg(windows)']\nrunner = 'x'")];
    check(&one, &[], None, "of-cfg");
}

#[test]
fn includes() {
    let of = |runner: &str| format!("[target.x86_64-unknown-linux-gnu]\nrunner = '{runner}'");
    let (x, y) = ("/p/.cargo/../conf/x.toml", "/p/.cargo/../conf/y.toml");
    let list = "include = ['../conf/x.toml', '../conf/y.toml']\n";
    check(&[(FAR, list), (x, &of("x")), (y, &of("./y"))], &[], None, "/p/.cargo/.././y");
    let beside = "include = ['../x.toml']";
    check(&[(FAR, beside), ("/p/.cargo/../x.toml", &of("./x"))], &[], None, "/p/.cargo/./x");
    check(&[(FAR, &format!("{list}{}", of("own"))), (x, &of("x")), (y, &of("y"))], &[], None, "own");
    let optional = "include = [{ path = '../conf/none.toml', optional = true }, { path = '../conf/x.toml' }]";
    check(&[(FAR, optional), (x, &of("x"))], &[], None, "x");
    // A nearer file is stronger than what a farther one includes, and weaker than nothing.
    check(&[(FAR, list), (x, ""), (y, &of("y")), (NEAR, &of("near"))], &[], None, "near");
    assert!(find(&[(FAR, list), (x, "")], &[], None).unwrap_err().contains("`/p/.cargo/../conf/y.toml`"));
    let circle = "include = ['config.toml']";
    assert!(find(&[(FAR, circle)], &[], None).unwrap_err().contains("include one another"));
}

#[test]
fn where_files_are() {
    let paths = |cwd: &str, home: &str| -> Vec<String> {
        let paths = config_paths(Path::new(cwd), Path::new(home));
        paths.iter().map(|path| path.display().to_string()).filter(|path| path.ends_with("toml")).collect()
    };
    let expected =
        ["/a/b/.cargo/config.toml", "/a/.cargo/config.toml", "/.cargo/config.toml", "/h/config.toml"];
    assert_eq!(paths("/a/b", "/h"), expected);
    assert_eq!(paths("/a/b", "/a/.cargo"), &expected[..3]);
    assert_eq!(config_paths(Path::new("/"), Path::new("/h"))[0], Path::new("/.cargo/config"));
}

#[test]
fn targets() {
    let targets = |arguments: &str, variable: Option<&str>, config: Option<&str>, file: &str| {
        let mut read = |path: &Path| (path == Path::new(FAR)).then(|| file.to_owned());
        let values: Vec<Bytes> = config.into_iter().map(Bytes::from).collect();
        let configs = load(Path::new("/p"), Path::new("/h"), &values, &mut read).unwrap();
        build_targets(&bytes(arguments), variable.map(Bytes::from).as_ref(), &configs, "host-x").join(" ")
    };
    let file = "[build]\ntarget = 'of-file'";
    assert_eq!(targets("", None, None, ""), "host-x");
    assert_eq!(targets("", None, None, file), "of-file");
    assert_eq!(targets("", Some("of-env"), None, file), "of-env");
    assert_eq!(targets("", Some("of-env"), Some("build.target='of-argument'"), file), "of-argument");
    assert_eq!(targets("a b a", Some("of-env"), Some("build.target='of-argument'"), file), "a b");
    assert_eq!(targets("", None, None, "[build]\ntarget = ['a', 'targets/b.json']"), "a b");
    assert_eq!(targets("host-tuple host-x", None, None, ""), "host-x");
}

#[test]
fn triples() {
    let vv = std::str::from_utf8(golden!("cargo/rustc-vV.txt")).unwrap();
    assert_eq!(host_triple(vv), Some(LINUX));
    assert_eq!(host_triple("rustc 1.95.0"), None);
    assert_eq!(runner_variable(LINUX), "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
    assert_eq!(runner_variable("thumbv8m.main-none-eabi"), "CARGO_TARGET_THUMBV8M_MAIN_NONE_EABI_RUNNER");
}

#[test]
fn the_shim_goes_where_it_is_strongest() {
    let variable = Displace::Variable(runner_variable(LINUX), "/shim".into());
    assert_eq!(displace(None, LINUX, "/shim"), variable);
    let found = |arguments: &[&str], variable| find(&[(NEAR, TRIPLE)], arguments, variable).unwrap();
    assert_eq!(displace(found(&[], Some("x")).as_ref(), LINUX, "/shim"), variable);
    assert_eq!(found(&[], None).unwrap().origin, Origin::File(NEAR.into()));
    let argument = |value: &str| {
        Displace::Argument(format!("--config=target.x86_64-unknown-linux-gnu.runner={value}").into())
    };
    let words = found(&["target.x86_64-unknown-linux-gnu.runner='x'"], None);
    assert_eq!(displace(words.as_ref(), LINUX, "/shim"), argument("\"/shim\""));
    let list = found(&["target.x86_64-unknown-linux-gnu.runner=['x']"], None);
    assert_eq!(displace(list.as_ref(), LINUX, "/shim"), argument("[\"/shim\"]"));
}
