//! Files that tests write and that reach the project: what plug-ins keep, and what an option asks for.

use super::pytest::{outcomes, pairs, pytest};
use super::{world, worlds};
use seatrial_testkit::World;
use std::fs;

fn read(world: &World, path: &str) -> Option<String> {
    fs::read_to_string(world.project.join(path)).ok()
}

#[test]
fn what_tests_gather_for_later_runs_is_kept() {
    for world in worlds() {
        world.write("sub/.hypothesis/examples/old", "old");
        world.write(
            "sub/test_a.py",
            "import os, pytest\n\
             @pytest.mark.parametrize('n', range(4))\n\
             def test_it(n, request):\n\
             \x20   here = os.path.dirname(__file__) + '/.hypothesis/examples/'\n\
             \x20   for name in (str(n), 'shared'):\n\
             \x20       with open(here + name, 'w') as file: file.write(str(n))\n\
             \x20   if n == 1: os.unlink(here + 'old')\n\
             \x20   if n == 2:\n\
             \x20       request.config.cache.set('mine/value', [n])\n\
             \x20       request.config.cache.set('cache/lastfailed', 'nonsense')\n\
             \x20   open('own', 'w').write('x')\n\
             \x20   assert n < 3\n",
        );
        let ran = pytest(&world, &["-n", "2"]).exits(1);
        ran.hides("conflict");
        assert_eq!(outcomes(&ran).iter().filter(|(_, outcome)| outcome == "pass").count(), 3, "{ran:?}");
        for n in ["0", "1", "2", "3"] {
            let path = format!("sub/.hypothesis/examples/{n}");
            assert_eq!(read(&world, &path).as_deref(), Some(n), "of a failed test too");
        }
        let shared = read(&world, "sub/.hypothesis/examples/shared").unwrap();
        assert!(["0", "1", "2", "3"].contains(&shared.as_str()), "{shared}");
        assert_eq!(read(&world, "sub/.hypothesis/examples/old"), None);
        assert_eq!(read(&world, "own"), None);
        assert!(read(&world, ".pytest_cache/v/mine/value").unwrap().contains('2'));
        let failed = read(&world, ".pytest_cache/v/cache/lastfailed").unwrap();
        assert!(failed.contains("test_it[3]") && !failed.contains("nonsense"), "{failed}");
    }
}

#[test]
fn reports_that_tests_write_reach_the_project() {
    for world in worlds() {
        world.write("sub/reports/old", "old");
        world.write(
            "sub/conftest.py",
            "def pytest_addoption(parser): parser.addoption('--alluredir')\n\
             def pytest_runtest_teardown(item):\n\
             \x20   import os\n\
             \x20   folder = item.config.getoption('--alluredir') + '/'\n\
             \x20   os.makedirs(folder, exist_ok=True)\n\
             \x20   open(folder + item.name + '.json', 'w').write(item.name)\n\
             \x20   if os.path.exists(folder + 'old'): os.unlink(folder + 'old')\n",
        );
        world.write("sub/test_a.py", "def test_a(): pass\ndef test_b(): assert 0\n");
        world.write("sub/pytest.ini", "[pytest]\naddopts = --alluredir '../[of tests]'\n");
        fs::create_dir(world.project.join(".git")).unwrap();
        let python = super::pytest::python();
        let run = |args: &[&str]| {
            let ours = ["pytest", "--python", &python];
            let mut call = world.seatrial(ours.iter().chain(args).copied());
            call = call.cwd(world.project.join("sub"));
            call.run()
        };
        run(&["--alluredir=reports"]).exits(1);
        for name in ["test_a", "test_b"] {
            assert_eq!(read(&world, &format!("sub/reports/{name}.json")).as_deref(), Some(name));
        }
        assert_eq!(read(&world, "sub/reports/old").as_deref(), Some("old"), "tests only add");
        run(&[]).exits(1);
        assert_eq!(read(&world, "[of tests]/test_b.json").as_deref(), Some("test_b"));
        for folder in ["/tmp/elsewhere", ".", ".."] {
            let ran = run(&["--alluredir", folder]);
            ran.tells("stays in their containers");
        }
        world.write("sub/reports/test_a.json", "mine");
        run(&["--alluredir=reports"]).hides("stays in their containers");
        run(&["--alluredir="]).hides("stays in their containers");
        assert_eq!(read(&world, "sub/reports/test_a.json").as_deref(), Some("mine"));
        assert!(
            !world.project.join("test_a.json").exists() && !world.project.join("sub/test_a.json").exists()
        );
    }
}

/// A conftest file with the options of plug-ins that need not be installed here.
const OPTIONS: &str = "def pytest_addoption(parser):\n\
    \x20   for name in ('--force-regen', '--snapshot-update'):\n\
    \x20       parser.addoption(name, action='store_true')\n\
    def pytest_sessionfinish(session):\n\
    \x20   import os\n\
    \x20   if getattr(session, 'seen', None):\n\
    \x20       os.makedirs('__snapshots__', exist_ok=True)\n\
    \x20       open('__snapshots__/all', 'w').write(' '.join(session.seen))\n";

#[test]
fn regenerated_files_reach_the_project_when_it_is_asked_for() {
    let world = world();
    world.write("conftest.py", OPTIONS);
    world.write(
        "test_a.py",
        "import os, pytest\n\
         @pytest.mark.parametrize('n', range(3))\n\
         def test_it(n):\n\
         \x20   os.makedirs('test_a', exist_ok=True)\n\
         \x20   open('test_a/%d.yml' % n, 'w').write(str(n))\n\
         \x20   if os.path.exists('both'): open('test_a/both.yml', 'w').write(str(n))\n",
    );
    pytest(&world, &[]).exits(0);
    assert_eq!(read(&world, "test_a/1.yml"), None);
    pytest(&world, &["--force-regen", "-n", "2"]).exits(0);
    for n in ["0", "1", "2"] {
        assert_eq!(read(&world, &format!("test_a/{n}.yml")).as_deref(), Some(n));
    }
    world.write("both", "");
    let ran = pytest(&world, &["--force-regen", "-n", "2", "--granularity", "test"]).exits(1);
    ran.tells("write-back conflict").tells("both.yml");
    assert_eq!(outcomes(&ran).iter().filter(|(_, outcome)| outcome == "error").count(), 2, "{ran:?}");
}

#[test]
fn reports_of_a_whole_session_reach_the_project() {
    for world in worlds() {
        world.write(
            "conftest.py",
            "def pytest_addoption(parser): parser.addoption('--benchmark-only', action='store_true')\n",
        );
        world.write("test_a.py", "def test_1(): open('stray.xml', 'w').close()\ndef test_2(): assert 0\n");
        for option in ["--benchmark-only", "-s"] {
            let (report, last) = (format!("out{option}.xml"), ".pytest_cache/v/cache/lastfailed");
            pytest(&world, &[option, &format!("--junitxml={report}")]).exits(1);
            assert!(read(&world, &report).is_some_and(|text| text.contains("test_2")), "{option}");
            assert!(read(&world, last).is_some_and(|text| text.contains("test_2")), "{option}");
            fs::remove_file(world.project.join(last)).expect("the cache's file");
        }
        assert_eq!(read(&world, "stray.xml"), None);
        world.write("pytest.ini", "[pytest]\naddopts = --junitxml=always.xml\n");
        pytest(&world, &["-s"]).exits(1);
        assert!(read(&world, "always.xml").is_some_and(|text| text.contains("test_2")));
    }
}

#[test]
fn snapshots_are_updated_by_one_whole_session() {
    for world in worlds() {
        world.write("conftest.py", OPTIONS);
        world.write(
            "test_a.py",
            "def see(request):\n    session = request.session\n    session.seen = getattr(session, 'seen', []) + [request.node.name]\n\
             def test_1(request): see(request)\n\
             def test_2(request): see(request)\n",
        );
        let ran = pytest(&world, &[]).exits(0);
        assert_eq!(outcomes(&ran), pairs(&[("test_1", "pass"), ("test_2", "pass")]));
        assert_eq!(read(&world, "__snapshots__/all"), None);
        pytest(&world, &["--snapshot-update"]).exits(0);
        assert_eq!(read(&world, "__snapshots__/all").as_deref(), Some("test_1 test_2"));
        world.write("test_a.py", "def test_1(): assert 0\n");
        pytest(&world, &["--snapshot-update"]).exits(1);
    }
}
