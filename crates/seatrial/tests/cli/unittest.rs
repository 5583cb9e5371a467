//! `seatrial unittest`: what `python -m unittest` would run, each test forked from a warm interpreter.

use super::pytest::{outcomes, pairs, python};
use super::{world, worlds};
use seatrial_testkit::{Ran, World};
use std::path::PathBuf;

fn unittest(world: &World, args: &[&str]) -> Ran {
    let python = python();
    let ours = ["unittest", "--python", &python, "--format", "json"];
    world.seatrial(ours.iter().chain(args).copied()).run()
}

/// A module with a class `A` of these methods.
fn class(methods: &str) -> String {
    format!("import os, time, unittest\nclass A(unittest.TestCase):\n{methods}")
}

fn copy_of_the_suite(world: &World) -> PathBuf {
    let suite = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/unittest-suite")
        .canonicalize()
        .unwrap();
    let _ = world.call("/bin/cp".as_ref(), ["-r", &format!("{}/.", suite.display()), "."]).run().exits(0);
    suite
}

#[test]
fn the_fixture_suite_ends_as_its_model_says() {
    for world in worlds() {
        let suite = copy_of_the_suite(&world);
        let ran = unittest(&world, &[]).exits(1);
        let mut seen: Vec<String> = ran.events().iter().filter_map(in_the_models_words).collect();
        seen.sort();
        let model = std::fs::read_to_string(suite.join("expected.txt")).unwrap();
        let mut expected: Vec<String> =
            model.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        expected.sort();
        assert_eq!(seen, expected, "{ran:?}");
    }
}

/// A result as the model has it: `GROUP::NAME`, a tab, the outcome.
fn in_the_models_words(event: &serde_json::Value) -> Option<String> {
    let (group, name) = (event["test"]["group"].as_str()?, event["test"]["name"].as_str()?);
    let word = match (event["event"].as_str()?, event["outcome"].as_str()) {
        ("skipped", _) => return Some(format!("{group}\tskipped")),
        ("attempt-finished", Some("error")) if name == "(collection)" => {
            return Some(format!("{group}\tcollection"));
        }
        ("attempt-finished", Some("skip")) if event["reason"].as_str() == Some("xfail") => "xfail",
        ("attempt-finished", Some(outcome)) => outcome,
        _ => return None,
    };
    Some(format!("{group}::{name}\t{word}"))
}

#[test]
fn a_test_that_dies_is_one_failed_test() {
    for world in worlds() {
        copy_of_the_suite(&world);
        let ran = unittest(&world, &["discover", "-s", "deaths"]).exits(1);
        let outcomes = outcomes(&ran);
        let of =
            |name: &str| outcomes.iter().find(|(own, _)| own == name).map(|(_, outcome)| outcome.as_str());
        for name in [
            "Alone.test_before",
            "Alone.test_z_after",
            "Together.test_a_before",
            "Together.test_c_after",
            "TearDownDies.test_one",
        ] {
            assert_eq!(of(name), Some("pass"), "{name}: {ran:?}");
        }
        for name in [
            "Alone.test_exit_0",
            "Alone.test_exit_3",
            "Alone.test_killed",
            "Alone.test_segfault",
            "Alone.test_subtest_then_death",
            "Together.test_b_dies",
            "SetUpDies.test_one",
            "TearDownDies.test_two",
        ] {
            assert_eq!(of(name), Some("crash"), "{name}: {ran:?}");
        }
        let parent = of("Alone.test_parent").unwrap_or_default();
        assert!(["crash", "error", "fail"].contains(&parent), "{parent}: {ran:?}");
        assert_eq!(outcomes.len(), 14, "{ran:?}");
        ran.tells("SIGSEGV").tells("words of the dead").tells("before the end");
    }
}

#[test]
fn arguments_are_unittests_with_ours_among_them() {
    let world = world();
    world.write("tests/__init__.py", "");
    world.write("tests/test_a.py", class("    def test_one(self): pass\n    def test_two(self): pass\n"));
    world.write("check_b.py", class("    def test_three(self): pass\n"));
    let names = |args: &[&str]| {
        outcomes(&unittest(&world, args)).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let both = ["A.test_one", "A.test_two"];
    assert_eq!(names(&[]), both);
    assert_eq!(names(&["-v", "-j", "1"]), both);
    assert_eq!(names(&["discover", "--retries", "1", "-s", "tests", "-t", ".", "-j2"]), both);
    assert_eq!(names(&["discover", "-p", "check*.py"]), ["A.test_three"]);
    assert_eq!(names(&["tests.test_a.A.test_two", "--timeout", "60s"]), ["A.test_two"]);
    assert_eq!(
        names(&["tests/test_a.py", "check_b", "-k", "one", "-k", "three"]),
        ["A.test_one", "A.test_three"]
    );
}

#[test]
fn exit_codes_say_what_happened() {
    let world = world();
    world.write("test_a.py", class("    def test_good(self): pass\n"));
    unittest(&world, &[]).exits(0);
    unittest(&world, &["discover", "-p", "nothing*.py"]).exits(4);
    unittest(&world, &["-k", "nothing_has_this_name"]).exits(4);
    unittest(&world, &["--no-such-option"]).exits(2).tells("--no-such-option");
    unittest(&world, &["discover", "-s", "nowhere"]).exits(3).tells("Start directory is not importable");
    unittest(&world, &["test_nowhere"]).exits(3).tells("test_nowhere");
    world.write("test_b.py", "import does_not_exist_anywhere\n");
    let ran = unittest(&world, &[]).exits(1);
    assert_eq!(outcomes(&ran), pairs(&[("(collection)", "error"), ("A.test_good", "pass")]), "{ran:?}");
    ran.tells("does_not_exist_anywhere");
    world.seatrial(["unittest", "--python", "/nowhere/python"]).run().exits(2).tells("/nowhere/python");
}

#[test]
fn the_first_failure_ends_the_run_when_unittest_says_so() {
    let world = world();
    let tests: String = (0..40).map(|n| format!("    def test_{n:02}(self): self.fail()\n")).collect();
    world.write("test_a.py", class(&tests));
    let ran = unittest(&world, &["-f", "-j", "1"]).exits(1);
    let bad = outcomes(&ran).iter().filter(|(_, outcome)| outcome == "fail").count();
    assert!((1..20).contains(&bad), "{bad} tests ran: {ran:?}");
}

#[test]
fn a_hanging_test_is_ended_and_the_others_run() {
    let world = world();
    let methods = "    def test_hang(self): time.sleep(1000)\n    def test_last(self): pass\n";
    world.write("test_a.py", class(methods));
    let ran = unittest(&world, &["--timeout", "1s", "--grace", "100ms"]).exits(1);
    assert_eq!(outcomes(&ran), pairs(&[("A.test_hang", "timeout"), ("A.test_last", "pass")]), "{ran:?}");
}

#[test]
fn what_a_test_writes_is_gone_and_what_an_import_writes_stays() {
    for world in worlds() {
        let methods = "    def check(self):\n        self.assertEqual(open('made').read(), 'x')\n        self.assertFalse(os.path.exists('own'))\n        open('own', 'w').close()\n        open('made', 'a').write('y')\n        os.environ['LEAK'] = '1'\n    test_a = test_b = test_c = check\n    def test_leak(self): self.assertNotIn('LEAK', os.environ)\n";
        world.write("test_a.py", class(methods) + "open('made', 'w').write('x')\n");
        let ran = unittest(&world, &[]).exits(0);
        assert_eq!(outcomes(&ran).len(), 4, "{ran:?}");
        // The session that lists is a build: what it writes is meant.
        assert_eq!(std::fs::read_to_string(world.project.join("made")).unwrap(), "x");
        assert!(!world.project.join("own").exists());
    }
}

#[test]
fn what_a_failing_test_prints_is_shown_with_it() {
    let world = world();
    let unit = "    @classmethod\n    def setUpClass(cls): pass\n";
    for fixture in ["", unit] {
        let methods = "    def test_bad(self): print('words of the bad'); self.fail('aground')\n    def test_good(self): print('words of the good')\n";
        world.write("test_a.py", class(&format!("{fixture}{methods}")));
        let ran = world.seatrial(["unittest", "--python", &python()]).run().exits(1);
        ran.tells("words of the bad").tells("AssertionError: aground").tells("1 passed, 1 failed");
        assert!(!ran.err().contains("words of the good"), "{ran:?}");
    }
}

#[test]
fn a_failed_test_of_a_class_is_tried_again_with_what_its_class_sets_up() {
    let world = world();
    let methods = "    @classmethod\n    def setUpClass(cls): cls.up = True\n    def test_bad(self): self.assertFalse(self.up)\n    def test_good(self): self.assertTrue(self.up)\n";
    world.write("test_a.py", class(methods));
    let ran = unittest(&world, &["--retries", "1"]).exits(1);
    assert_eq!(outcomes(&ran), pairs(&[("A.test_bad", "fail"), ("A.test_good", "pass")]), "{ran:?}");
    let tried = ran.events_of("attempt-finished").into_iter();
    let tried: Vec<_> = tried.filter(|event| event["test"]["name"] == "A.test_bad").collect();
    assert_eq!(tried.len(), 2, "{ran:?}");
    // The second try failed as the first: by its own assertion, not for lack of its class's set-up.
    assert!(tried.iter().all(|event| event["reason"] == "AssertionError: True is not false"), "{ran:?}");
}

#[test]
fn a_test_that_needs_those_before_it_is_named() {
    let world = world();
    let methods = "    found = []\n    def test_a(self): self.found.append(1)\n    def test_b(self): self.assertEqual(self.found, [1])\n";
    world.write("test_a.py", class(methods));
    let ran = world.seatrial(["unittest", "--python", &python()]).run().exits(0);
    ran.tells("Order-dependent tests").tells("2 passed, 0 failed");
    unittest(&world, &["--strict"]).exits(1);
}

#[test]
fn help_and_completions_teach_it() {
    let world = world();
    let help = world.seatrial(["unittest", "--help"]).run().exits(0);
    help.tells("seatrial unittest discover -s tests").tells("--python");
    world.seatrial(["completions", "bash"]).run().exits(0).tells("unittest");
    world.seatrial(["--help"]).run().exits(0).tells("unittest");
}

#[test]
fn the_working_directory_is_where_an_import_has_left_it() {
    let world = world();
    world.write("there/empty", "");
    world.write(
        "test_a.py",
        "import os, unittest\nos.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'there'))\n\
         class A(unittest.TestCase):\n\
         \x20   def test_a(self): self.assertEqual(os.path.basename(os.getcwd()), 'there')\n\
         \x20   def test_b(self): self.assertEqual(os.path.basename(os.getcwd()), 'there')\n",
    );
    let ran = unittest(&world, &["-j", "1"]).exits(0);
    assert_eq!(outcomes(&ran).len(), 2, "{ran:?}");
}
