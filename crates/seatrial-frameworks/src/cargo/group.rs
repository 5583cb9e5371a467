//! The names that groups of tests go by: those of nextest's binary ids, so that people's habits and filters carry
//! over (<https://nexte.st/docs/glossary/#binary-id>).

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A library of whatever crate type.
    Lib,
    /// A procedural macro.
    ProcMacro,
    /// A program.
    Bin,
    /// An integration test.
    Test,
    /// An example.
    Example,
    /// A bench target.
    Bench,
}

impl TargetKind {
    /// Reads the kinds of a target in cargo's messages. `None` for a build script.
    #[must_use]
    pub fn from_cargo<K: AsRef<str>>(kinds: &[K]) -> Option<Self> {
        match kinds.first()?.as_ref() {
            "custom-build" => None,
            "proc-macro" => Some(Self::ProcMacro),
            "bin" => Some(Self::Bin),
            "test" => Some(Self::Test),
            "example" => Some(Self::Example),
            "bench" => Some(Self::Bench),
            // `lib`, `rlib`, `dylib`, `cdylib`, `staticlib`, and whatever comes.
            _ => Some(Self::Lib),
        }
    }
}

/// The group of a target's tests. `platform` is the target triple where a run has several, else `None`.
#[must_use]
pub fn group_name(package: &str, kind: TargetKind, target: &str, platform: Option<&str>) -> String {
    let name = match kind {
        TargetKind::Lib | TargetKind::ProcMacro => package.to_owned(),
        TargetKind::Test => format!("{package}::{target}"),
        TargetKind::Bin => format!("{package}::bin/{target}"),
        TargetKind::Example => format!("{package}::example/{target}"),
        TargetKind::Bench => format!("{package}::bench/{target}"),
    };
    on(name, platform)
}

/// The group of a package's doctests, which nextest does not know.
#[must_use]
pub fn doc_group_name(package: &str, platform: Option<&str>) -> String {
    on(format!("{package} (doc)"), platform)
}

fn on(name: String, platform: Option<&str>) -> String {
    match platform {
        Some(platform) => format!("{name}@{platform}"),
        None => name,
    }
}
