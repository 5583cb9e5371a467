//! What cargo says and how it calls: the recorded build and the recorded environment.

use crate::cargo::environment::{Additions, environment, of_job};
use crate::cargo::group::{TargetKind, doc_group_name, group_name};
use crate::cargo::manifest::{harnesses, is_custom_harness};
use crate::cargo::messages::{Artifact, Message, package_name, parse_line};
use crate::cargo::shim::{HEADER, MAX_BODY, ShimCall, ShimError, body_length};
use crate::cargo::snapshot::snapshot_write_back;
use crate::libtest::golden::golden;
use seatrial_model::{Attempt, Bytes, RunId, SlotId};

fn messages() -> Vec<Message> {
    golden!("cargo/messages.txt").split_inclusive(|byte| *byte == b'\n').map(parse_line).collect()
}

fn artifacts() -> Vec<Artifact> {
    let artifact = |message| if let Message::Artifact(artifact) = message { Some(artifact) } else { None };
    messages().into_iter().filter_map(artifact).collect()
}

fn group_of(artifact: &Artifact) -> String {
    let kind = TargetKind::from_cargo(&artifact.target_kind).unwrap();
    group_name(package_name(&artifact.package_id).unwrap(), kind, &artifact.target_name, None)
}

#[test]
fn recorded_messages() {
    let messages = messages();
    let count = |like: fn(&Message) -> bool| messages.iter().filter(|message| like(message)).count();
    assert_eq!(count(|m| matches!(m, Message::BuildFinished { success: true })), 1);
    assert_eq!(count(|m| matches!(m, Message::Other)), 0);
    let script = messages.iter().find_map(|message| match message {
        Message::BuildScript(script) => Some(script),
        Message::Artifact(_) | Message::BuildFinished { .. } | Message::Other | Message::Text(_) => None,
    });
    let script = script.unwrap();
    assert_eq!(package_name(&script.package_id), Some("outcomes"));
    assert!(script.out_dir.starts_with("/target/debug/build/outcomes-"));
    assert_eq!(script.env, [("OUTCOMES_BUILT_WITH".to_owned(), "build script".to_owned())]);
    // The program and its unit tests are two messages; only one is a test binary.
    let tools: Vec<Artifact> = artifacts().into_iter().filter(|a| a.target_name == "out-tool").collect();
    assert_eq!(tools.len(), 2);
    assert_eq!(tools.iter().filter_map(Artifact::test_binary).count(), 1);
    assert!(tools.iter().all(|tool| tool.executable.is_some()));
    assert!(messages.contains(&Message::Text(b"running 12 tests".to_vec())));
}

#[test]
fn every_recorded_call_is_of_a_test_binary_in_the_messages() {
    let artifacts = artifacts();
    let calls = std::str::from_utf8(golden!("cargo/calls.txt")).unwrap();
    let groups: Vec<String> = calls
        .lines()
        .filter(|line| !line.contains("rustdoctest"))
        .map(|line| {
            let (cwd, program) = line.split_once('\t').unwrap();
            let artifact = artifacts.iter().find(|a| a.test_binary() == Some(program)).unwrap();
            assert_eq!(artifact.manifest_path, format!("{cwd}/Cargo.toml"));
            group_of(artifact)
        })
        .collect();
    // As `cargo nextest list --list-type binaries-only` of nextest 0.9.143 names them.
    let expected = [
        "docs-2021",
        "docs-2024",
        "harness::chatty",
        "harness::mimic",
        "harness::silent-fail",
        "harness::silent-ok",
        "macros",
        "outcomes",
        "outcomes::bin/out-tool",
        "outcomes::integration",
        "outcomes::bench/speed",
        "outcomes::example/tested",
    ];
    assert_eq!(groups, expected);
}

#[test]
fn lines_that_are_no_messages() {
    let check = |line: &str, message: Message| assert_eq!(parse_line(line.as_bytes()), message, "{line}");
    let text = |line: &str| Message::Text(line.as_bytes().to_vec());
    check("\n", text(""));
    check("test a ... ok", text("test a ... ok"));
    check("{\"a\": 1}\n", text("{\"a\": 1}"));
    check("{\"reason\": 1}", text("{\"reason\": 1}"));
    check("{", text("{"));
    check("{\"reason\":\"compiler-artifact\"}", text("{\"reason\":\"compiler-artifact\"}"));
    check("{\"reason\":\"compiler-message\",\"message\":{}}", Message::Other);
    check("{\"reason\":\"build-finished\",\"success\":false}", Message::BuildFinished { success: false });
    assert_eq!(parse_line(b"\xff\n"), Message::Text(vec![0xff]));
}

#[test]
fn package_names() {
    let check = |id: &str, name: Option<&str>| assert_eq!(package_name(id), name, "{id}");
    check("path+file:///a/b-c#0.1.0", Some("b-c"));
    check("path+file:///a/dir#name@0.1.0", Some("name"));
    check("registry+https://github.com/rust-lang/crates.io-index#serde@1.0.0", Some("serde"));
    check("git+https://example.org/a?branch=b#0.1.0", Some("a"));
    check("name 0.1.0 (path+file:///a/b)", Some("name"));
    check("nonsense", None);
}

#[test]
fn names_of_groups() {
    let check = |kind: &str, group: &str| {
        let kind = TargetKind::from_cargo(&[kind]).unwrap();
        assert_eq!(group_name("p-q", kind, "t", None), group);
    };
    check("lib", "p-q");
    check("cdylib", "p-q");
    check("proc-macro", "p-q");
    check("test", "p-q::t");
    check("bin", "p-q::bin/t");
    check("example", "p-q::example/t");
    check("bench", "p-q::bench/t");
    assert_eq!(TargetKind::from_cargo(&["custom-build"]), None);
    assert_eq!(group_name("p", TargetKind::Test, "t", Some("wasm32-wasip1")), "p::t@wasm32-wasip1");
    assert_eq!(doc_group_name("p", None), "p (doc)");
}

fn recorded_env() -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = std::str::from_utf8(golden!("cargo/environ.txt")).unwrap().lines();
    lines.map(|line| line.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

#[test]
fn the_environment_of_a_recorded_call() {
    let variable = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER".to_owned();
    let mut shim_env = recorded_env();
    shim_env.push((b"SEATRIAL_SHIM_SOCKET".to_vec(), b"/s".to_vec()));
    shim_env.push((b"NEXTEST".to_vec(), b"outer".to_vec()));
    let value_of = |env: &[(Bytes, Bytes)], name: &str| -> Option<String> {
        let mut values = env.iter().filter(|(key, _)| key.0 == name.as_bytes());
        let value = values.next().map(|(_, value)| value.to_text().into_owned());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    };
    let runners = [(variable.clone(), None)];
    let run = RunId::new(1, 2);
    let additions = Additions {
        runners: &runners,
        run: Some(run),
        group: "outcomes::integration",
        workspace_root: Some(b"/project"),
        programs: &[],
    };
    let env = environment(&shim_env, &additions);
    let check =
        |name: &str, value: Option<&str>| assert_eq!(value_of(&env, name).as_deref(), value, "{name}");
    check(&variable, None);
    check("SEATRIAL_SHIM_SOCKET", None);
    check("MAKEFLAGS", None);
    check("CARGO_MANIFEST_DIR", Some("/project/outcomes"));
    check("OUTCOMES_BUILT_WITH", Some("build script"));
    check("CARGO_BIN_EXE_out-tool", Some("/target/debug/out-tool"));
    check("NEXTEST_BIN_EXE_out-tool", Some("/target/debug/out-tool"));
    check("NEXTEST_BIN_EXE_out_tool", Some("/target/debug/out-tool"));
    check("NEXTEST", Some("1"));
    check("NEXTEST_EXECUTION_MODE", Some("process-per-test"));
    check("NEXTEST_BINARY_ID", Some("outcomes::integration"));
    check("NEXTEST_WORKSPACE_ROOT", Some("/project"));
    check("NEXTEST_RUN_ID", Some(&run.to_string()));
    check("SEATRIAL", Some("1"));
    check("SEATRIAL_GROUP", Some("outcomes::integration"));

    let runners = [(variable.clone(), Some(Bytes::from("qemu -L /x")))];
    let env = environment(&shim_env, &Additions { runners: &runners, ..Additions::default() });
    assert_eq!(value_of(&env, &variable).as_deref(), Some("qemu -L /x"));
    assert_eq!(value_of(&env, "NEXTEST_RUN_ID"), None);
}

#[test]
fn variables_beside() {
    let old_cargo = [("PATH".into(), "/bin".into()), ("MAKEFLAGS".into(), "-k".into())];
    let programs = [("my-tool".to_owned(), Bytes::from("/t/my-tool"))];
    let env = environment(&old_cargo, &Additions { programs: &programs, ..Additions::default() });
    for name in ["CARGO_BIN_EXE_my-tool", "NEXTEST_BIN_EXE_my-tool", "NEXTEST_BIN_EXE_my_tool"] {
        assert!(env.contains(&(name.into(), "/t/my-tool".into())), "{name}");
    }
    assert!(env.contains(&("MAKEFLAGS".into(), "-k".into())), "flags without a job server stay");
    let job = of_job("a b", Attempt(2), Some(SlotId(3)));
    for (name, value) in
        [("NEXTEST_TEST_NAME", "a b"), ("NEXTEST_ATTEMPT", "2"), ("NEXTEST_TEST_GLOBAL_SLOT", "3")]
    {
        assert!(job.contains(&(name.into(), value.into())), "{name}");
    }
    assert!(!of_job("a", Attempt(1), None).iter().any(|(key, _)| key.to_text().contains("SLOT")));
}

#[test]
fn calls_survive_the_socket() {
    let call = ShimCall {
        argv: vec![b"/bin/a".to_vec(), Vec::new(), b"\xff\n".to_vec()],
        cwd: b"/".to_vec(),
        env: vec![(b"A".to_vec(), b"=".to_vec()), (Vec::new(), Vec::new())],
    };
    let message = call.encode();
    assert_eq!(ShimCall::decode(&message), Ok(call.clone()));
    assert_eq!(ShimCall::decode(&ShimCall::default().encode()), Ok(ShimCall::default()));
    assert_eq!(call.variable("A"), Some(b"=".as_slice()));
    assert_eq!(body_length(message.first_chunk().unwrap()), Ok((message.len() - HEADER) as u64));
    // The form itself: whoever changes it raises the version.
    let small = ShimCall { argv: vec![b"x".to_vec()], cwd: b"/".to_vec(), env: Vec::new() };
    let form = b"STSHIM\x01\x22\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0x\x01\0\0\0\0\0\0\0/\0\0\0\0\0\0\0\0";
    assert_eq!(small.encode(), form);
}

#[test]
fn messages_that_are_no_calls() {
    let whole = ShimCall { argv: vec![b"abc".to_vec()], ..ShimCall::default() }.encode();
    for cut in 0..whole.len() {
        assert_eq!(ShimCall::decode(&whole[..cut]), Err(ShimError::Length), "cut at {cut}");
    }
    let changed = |at: usize, byte: u8| {
        let mut message = whole.clone();
        message[at] = byte;
        ShimCall::decode(&message)
    };
    assert_eq!(changed(0, b'X'), Err(ShimError::NotACall));
    assert_eq!(changed(6, 9), Err(ShimError::Version(9)));
    assert!(matches!(changed(14, 1), Err(ShimError::TooLong(length)) if length > MAX_BODY));
    // A list or a string longer than what there is; and one shorter, so that something is left over.
    assert_eq!(changed(15, 200), Err(ShimError::Length));
    assert_eq!(changed(30, 200), Err(ShimError::Length));
    assert_eq!(changed(23, 2), Err(ShimError::Length));
    assert_eq!(ShimCall::decode(&[whole.clone(), vec![0]].concat()), Err(ShimError::Length));
    let mut longer = [whole.clone(), vec![0]].concat();
    longer[7] += 1;
    assert_eq!(ShimCall::decode(&longer), Err(ShimError::Length), "a byte after the last list");
}

#[test]
fn harnesses_of_their_own() {
    let manifest =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/rust-suite/harness/Cargo.toml"));
    let check = |kind, name: &str, own: bool| {
        assert_eq!(is_custom_harness(manifest, kind, name), Ok(own), "{name}");
    };
    check(TargetKind::Test, "mimic", true);
    check(TargetKind::Test, "silent-ok", true);
    check(TargetKind::Test, "found_by_cargo", false);
    check(TargetKind::Bench, "mimic", false);
    check(TargetKind::Lib, "harness", false);
    let manifest = "[lib]\nname = 'x'\nharness = false\n[[bin]]\nname = 'a'\nharness = true\n\
                    [[bench]]\nname = 'b'\nharness = false\n[[example]]\nname = 'c'\nharness = false";
    let own = harnesses(manifest).unwrap();
    assert!(own.is_custom(TargetKind::Lib, "anything") && own.is_custom(TargetKind::ProcMacro, "x"));
    assert!(!own.is_custom(TargetKind::Bin, "a") && !own.is_custom(TargetKind::Bin, "b"));
    assert!(own.is_custom(TargetKind::Bench, "b") && own.is_custom(TargetKind::Example, "c"));
    assert!(harnesses("[lib").is_err());
}

#[test]
fn snapshots() {
    let check = |env: &[(&str, &str)], globs: &[&str]| assert_eq!(snapshot_write_back(env), globs, "{env:?}");
    let insta = ["**/*.snap", "**/*.snap.new", "**/.*.pending-snap"];
    check(&[], &[]);
    for value in ["always", "1", "new", "unseen", "force"] {
        check(&[("INSTA_UPDATE", value)], &insta);
    }
    for value in ["no", "auto", "", "nonsense"] {
        check(&[("INSTA_UPDATE", value)], &[]);
    }
    check(&[("INSTA_FORCE_UPDATE", "1")], &insta);
    check(&[("INSTA_FORCE_UPDATE", "0")], &[]);
    check(&[("INSTA_UPDATE", "new"), ("INSTA_FORCE_UPDATE", "1")], &insta);
    check(&[("TRYBUILD", "overwrite")], &["**/*.stderr"]);
    check(&[("TRYBUILD", "wip")], &["**/wip/*"]);
    check(&[("TRYCMD", "dump"), ("TRYBUILD", "overwrite")], &["**/*.stderr", "**/dump/**"]);
    check(&[("UPDATE_EXPECT", "")], &["**/*"]);
    check(&[("SNAPSHOTS", "overwrite"), ("INSTA_UPDATE", "new")], &["**/*"]);
    check(&[("SNAPSHOTS", "verify")], &[]);
    check(&[("UPDATE_GOLDENFILES", "1")], &["**/*"]);
    check(&[("UPDATE_GOLDENFILES", "0")], &[]);
}
