//! What a warmer wrote stays; what a test wrote does not.

use crate::Test;
use crate::room::{Kind, Room, cow, py};
use seatrial_sandbox::JobEnd;

pub(crate) const TESTS: &[Test] = &[
    ("keeping::files_of_fixtures_stay_and_files_of_tests_go", files_of_fixtures_stay_and_files_of_tests_go),
    ("keeping::deleted_and_renamed_files_are_as_the_fixture_left_them", deletions_stay),
    ("keeping::a_directory_made_anew_hides_the_one_below", a_directory_made_anew_hides_the_one_below),
    ("keeping::nothing_reaches_the_host", nothing_reaches_the_host),
    ("keeping::many_layers_end_the_warmer_and_nothing_else", many_layers_end_the_warmer),
    ("keeping::fresh_directories_keep_modes_and_mounts", fresh_directories_keep_modes_and_mounts),
    ("keeping::another_launch_finds_the_hosts_state", another_launch_finds_the_hosts_state),
    ("keeping::files_of_tests_stay_where_the_warmer_says_so", files_of_tests_stay),
    ("keeping::objects_of_ipc", objects_of_ipc),
    ("keeping::layers_that_tests_wrote_are_handed_out", layers_that_tests_wrote_are_handed_out),
    ("keeping::a_private_tmpdir", a_private_tmpdir),
];

/// The directories of a room in which everybody may write.
fn places(room: &Room) -> String {
    let paths = [py(&room.home), py(&room.project), "'/tmp'".to_owned(), "'/dev/shm'".to_owned()];
    format!("places = [{}]", paths.join(", "))
}

fn files_of_fixtures_stay_and_files_of_tests_go() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let places = places(&room);
        // A test that writes before anything was kept.
        room.warm(&places, &["[write(p + '/before') for p in places]"]).reports("");
        let look = "say([sorted(os.listdir(p)) for p in places])";
        let host = "'file', 'tree'";
        let project = room.project.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let seen = |more: &str, only: &str| {
            format!("[[{more}{host}], [{more}{host}], [{more}'{project}'], [{only}]]")
        };
        room.warm("", &[look]).reports(&seen("", ""));
        for round in 1..4 {
            let fixture = format!("[write(p + '/a{round}', 'kept') for p in places]");
            let dirty = "[write(p + '/b') for p in places]; [write(p + '/a1', 'test') for p in places]
[os.mkdir(p + '/c') for p in places]; write(places[0] + '/tree/inner/leaf', 'test')";
            let kept: Vec<String> = (1..=round).map(|round| format!("'a{round}'")).collect();
            let (with_more, alone) = (kept.join(", ") + ", ", kept.join(", "));
            let read = "say([read(p + '/a1') for p in places] + [read(places[0] + '/tree/inner/leaf')])";
            let seen = seen(&with_more, &alone) + "\n['kept', 'kept', 'kept', 'kept', 'host']";
            let job = room.warm(&fixture, &[dirty, dirty, &format!("{look}\n{read}")]);
            job.reports(&seen);
            room.warm("", &[&format!("{look}\n{read}")]).reports(&seen);
        }
    }
}

fn files_of_tests_stay() {
    for kind in cow().into_iter().chain([Kind::Process]) {
        let mut room = Room::new(kind);
        // It is held open, and has to be the one that is found by its name.
        let fixture = "import tempfile
path = os.path.join(tempfile.gettempdir(), 'open'); held = open(path, 'w+'); keeping = 'stay'
import subprocess; subprocess.run(['ipcmk', '-S', '1'], stdout=subprocess.DEVNULL, check=True)";
        let look = "say(read(path) + str(os.path.samestat(os.stat(path), os.fstat(held.fileno()))))";
        let tests = ["held.write('a'); held.flush(); write(path + '2')", look, "write(path + '3')"];
        room.warm(fixture, &tests).reports("aTrue");
        let names = "say(sorted(name for name in os.listdir(os.path.dirname(path)) if 'open' in name))";
        room.warm("", &[look, names]).reports("aTrue\n['open', 'open2', 'open3']");
        room.warm("keeping = 'keep'", &["write(path + '4')", names]).reports("['open', 'open2', 'open3']");
    }
}

fn deletions_stay() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let places = places(&room);
        room.warm(&format!("{places}\n[write(p + '/mine', 'mine') for p in places]"), &[]).reports("");
        // The fixture deletes and renames the host's files and its own.
        let fixture = "
for p in places[:2]:
    os.remove(p + '/tree/leaf'); os.rename(p + '/file', p + '/renamed')
for p in places:
    os.rename(p + '/mine', p + '/yours')";
        let look = "say([sorted(os.listdir(p)) for p in places[:2]] + [os.listdir(places[0] + '/tree')])
say([read(p + '/yours') + str(os.path.exists(p + '/mine')) for p in places] + [read(places[1] + '/renamed')])";
        let seen = "[['renamed', 'tree', 'yours'], ['renamed', 'tree', 'yours'], ['inner']]
['mineFalse', 'mineFalse', 'mineFalse', 'mineFalse', 'host']";
        let undo = "
import shutil
for p in places:
    os.rename(p + '/yours', p + '/mine'); write(p + '/yours', 'test')
    os.remove(p + '/mine')
for p in places[:2]:
    write(p + '/tree/leaf', 'test'); os.remove(p + '/renamed'); write(p + '/file', 'test')
    shutil.rmtree(p + '/tree'); os.mkdir(p + '/tree')";
        room.warm(fixture, &[look, undo, look]).reports(&format!("{seen}\n{seen}"));
        // A later fixture, over its own earlier deletions.
        room.warm("write(places[0] + '/tree/leaf', 'again')", &[undo, "say(read(places[0] + '/tree/leaf'))"])
            .reports("again");
    }
}

fn a_directory_made_anew_hides_the_one_below() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let places = places(&room);
        let anew = "import shutil\nfor p in places[:2]:
    shutil.rmtree(p + '/tree'); os.mkdir(p + '/tree'); write(p + '/tree/new', 'kept')";
        let look = "say([sorted(os.listdir(p + '/tree')) for p in places[:2]])";
        let fill = "[os.makedirs(p + '/tree/inner') or write(p + '/tree/inner/other') for p in places[:2]]";
        let seen = "[['new'], ['new']]";
        room.warm(&format!("{places}\n{anew}"), &[look, fill, look]).reports(&format!("{seen}\n{seen}"));
        // Once more, over the kept one.
        room.warm(&anew.replace("new'", "newer'"), &[fill, look]).reports("[['newer'], ['newer']]");
    }
}

fn nothing_reaches_the_host() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let fixture = format!("{}\n[write(p + '/room-x', 'new') for p in places]", places(&room));
        let change = "[write(p + '/file', 'changed') for p in places[:2]]";
        room.warm(&format!("{fixture}\n{change}"), &[change, "os.remove(places[0] + '/tree/leaf')"])
            .reports("");
        for dir in [&room.home, &room.project] {
            assert_eq!(std::fs::read_to_string(dir.join("file")).unwrap(), "host");
            assert!(dir.join("tree/leaf").exists() && !dir.join("room-x").exists());
        }
        assert!(!std::fs::exists("/tmp/room-x").unwrap() && !std::fs::exists("/dev/shm/room-x").unwrap());
    }
}

fn many_layers_end_the_warmer() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let places = places(&room);
        let mut warmers = std::collections::BTreeSet::new();
        let mut ends = 0;
        for round in 0..80 {
            let fixture = format!("{places}\n[write(p + '/n{round}') for p in places]");
            let did = room.warm(&fixture, &["say(os.getppid()); say(len(os.listdir(places[0])))"]);
            let mut lines = did.report.lines();
            let (warmer, files) = (lines.next().unwrap().to_owned(), lines.next().unwrap().to_owned());
            did.clean().ends(JobEnd::Exit(0));
            if warmers.insert(warmer) {
                // With a new warmer the host's state is back.
                assert_eq!(files, "3", "round {round}");
                ends += 1;
            }
        }
        assert!((2..20).contains(&ends), "{kind:?}: {ends} warmers");
        // Within one job, much deeper.
        let fixture = "[write(p + '/a') for p in places]";
        let deep = format!(
            "for round in range(60):
    write(places[0] + '/m%d' % round); tell('keep'); expect(b'kept')
say(len(os.listdir(places[0])) - {})",
            2
        );
        let did = room.payload(&crate::room::payload(fixture, &[], &deep));
        assert!(did.report.trim_end().parse::<u32>().unwrap() >= 61, "{did:?}");
        did.clean().ends(JobEnd::Exit(0));
    }
}

fn fresh_directories_keep_modes_and_mounts() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let project = py(&room.project);
        let look = "say([oct(os.stat(p).st_mode & 0o7777) for p in ['/tmp', '/dev/shm', project]])";
        let seen = "['0o1777', '0o1777', '0o750']";
        let fixture =
            format!("project = {project}; os.chmod(project, 0o750); write('/tmp/a'); write('/dev/shm/a')");
        let spoil = "os.chmod(project, 0o700); write(project + '/x'); write('/tmp/x'); write('/dev/shm/x')
os.mkfifo('/tmp/fifo'); os.symlink('/tmp/a', '/tmp/link')";
        let did = room.warm(&fixture, &[look, spoil, look, spoil]);
        did.reports(&format!("{seen}\n{seen}"));
        // A mount of its own still, above what was kept.
        room.warm("", &["say(os.path.ismount(project)); say(os.path.ismount('/tmp')); say(sorted(os.listdir(project)))"])
            .reports("True\nTrue\n['file', 'tree']");
    }
}

fn another_launch_finds_the_hosts_state() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let fixture = format!("{}\n[write(p + '/kept') for p in places]", places(&room));
        room.warm(&format!("{fixture}\nos.remove(places[0] + '/file')"), &[]).reports("");
        let script = format!(
            "cd {}; echo $(ls) $(cat file) $(ls -A /dev/shm) $(ls /tmp | grep -c kept); echo x > {}/y",
            room.home.display(),
            room.project.display()
        );
        for _ in 0..2 {
            let did = room.sh(&script);
            assert_eq!(did.output.trim_end(), "file tree host 0", "{did:?}");
            did.clean();
        }
        room.warm(&format!("{}\nsay([os.path.exists(p + '/kept') for p in places])", places(&room)), &[])
            .reports("[False, False, False, False]");
    }
}

fn objects_of_ipc() {
    let make = "import subprocess\nsubprocess.run(['ipcmk', '-S', '1'], check=True, stdout=2)";
    let count = "import subprocess\nsay(subprocess.run(['ipcs'], stdout=-1).stdout.count(b'0x'))";
    let mut room = Room::new(Kind::Memory);
    let first = room.warm(make, &[count, "say(os.getppid())"]);
    let mut lines = first.report.lines();
    let (objects, warmer) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(objects, "1", "{first:?}");
    // What a fixture made is no reason to end it.
    room.warm("", &[count, "say(os.getppid())"]).reports(&format!("1\n{warmer}"));
    // What a test makes is one, and the next finds nothing of either.
    for (tests, end) in [
        (&[make][..], 0),
        (&["pass", make, "say('after it')"], 0),
        (&[&(make.to_owned() + "; sys.exit(3)")], 3),
    ] {
        let did = room.warm("", tests);
        assert!(did.ended.warmer_lost && did.report.is_empty(), "{did:?}");
        did.ends(JobEnd::Exit(end)).clean();
        room.warm("", &[count]).reports("0");
    }
}

fn layers_that_tests_wrote_are_handed_out() {
    for kind in cow() {
        let mut room = Room::new(kind);
        let home = py(&room.home);
        let did = room.warm(
            &format!("home = {home}\nwrite(home + '/kept')"),
            &["write(home + '/one')", "pass", "write(home + '/two')"],
        );
        let mut found: Vec<String> = Vec::new();
        for layer in &did.ended.written {
            use std::os::fd::AsRawFd;
            let inside = room.home.strip_prefix(&layer.path).unwrap();
            let top = format!("/proc/self/fd/{}/u", layer.layer.as_raw_fd());
            let names = std::fs::read_dir(std::path::Path::new(&top).join(inside)).unwrap();
            found.extend(names.map(|name| name.unwrap().file_name().to_string_lossy().into_owned()));
        }
        assert_eq!(found, ["one", "two"], "{did:?}");
    }
}

fn a_private_tmpdir() {
    let mut room = Room::new(Kind::Process);
    let tmp = py(&room.tmp);
    let look = "say([(at == tmp, sorted(dirs), sorted(files)) for at, dirs, files in os.walk(tmp)])";
    room.warm(&format!("tmp = {tmp}\nos.mkdir(tmp + '/d'); write(tmp + '/d/kept')"), &[
        look,
        "write(tmp + '/d/x'); os.makedirs(tmp + '/e/f'); write(tmp + '/e/f/g'); os.symlink('/', tmp + '/d/link')",
        look,
    ])
    .reports("[(True, ['d'], []), (False, [], ['kept'])]\n[(True, ['d'], []), (False, [], ['kept'])]");
    // Another launch finds it empty.
    let did = room.sh(&format!("ls -A {}", room.tmp.display()));
    assert_eq!(did.output, "", "{did:?}");
}
