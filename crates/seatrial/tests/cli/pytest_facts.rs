//! `seatrial pytest --record-files`: which files tests open, in events and in history.

use super::pytest::{pytest, python};
use super::world;
use seatrial_testkit::World;

/// What one column of SQL finds in the world's history.
fn ask(world: &World, sql: &str) -> Vec<String> {
    let script =
        "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(row[0])";
    let file = world.state.join("seatrial/history.sqlite");
    let file = file.to_str().unwrap();
    let answer = world.call(python().as_ref(), ["-c", script, file, sql]).run().exits(0);
    answer.out().lines().map(str::to_owned).collect()
}

fn project(world: &World) {
    world.write("pkg/__init__.py", "");
    world.write("pkg/core.py", "X = 1\n");
    world.write("pkg/late.py", "Y = 1\n");
    world.write("data.txt", "one\n");
    world.write(
        "test_a.py",
        "import pkg.core\ndef test_reads(): assert open('data.txt').read()\ndef test_plain(): pass\n",
    );
    world.write(
        "test_b.py",
        "def test_imports():\n  import pkg.late\ndef test_dies():\n  import os; os.abort()\n",
    );
}

#[test]
fn what_tests_use_is_told_and_recorded() {
    let world = world();
    project(&world);
    // One process for each test: what is told is that test's alone.
    let ran = pytest(&world, &["--record-files", "--granularity", "test"]).exits(1);
    let own: Vec<String> = ran
        .events_of("facts")
        .iter()
        .filter(|event| event["shared"] != true)
        .map(|event| {
            let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            format!(
                "{} {}{}",
                name(&event["tests"][0]["name"]),
                name(&event["opened"][0]),
                name(&event["imported"][0])
            )
        })
        .collect();
    let mut sorted = own.clone();
    sorted.sort();
    assert_eq!(sorted, ["test_imports pkg/late.pypkg.late", "test_plain ", "test_reads data.txt"], "{ran:?}");
    let concerned = |file: &str| {
        ask(
            &world,
            &format!(
                "select distinct test from files where name = '{file}' and kind = 'opened' order by test"
            ),
        )
    };
    assert_eq!(concerned("data.txt"), ["test_reads"]);
    assert_eq!(concerned("pkg/late.py"), ["test_imports"]);
    let of_core = concerned("pkg/core.py");
    assert!(
        of_core.contains(&"test_plain".to_owned()) && of_core.contains(&"test_reads".to_owned()),
        "{of_core:?}"
    );
    // Of the test that died nothing is known, and that can be asked for.
    let unknown = "select test from results where not exists (select 1 from recorded where recorded.run = results.run \
        and recorded.grp = results.grp and recorded.test = results.test)";
    assert_eq!(ask(&world, unknown), ["test_dies"]);
}

#[test]
fn nothing_is_recorded_unasked() {
    let world = world();
    project(&world);
    let ran = pytest(&world, &[]).exits(1);
    assert!(ran.events_of("facts").is_empty(), "{ran:?}");
    assert_eq!(ask(&world, "select count(*) from facts"), ["0"]);
}
