//! Which Python is found in made-up worlds.

use super::{Interpreter, NotFound, Place, Wants, Why, find};
use seatrial_model::Bytes;

/// A world: variables as `NAME=VALUE`, and the files that are there.
struct World {
    env: Vec<&'static str>,
    files: Vec<&'static str>,
    explicit: Option<&'static str>,
    cwd: &'static str,
    root: Option<&'static str>,
}

impl World {
    fn new(env: &[&'static str], files: &[&'static str]) -> Self {
        Self {
            env: env.to_vec(),
            files: files.to_vec(),
            explicit: None,
            cwd: "/home/p/sub",
            root: Some("/home/p"),
        }
    }

    fn find(&self) -> Result<Interpreter, NotFound> {
        let pair = |words: &&str| {
            let (key, value) = words.split_once('=').expect("NAME=VALUE");
            (Bytes::from(key), Bytes::from(value))
        };
        let env: Vec<(Bytes, Bytes)> = self.env.iter().map(pair).collect();
        let place = Place {
            explicit: self.explicit.map(str::as_bytes),
            env: &env,
            cwd: self.cwd.as_bytes(),
            root: self.root.map(str::as_bytes),
        };
        find(&place, &|path| self.files.iter().any(|file| file.as_bytes() == path))
    }

    fn path(&self) -> String {
        let found = self.find().unwrap_or_else(|error| panic!("{error}"));
        found.path.to_text().into_owned()
    }
}

const PATH: &str = "PATH=/opt/bin:/usr/bin";

#[test]
fn the_nearest_to_the_users_word_wins() {
    let ladder = [
        ("/opt/other/python", "named by `--python`"),
        ("/v/bin/python", "of the active environment (VIRTUAL_ENV)"),
        ("/home/p/sub/.venv/bin/python", "of the project's environment `/home/p/sub/.venv`"),
        ("/home/p/sub/venv/bin/python", "of the project's environment `/home/p/sub/venv`"),
        ("/home/p/.venv/bin/python", "of the project's environment `/home/p/.venv`"),
        ("/home/p/venv/bin/python", "of the project's environment `/home/p/venv`"),
        ("/conda/bin/python", "of the active conda environment (CONDA_PREFIX)"),
        ("/opt/bin/python3", "the first `python3` in PATH, for no environment is active"),
        ("/usr/bin/python3", "the first `python3` in PATH, for no environment is active"),
        ("/opt/bin/python", "the first `python` in PATH, for no environment is active"),
    ];
    let files: Vec<&'static str> = ladder.iter().map(|(path, _)| *path).collect();
    for (rung, (path, why)) in ladder.into_iter().enumerate() {
        let mut env = vec![PATH, "CONDA_PREFIX=/conda"];
        if rung <= 1 {
            env.push("VIRTUAL_ENV=/v");
        }
        let mut world = World::new(&env, &files[rung..]);
        world.explicit = (rung == 0).then_some("/opt/other/python");
        let found = world.find().unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!((found.path.to_text().as_ref(), found.why.to_string().as_str()), (path, why));
    }
}

#[test]
fn the_search_upwards_ends_at_the_root() {
    let mut world = World::new(&[PATH], &["/home/.venv/bin/python", "/usr/bin/python3"]);
    assert_eq!(world.path(), "/usr/bin/python3");
    for root in [None, Some("/"), Some("/elsewhere")] {
        world.root = root;
        assert_eq!(world.path(), "/home/.venv/bin/python", "{root:?}");
    }
    world.files.push("/.venv/bin/python");
    world.files.remove(0);
    assert_eq!(world.path(), "/.venv/bin/python");
    // The root itself is looked at, however it is written.
    let mut world = World::new(&[PATH], &["/home/p/.venv/bin/python"]);
    world.root = Some("/home/p/");
    assert_eq!(world.path(), "/home/p/.venv/bin/python");
    world.cwd = "/home/p/";
    assert_eq!(world.path(), "/home/p/.venv/bin/python");
}

#[test]
fn what_python_names() {
    let files = ["/home/p/sub/env/bin/python", "/usr/bin/python3.9", "/home/p/sub/mine"];
    let named = |name| World { explicit: Some(name), ..World::new(&[PATH, "VIRTUAL_ENV=/v"], &files) };
    assert_eq!(named("python3.9").path(), "/usr/bin/python3.9");
    assert_eq!(named("./mine").path(), "/home/p/sub/mine");
    assert_eq!(named("./env").path(), "/home/p/sub/env/bin/python", "an environment by its directory");
}

#[test]
fn a_name_that_leads_nowhere_is_an_error() {
    let files = ["/usr/bin/python3"];
    let world = World { explicit: Some("python9"), ..World::new(&[PATH], &files) };
    assert_eq!(world.find(), Err(NotFound::Option("python9".into())));
    let error = World::new(&[PATH, "VIRTUAL_ENV=/gone"], &files).find().expect_err("stale");
    assert_eq!(error, NotFound::Stale("/gone".into()));
    assert!(error.to_string().contains("`/gone`") && error.to_string().contains("unset VIRTUAL_ENV"));
    // Empty is unset. An environment of conda's need not hold a Python.
    for variable in ["VIRTUAL_ENV=", "CONDA_PREFIX=", "CONDA_PREFIX=/conda"] {
        assert_eq!(World::new(&[PATH, variable], &files).path(), "/usr/bin/python3", "{variable}");
    }
}

#[test]
fn no_python_at_all() {
    let world = World::new(&[PATH], &[]);
    assert_eq!(world.find(), Err(NotFound::Nowhere { wants: None }));
    assert_eq!(World::new(&[], &["/usr/bin/python3"]).find(), Err(NotFound::Nowhere { wants: None }));
    let world = World::new(&[], &["/home/p/uv.lock"]);
    let error = world.find().expect_err("nothing");
    assert_eq!(error, NotFound::Nowhere { wants: wants("uv") });
    assert!(error.to_string().contains("`uv run seatrial pytest`"), "{error}");
}

fn wants(tool: &'static str) -> Option<Wants> {
    Some(Wants { tool, directory: "/home/p".into() })
}

#[test]
fn a_project_of_another_tool_without_its_environment() {
    for (lock, tool) in
        [("poetry.lock", "poetry"), ("pdm.lock", "pdm"), ("Pipfile.lock", "pipenv"), ("uv.lock", "uv")]
    {
        let lock = format!("/home/p/{lock}");
        let found = World::new(&[PATH], &[lock.leak(), "/usr/bin/python3"]).find().expect("python3");
        assert_eq!(found.wants, wants(tool));
        let text =
            found.wants.map(|wants| format!("{}; {}", wants.problem(), wants.mend())).unwrap_or_default();
        assert!(
            text.contains("`/home/p`") && text.contains(&format!("`{tool} run seatrial pytest`")),
            "{text}"
        );
    }
}

#[test]
fn uvs_environment_may_have_another_name() {
    for (variable, python) in [
        ("UV_PROJECT_ENVIRONMENT=env", "/home/p/env/bin/python"),
        ("UV_PROJECT_ENVIRONMENT=/usr/local", "/usr/local/bin/python"),
    ] {
        let found = World::new(&[PATH, variable], &["/home/p/uv.lock", python, "/usr/bin/python3"]).find();
        let found = found.expect("uv's");
        assert_eq!((found.path, found.wants), (python.into(), None));
        let other = World::new(&[PATH, variable], &[python, "/usr/bin/python3"]).find().expect("python3");
        assert_eq!(other.path, "/usr/bin/python3".into(), "no project of uv's");
    }
}

#[test]
fn a_project_of_uv_without_its_environment() {
    let lock = "/home/p/uv.lock";
    let path = World::new(&[PATH], &[lock, "/usr/bin/python3"]).find().expect("python3");
    assert_eq!((path.why, path.wants), (Why::Path("python3"), wants("uv")));
    let conda = World::new(&["CONDA_PREFIX=/c"], &[lock, "/c/bin/python"]).find().expect("conda's");
    assert_eq!((conda.why, conda.wants), (Why::Conda, wants("uv")));
    let made = World::new(&[PATH], &[lock, "/home/p/.venv/bin/python"]).find().expect("its own");
    assert_eq!(made.wants, None);
    let active = World::new(&["VIRTUAL_ENV=/v"], &[lock, "/v/bin/python"]).find().expect("the active");
    assert_eq!(active.wants, None);
    let above = World::new(&[PATH], &["/home/uv.lock", "/usr/bin/python3"]).find().expect("python3");
    assert_eq!(above.wants, None, "not the project's");
}

#[test]
fn an_empty_entry_of_path_is_the_working_directory() {
    let world = World::new(&["PATH=/opt/bin::/usr/bin"], &["/home/p/sub/python3", "/usr/bin/python3"]);
    assert_eq!(world.path(), "/home/p/sub/python3");
}

#[test]
fn environments_with_only_python3() {
    let world = World::new(&["VIRTUAL_ENV=/v"], &["/v/bin/python3"]);
    assert_eq!(world.path(), "/v/bin/python3");
}
