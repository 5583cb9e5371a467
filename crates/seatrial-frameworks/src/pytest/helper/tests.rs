//! The first packet and the payload, as the helper reads them.

use super::{
    BOOT, BOOT_MODULE, FirstPacket, How, Last, MAX_FIRST_PACKET, PYTEST, Role, Rule, SHARED, Settings, Slot,
    TestKey, TooLong, UNITTEST, function_key, payload_for, second_packet,
};
use crate::pytest::listing::ListedAll;
use seatrial_model::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn packet(role: Role, rule: Rule, args: &[Bytes]) -> Result<Vec<u8>, TooLong> {
    let settings = Settings { workers: 3, run: "r\"1", seed: 77, granularity: "auto", record_files: None };
    FirstPacket { role, args, rule, settings, fixtures: &[] }.encode()
}

fn read(packet: &[u8]) -> Value {
    serde_json::from_slice(packet).expect("JSON")
}

#[test]
fn every_file_of_the_helper_is_in_the_packet() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/seatrial_python");
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the helper's folder")
        .filter_map(|entry| {
            entry.expect("an entry").file_name().to_str()?.strip_suffix(".py").map(str::to_owned)
        })
        .collect();
    let known = [SHARED, PYTEST, UNITTEST, &[BOOT_MODULE]].concat();
    assert_eq!(known.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), there);
    assert_eq!(known.len(), there.len(), "no name is there twice");
    for (rule, own) in [(Rule::Pytest, PYTEST), (Rule::PythonM, PYTEST), (Rule::Unittest, UNITTEST)] {
        let packet = read(&packet(Role::Lister, rule, &[]).expect("a packet"));
        let modules = packet["modules"].as_object().expect("modules");
        assert_eq!(modules.len(), SHARED.len() + own.len(), "{rule:?}");
        for (name, source) in [SHARED, own].concat() {
            assert_eq!(modules[name], source, "{name}");
        }
        let role = packet["role"].as_str().expect("a role");
        assert!(modules.contains_key(role), "{role} is a file that travels with {rule:?}");
        assert_eq!(packet["boot"], BOOT_MODULE.1);
    }
}

#[test]
fn the_packet_says_what_the_process_is_to_do() {
    let args: Vec<Bytes> = ["-k", "a \"b\" \\ or\né", "tests"].map(Bytes::from).into();
    let lister = read(&packet(Role::Lister, Rule::Pytest, &args).expect("a packet"));
    assert_eq!(
        (&lister["v"], &lister["role"], &lister["rule"]),
        (&json!(1), &json!("lister"), &json!("pytest"))
    );
    assert_eq!(lister["args"], json!(["-k", "a \"b\" \\ or\né", "tests"]));
    assert_eq!(lister["settings"], json!({"workers": 3, "run": "r\"1", "seed": 77, "granularity": "auto"}));
    let warmer = read(&packet(Role::Warmer, Rule::PythonM, &[]).expect("a packet"));
    assert_eq!((&warmer["role"], &warmer["rule"]), (&json!("warmer"), &json!("python -m pytest")));
    assert_eq!(warmer["args"], json!([]));
    let unittest = read(&packet(Role::Warmer, Rule::Unittest, &[]).expect("a packet"));
    assert_eq!(
        (&unittest["role"], &unittest["rule"]),
        (&json!("unittest_warmer"), &json!("python -m unittest"))
    );
}

#[test]
fn a_warmer_is_told_of_its_slot() {
    let input = json!({"workerid": "gw2", "seed": 1.5});
    for worker_input in [None, Some(&input)] {
        let settings = Settings { workers: 3, run: "r", seed: 77, granularity: "test", record_files: None };
        let packet =
            FirstPacket { role: Role::Warmer, args: &[], rule: Rule::Pytest, settings, fixtures: &[] };
        let told = &read(&packet.encode_for(Slot { number: 2, worker_input }).expect("a packet"))["settings"];
        assert_eq!((&told["slot"], told.get("workerinput")), (&json!(2), worker_input));
    }
}

#[test]
fn bytes_that_are_no_text_become_pythons_surrogates() {
    let args = [Bytes(b"a\xff\"\xed\xa0\x80b".to_vec())];
    let packet = packet(Role::Lister, Rule::Pytest, &args).expect("a packet");
    let text = String::from_utf8(packet).expect("UTF-8");
    assert!(text.ends_with(r#","args":["a\udcff\"\udced\udca0\udc80b"]}"#), "{}", &text[text.len() - 80..]);
}

#[test]
fn too_many_arguments_are_refused_and_not_cut() {
    let empty = packet(Role::Warmer, Rule::Pytest, &[]).expect("a packet").len();
    let room = MAX_FIRST_PACKET - empty - "\"\"".len();
    let fits = packet(Role::Warmer, Rule::Pytest, &[Bytes(vec![b'x'; room])]).expect("just a packet");
    assert_eq!(fits.len(), MAX_FIRST_PACKET);
    let error = packet(Role::Warmer, Rule::Pytest, &[Bytes(vec![b'x'; room + 1])]);
    assert_eq!(error, Err(TooLong(MAX_FIRST_PACKET + 1)));
    assert!(error.expect_err("too long").to_string().contains("@FILE"));
    // Ordinary command lines have room beside the sources.
    assert!(room > 32 * 1024, "{room}");
}

#[test]
fn boot_leaves_the_working_directory_before_it_imports() {
    let removes = BOOT.find("del sys.path[0]").expect("the first entry goes");
    let imports = BOOT.find("import json").expect("an import");
    assert!(removes < imports);
    assert!(BOOT.contains("socket.SOCK_SEQPACKET, 0, 3)"));
}

#[test]
fn a_payload_names_its_tests() {
    let file = "/p/t \"1\".py";
    let tests =
        [TestKey { id: "t.py::a[\u{0}\n\"]", n: 0, file }, TestKey { id: "u.py::b", n: 4, file: "/p/u.py" }];
    let together = How { batch: true, ..How::default() };
    let text = payload_for(&tests, together, &|_| &[]);
    assert!(!text.contains('\0'), "fields of the warmer's packets end with it");
    let expected = json!({
        "file": file,
        "tests": [{"id": "t.py::a[\u{0}\n\"]", "n": 0}, {"id": "u.py::b", "n": 4, "file": "/p/u.py"}],
        "batch": true,
        "last": false,
    });
    assert_eq!(read(text.as_bytes()), expected);
}

#[test]
fn a_payload_says_how_they_are_run() {
    let plain = How::default();
    for (how, more) in [
        (plain, json!({})),
        (How { batch: true, check: true, ..plain }, json!({"batch": true, "check": true})),
        (How { share: true, stop: true, ..plain }, json!({"share": true, "stop": true})),
        (How { fresh: true, ..plain }, json!({"fresh": true})),
        (How { last: Last::OfGroup, ..plain }, json!({"last": true})),
        (How { last: Last::OfSession, ..plain }, json!({"last": "session"})),
    ] {
        let mut expected = json!({"file": "", "tests": [], "last": false});
        for (name, value) in more.as_object().expect("an object") {
            expected[name] = value.clone();
        }
        assert_eq!(read(payload_for(&[], how, &|_| &[]).as_bytes()), expected);
    }
}

#[test]
fn tests_whose_ids_may_change_travel_with_their_siblings() {
    let ids = ["t.py::a[12:00]".to_owned(), "t.py::a[x]".to_owned()];
    let siblings = |test: &TestKey<'_>| if function_key(test.id) == "t.py::a" { ids.as_slice() } else { &[] };
    let tests = ["t.py::a[x]", "t.py::b"].map(|id| TestKey { id, n: 0, file: "t.py" });
    let read = read(payload_for(&tests, How::default(), &siblings).as_bytes());
    assert_eq!(read["of"], json!({"t.py::a": ["t.py::a[12:00]", "t.py::a[x]"]}));
}

#[test]
fn a_second_packet_that_would_be_too_long_goes_without_imports() {
    let nodes = [json!({"workerid": "gw0"})];
    let packet = |imports: &[String]| {
        let found = ListedAll { imports: imports.to_vec(), ..ListedAll::default() };
        let mut packet = read(&second_packet(&nodes, &found));
        // Run-wide fixtures have a test of their own.
        packet
            .as_object_mut()
            .expect("an object")
            .retain(|key, _| ["nodes", "imports"].contains(&key.as_str()));
        packet
    };
    assert_eq!(packet(&["os".to_owned()]), json!({"nodes": nodes, "imports": ["os"]}));
    let many = vec!["a.module".repeat(10); MAX_FIRST_PACKET / 80];
    assert_eq!(packet(&many), json!({"nodes": nodes}));
}
