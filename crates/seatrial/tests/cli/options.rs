//! Options that all commands share: what is kept, written back and reported, and the weaker isolation.

use super::{world, worlds};
use std::fs;
use std::path::Path;

#[test]
fn keep_prints_where_and_the_files_are_there() {
    for world in worlds() {
        world.write("old", "old");
        let script = "echo precious > ./made; rm old; exit 1";
        let ran = world.seatrial(["exec", "-n", "1", "--keep", "--", "sh", "-c", script]).run().exits(1);
        let text = ran.err();
        let line = text.lines().find(|line| line.contains("kept in")).unwrap_or_else(|| panic!("{ran:?}"));
        let folder = Path::new(line.split("kept in ").nth(1).unwrap().trim()).to_owned();
        let found = find(&folder, "made").unwrap_or_else(|| panic!("nothing in {}", folder.display()));
        assert_eq!(fs::read_to_string(found).unwrap(), "precious\n");
        assert!(!world.project.join("made").exists() && world.project.join("old").exists());
    }
}

fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if entry.file_name() == name { Some(path) } else { find(&path, name) }
    })
}

#[test]
fn written_files_that_match_are_copied_back() {
    for world in worlds() {
        world.write("snapshots/a.snap", "old");
        world.write("snapshots/gone.snap", "old");
        let script = "echo new > snapshots/a.snap; echo more > snapshots/b.snap; rm snapshots/gone.snap; echo no > other.txt";
        let call = world.seatrial(["exec", "-n", "1", "--write-back", "**/*.snap", "--", "sh", "-c", script]);
        call.run().exits(0);
        let read = |name: &str| fs::read_to_string(world.project.join(name)).ok();
        assert_eq!(read("snapshots/a.snap").as_deref(), Some("new\n"));
        assert_eq!(read("snapshots/b.snap").as_deref(), Some("more\n"));
        assert_eq!((read("snapshots/gone.snap"), read("other.txt")), (None, None));
        let owner = std::os::unix::fs::MetadataExt::uid(
            &fs::metadata(world.project.join("snapshots/b.snap")).unwrap(),
        );
        assert_eq!(owner, world.uid());
    }
}

#[test]
fn a_write_back_conflict_is_an_error_and_no_pass() {
    let world = world();
    let call = world.seatrial([
        "exec",
        "-n",
        "2",
        "-j",
        "1",
        "--format",
        "json",
        "--write-back",
        "*.snap",
        "--",
        "sh",
        "-c",
    ]);
    let ran = call.arg("echo {index} > the.snap").run().exits(1);
    let mut outcomes: Vec<String> = ran.outcomes().into_iter().map(|(_, _, outcome)| outcome).collect();
    outcomes.sort();
    assert_eq!(outcomes, ["error", "pass"], "{ran:?}");
    ran.tells("conflict").tells("the.snap");
}

#[test]
fn writes_of_a_failure_that_are_thrown_away_are_named() {
    let world = world();
    let ran =
        world.seatrial(["exec", "-n", "1", "--", "sh", "-c", "echo x > made.txt; exit 1"]).run().exits(1);
    ran.tells("made.txt").tells("--write-back");
}

#[test]
fn the_junit_report_is_well_formed_and_complete() {
    let world = world();
    let call = world.seatrial(["exec", "-n", "3", "--junit", "report.xml", "--", "sh", "-c"]);
    let _ = call.arg("printf '<&]]>\\033\\377'; test {index} != 2").run().exits(1);
    let path = world.project.join("report.xml");
    let script = "import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot(); cases = list(root.iter('testcase'))
print(root.get('tests'), root.get('failures'), sorted(case.get('name') for case in cases))
print([case.get('name') for case in cases if case.find('failure') is not None])";
    let ran = world
        .call(Path::new("/usr/bin/python3"), ["-c".as_ref(), script.as_ref(), path.as_os_str()])
        .run()
        .exits(0);
    ran.says("3 1 ['1', '2', '3']\n['2']");
}

#[test]
fn a_junit_report_that_cannot_be_written_is_said() {
    let world = world();
    let ran =
        world.seatrial(["exec", "-n", "1", "--junit", "no/such/report.xml", "--", "true"]).run().exits(2);
    ran.tells("no/such");
    fs::create_dir(world.project.join("taken")).unwrap();
    let ran = world.seatrial(["exec", "-n", "1", "--junit", "taken", "--", "true"]).run();
    ran.tells("taken").tells("JUnit");
}

#[test]
fn process_isolation_has_a_private_tmpdir_and_kills_the_tree() {
    for world in worlds() {
        let script = "test -d $TMPDIR && test -z \"$(ls -A $TMPDIR)\" && echo $TMPDIR && echo x > $TMPDIR/file && (sleep 1000 &)";
        let call = world.seatrial([
            "exec",
            "-n",
            "4",
            "-j",
            "2",
            "--isolation",
            "process",
            "--format",
            "json",
            "--",
            "sh",
            "-c",
        ]);
        let ran = call.arg(script).run().exits(0);
        assert_eq!(ran.events_of("run-started")[0]["isolation"], "process");
        for event in ran.events_of("attempt-finished") {
            let tmp = event["output"]["stdout"]["head"].as_str().unwrap().trim().to_owned();
            assert!(Path::new(&tmp).starts_with(&world.tmp), "{tmp}");
            assert!(!Path::new(&tmp).exists(), "{tmp} is left");
        }
    }
}

#[test]
fn process_isolation_kills_what_leaves_its_group() {
    for world in worlds() {
        let script = "(setsid sleep 1000 >/dev/null 2>&1 </dev/null &); echo up";
        let ran = world.sh_with(&["--isolation", "process"], script).exits(0);
        ran.says("up");
        world.nothing_is_left();
    }
}

#[test]
fn process_isolation_ends_jobs_at_their_time() {
    let world = world();
    let script = "trap '' TERM; sleep 1000 & while :; do wait; done";
    let call = world.seatrial([
        "exec",
        "-n",
        "1",
        "--isolation",
        "process",
        "--timeout",
        "200ms",
        "--grace",
        "200ms",
        "--",
    ]);
    call.args(["sh", "-c", script]).run().exits(1).tells("timed out");
}

#[test]
fn process_isolation_is_the_hosts_own_system() {
    let world = world();
    let ran =
        world.sh_with(&["--isolation", "process"], "echo x > real.txt; readlink /proc/self/ns/mnt").exits(0);
    ran.says(&fs::read_link("/proc/self/ns/mnt").unwrap().display().to_string());
    assert!(world.project.join("real.txt").exists());
}

#[test]
fn projects_with_odd_names_work() {
    for world in worlds() {
        for name in ["with blank", "quote'\"", "unicode-ä-船", "colon:comma,back\\slash", "new\nline"] {
            let file = world.write(format!("{name}/file"), "content");
            let dir = file.parent().unwrap();
            let ran = world
                .seatrial(["exec", "--", "sh", "-c", "cat file; echo changed > file; echo new > new"])
                .cwd(dir)
                .run();
            assert_eq!((ran.code(), ran.out().as_str()), (0, "content"), "{ran:?}");
            assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
        }
    }
}

#[test]
fn doctor_says_what_this_machine_can() {
    let ran = world().seatrial(["doctor"]).run();
    ran.tells("containers").tells("control groups");
}
