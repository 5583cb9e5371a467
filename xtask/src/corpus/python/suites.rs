//! `benches/corpus/python.txt`: which projects, in which versions, and how their tests are run.

use crate::process::{Result, read, root};

/// A Python's version, major and minor.
pub(crate) type Version = (u32, u32);

/// A published project and its tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SHA-256 of its source distribution; none for a project that is installed as the index has it, tests within.
    pub(crate) digest: Option<String>,
    /// The first and the last Python that it is for.
    pythons: Option<(Version, Version)>,
    /// What its tests need, as pip reads it.
    pub(crate) needs: Vec<String>,
    /// Arguments of pytest.
    pub(crate) args: Vec<String>,
    /// Where in the source pytest is started.
    pub(crate) folder: String,
    /// Variables for all runs.
    pub(crate) vars: Vec<(String, String)>,
}

impl Suite {
    /// Whether this entry is for a Python.
    pub(crate) fn fits(&self, version: Version) -> bool {
        self.pythons.is_none_or(|(first, last)| (first..=last).contains(&version))
    }
}

/// The pinned projects.
pub(crate) fn pinned() -> Result<Vec<Suite>> {
    parse(&read(&root().join("benches/corpus/python.txt"))?)
}

/// Reads entries: a line `NAME VERSION SHA256` (or `-`), then indented lines `python`, `needs`, `args`, `folder`, `env`.
/// `#` begins a comment.
pub(crate) fn parse(text: &str) -> Result<Vec<Suite>> {
    let mut suites: Vec<Suite> = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default();
        if line.trim_start().starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            suites.push(head(line)?);
            continue;
        }
        let suite = suites.last_mut().ok_or_else(|| format!("`{line}` stands under no project"))?;
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let words = || rest.split_whitespace().map(str::to_owned);
        match word {
            "python" => suite.pythons = Some(range(rest.trim())?),
            "needs" => suite.needs.extend(words()),
            "args" => suite.args.extend(words()),
            "folder" => suite.folder = rest.trim().to_owned(),
            "env" => {
                let pair = rest.trim().split_once('=').ok_or_else(|| format!("`{line}` has no `=`"))?;
                suite.vars.push((pair.0.to_owned(), pair.1.to_owned()));
            }
            other => return Err(format!("`{other}` under {} means nothing", suite.name)),
        }
    }
    Ok(suites)
}

fn head(line: &str) -> Result<Suite> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, version, digest] = words[..] else {
        return Err(format!("`{line}` is not `NAME VERSION SHA256`"));
    };
    let digest = (digest != "-").then(|| digest.to_owned());
    Ok(Suite { name: name.to_owned(), version: version.to_owned(), digest, ..Suite::default() })
}

/// `3.8`, `3.8-3.9` or `3.10+`.
fn range(text: &str) -> Result<(Version, Version)> {
    let read = |text: &str| -> Option<Version> {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let found = match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(first), _) => read(first).map(|first| (first, (u32::MAX, 0))),
        (None, Some((first, last))) => read(first).zip(read(last)),
        (None, None) => read(text).map(|version| (version, version)),
    };
    found.ok_or_else(|| format!("`{text}` is no range of Pythons like `3.8`, `3.8-3.9` or `3.10+`"))
}

#[cfg(test)]
mod tests {
    use super::{parse, pinned};

    #[test]
    fn entries_are_read() {
        let suites = parse(
            "# a comment\na 1.0 abc\n  python 3.8-3.9\n  needs x==1 y # why\n  args -k no\n  env A=b=c\nb 2 -\n  folder sub\n",
        );
        let suites = suites.unwrap_or_default();
        assert_eq!(suites.len(), 2);
        let (a, b) = (&suites[0], &suites[1]);
        assert_eq!((a.needs.join(" "), a.args.join(" ")), ("x==1 y".to_owned(), "-k no".to_owned()));
        assert_eq!(a.vars, [("A".to_owned(), "b=c".to_owned())]);
        let fits = |version| (a.fits(version), b.fits(version));
        assert_eq!(
            [fits((3, 7)), fits((3, 8)), fits((3, 9)), fits((3, 10))],
            [(false, true), (true, true), (true, true), (false, true)]
        );
        assert_eq!((b.digest.clone(), b.folder.as_str()), (None, "sub"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("a 1.0", "`a 1.0`"),
            ("  args x", "under no project"),
            ("a 1 -\n  arg x", "`arg`"),
            ("a 1 -\n  python 3", "`3`"),
        ] {
            assert!(parse(text).is_err_and(|error| error.contains(word)), "{text}");
        }
    }

    #[test]
    fn the_repositorys_own_list_can_be_read() {
        assert!(pinned().is_ok_and(|suites| !suites.is_empty()), "{:?}", pinned().err());
    }
}
