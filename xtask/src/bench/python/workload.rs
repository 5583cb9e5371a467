//! Projects to be measured: generated tests, and published projects as they are.

use super::Bench;
use crate::corpus::python::environment::Environment;
use crate::corpus::python::suites::{self, Suite};
use crate::process::{Result, write};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Tests in a folder, and the environment that they need.
pub(super) struct Workload {
    pub(super) title: String,
    pub(super) folder: PathBuf,
    pub(super) args: Vec<String>,
    environment: Environment,
}

impl Workload {
    /// A program of the environment.
    pub(super) fn program(&self, name: &str) -> String {
        self.environment.program(name).display().to_string()
    }
}

/// Modules with so many tests each, that do next to nothing. Each test's report says when its set-up began.
pub(super) fn tiny(bench: &Bench, (modules, tests): (usize, usize)) -> Result<Workload> {
    let folder = bench.place.work.join(format!("tiny-{modules}x{tests}"));
    write(&folder.join("pytest.ini"), "[pytest]\n")?;
    write(
        &folder.join("conftest.py"),
        "import time\n\n\ndef pytest_runtest_setup(item):\n    item.user_properties.append((\"at\", time.time()))\n",
    )?;
    for module in 0..modules {
        let mut source = String::new();
        for test in 0..tests {
            let _ = write!(source, "def test_{test:02}():\n    assert {test} + 1 == {}\n\n\n", test + 1);
        }
        write(&folder.join(format!("test_m{module:03}.py")), source)?;
    }
    let title = format!("{} tiny tests in {modules} modules", modules * tests);
    Ok(Workload { title, folder, args: Vec::new(), environment: bare(bench)? })
}

/// A project of the corpus.
pub(super) fn published(bench: &Bench, name: &str) -> Result<Workload> {
    let fits = |suite: &Suite| suite.name == name && suite.fits(bench.python.version);
    let mut suite = suites::pinned()?.into_iter().find(fits).ok_or_else(|| {
        format!("benches/corpus/python.txt has no {name} for Python {}", bench.python.label())
    })?;
    suite.needs.push("pytest-xdist".to_owned());
    let environment = Environment::ready(&bench.place, &suite, &bench.python)?;
    let folder = environment.fresh_copy(&bench.place)?;
    Ok(Workload { title: format!("{name} {}", suite.version), folder, args: suite.args, environment })
}

/// pytest and pytest-xdist, and nothing else.
fn bare(bench: &Bench) -> Result<Environment> {
    let fits = |suite: &Suite| suite.name == "pytest" && suite.fits(bench.python.version);
    let pinned = suites::pinned()?.into_iter().find(fits);
    let mut suite = pinned.ok_or("benches/corpus/python.txt has no pytest for this Python")?;
    suite.digest = None;
    suite.needs = vec!["pytest-xdist".to_owned()];
    Environment::ready(&bench.place, &suite, &bench.python)
}
