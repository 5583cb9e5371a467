//! The messages of `cargo test --message-format json-render-diagnostics`, one a line of stdout.
//!
//! The form is described in the Cargo book, "External tools". What rustdoc writes stands between them as plain text.

use serde::Deserialize;

/// One line of cargo's stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A target was built, or found fresh.
    Artifact(Artifact),
    /// A build script was run, or its earlier run holds.
    BuildScript(BuildScript),
    /// The build is over; tests are started after it.
    BuildFinished {
        /// True when all was built.
        success: bool,
    },
    /// A message of another kind.
    Other,
    /// No message: rustdoc's words, or those of a test.
    Text(Vec<u8>),
}

/// A target that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The package's id, as in `cargo metadata`.
    pub package_id: String,
    /// The package's `Cargo.toml`.
    pub manifest_path: String,
    /// The target's kinds: several for a library of several crate types.
    pub target_kind: Vec<String>,
    /// The target's name; for a library, the crate's.
    pub target_name: String,
    /// The target's root source file.
    pub src_path: String,
    /// True when it was built as a test.
    pub test: bool,
    /// The program, when there is one.
    pub executable: Option<String>,
}

impl Artifact {
    /// The program, when this is a test binary.
    #[must_use]
    pub fn test_binary(&self) -> Option<&str> {
        self.executable.as_deref().filter(|_| self.test)
    }
}

/// What a build script made known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildScript {
    /// The package's id.
    pub package_id: String,
    /// Its `OUT_DIR`.
    pub out_dir: String,
    /// Variables set with `cargo::rustc-env`.
    pub env: Vec<(String, String)>,
    /// Library directories, each with the kind it was given (`native=/usr/lib`).
    pub linked_paths: Vec<String>,
}

/// Reads one line, with or without its line break.
#[must_use]
pub fn parse_line(line: &[u8]) -> Message {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = || Message::Text(line.to_vec());
    if !line.starts_with(b"{") {
        return text();
    }
    // A test may print JSON too; a message has a `reason`.
    let Ok(Reason { reason }) = serde_json::from_slice(line) else { return text() };
    match reason.as_str() {
        "compiler-artifact" => serde_json::from_slice(line).map_or_else(|_| text(), artifact),
        "build-script-executed" => serde_json::from_slice(line).map_or_else(|_| text(), build_script),
        "build-finished" => serde_json::from_slice(line)
            .map_or_else(|_| text(), |WireFinished { success }| Message::BuildFinished { success }),
        _ => Message::Other,
    }
}

/// The package's name in a package id: `path+file:///dir/name#0.1.0`, `...#name@0.1.0`, or, before Rust 1.77,
/// `name 0.1.0 (path+file:///dir)`.
#[must_use]
pub fn package_name(package_id: &str) -> Option<&str> {
    if let Some((name, _)) = package_id.split_once(' ') {
        return Some(name);
    }
    let (url, fragment) = package_id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name),
        None => url.split('?').next()?.rsplit('/').next().filter(|name| !name.is_empty()),
    }
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

#[derive(Deserialize)]
struct WireArtifact {
    package_id: String,
    manifest_path: String,
    target: WireTarget,
    profile: WireProfile,
    executable: Option<String>,
}

#[derive(Deserialize)]
struct WireTarget {
    kind: Vec<String>,
    name: String,
    src_path: String,
}

#[derive(Deserialize)]
struct WireProfile {
    test: bool,
}

#[derive(Deserialize)]
struct WireBuildScript {
    package_id: String,
    out_dir: String,
    env: Vec<(String, String)>,
    linked_paths: Vec<String>,
}

#[derive(Deserialize)]
struct WireFinished {
    success: bool,
}

fn artifact(wire: WireArtifact) -> Message {
    Message::Artifact(Artifact {
        package_id: wire.package_id,
        manifest_path: wire.manifest_path,
        target_kind: wire.target.kind,
        target_name: wire.target.name,
        src_path: wire.target.src_path,
        test: wire.profile.test,
        executable: wire.executable,
    })
}

fn build_script(wire: WireBuildScript) -> Message {
    Message::BuildScript(BuildScript {
        package_id: wire.package_id,
        out_dir: wire.out_dir,
        env: wire.env,
        linked_paths: wire.linked_paths,
    })
}
