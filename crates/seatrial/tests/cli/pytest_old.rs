//! Pythons that are too old for forks: a process for each file. Tried where `SEATRIAL_TEST_PYTHON2` names a Python 2 that has
//! pytest; the helper's own tests (`python/tests/test_old.py`) need none.

use super::pytest::{outcomes, pairs};
use super::world;

#[test]
fn python_2_runs_file_by_file() {
    let Ok(python) = std::env::var("SEATRIAL_TEST_PYTHON2") else { return };
    let world = world();
    world.write(
        "test_a.py",
        "import os, sys\n\
         def test_1():\n    open('left', 'w').write('x')\n    assert sys.version_info[0] == 2\n\
         def test_2(): assert os.path.exists('left')\n\
         def test_3(): assert 1 + 1 == 3, 'sums are hard'\n",
    );
    world.write("test_b.py", "import os\ndef test_4(): assert not os.path.exists('left')\n");
    world.write("test_c.py", "import os\ndef test_5(): os._exit(0)\ndef test_6(): pass\n");
    for slots in ["1", "2"] {
        let ran =
            world.seatrial(["pytest", "--python", &python, "--format", "json", "-n", slots]).run().exits(1);
        let wanted = [
            ("test_1", "pass"),
            ("test_2", "pass"),
            ("test_3", "fail"),
            ("test_4", "pass"),
            ("test_5", "crash"),
            ("test_6", "error"),
        ];
        assert_eq!(outcomes(&ran), pairs(&wanted), "{ran:?}");
        ran.tells("too old").tells("sums are hard");
        assert!(!world.project.join("left").exists());
    }
}
