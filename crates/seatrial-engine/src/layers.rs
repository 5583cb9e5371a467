//! What jobs wrote: kept, copied back, or thrown away, on a thread of its own.
//!
//! A layer is in overlayfs' form: a deleted file is a character device 0/0. Dropping its descriptor frees it.

use crate::inbox::{Input, Outbox};
use crate::settings::Settings;
use globset::{Glob, GlobSet, GlobSetBuilder};
use seatrial_sandbox::LayerWritten;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::SystemTime;

/// One ended job's layers.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) tag: u64,
    pub(crate) test: String,
    pub(crate) bad: bool,
    pub(crate) written: Vec<LayerWritten>,
    /// True: the loop waits for [`Input::LayersDone`] before it believes the job's result.
    pub(crate) answer: bool,
}

/// What is to be done with layers.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) keep: Option<PathBuf>,
    pub(crate) write_back: GlobSet,
    /// Files of which each test may write its own version: the last counts.
    pub(crate) gather: GlobSet,
    /// Files that tests add.
    pub(crate) add: GlobSet,
    pub(crate) project: PathBuf,
    /// True: layers do not vanish by themselves.
    pub(crate) on_disk: bool,
}

impl Policy {
    /// # Errors
    /// A pattern is no glob; the message names it.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            keep: settings.keep.clone(),
            write_back: globs(&settings.write_back)?,
            gather: globs(&settings.gather)?,
            add: globs(&settings.add)?,
            project: settings.project.clone(),
            on_disk: false,
        })
    }

    /// True when a job's result depends on what is found in its layers.
    pub(crate) fn decides(&self, bad: bool) -> bool {
        bad || [&self.write_back, &self.gather, &self.add].iter().any(|globs| !globs.is_empty())
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|error| format!("`--write-back {pattern}`: {error}"))?);
    }
    set.build().map_err(|error| error.to_string())
}

/// Starts the thread; it ends when the sender is dropped.
pub(crate) fn start(policy: Policy, outbox: Outbox) -> io::Result<Sender<Work>> {
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("layers".into()).spawn(move || serve(&receiver, policy, &outbox))?;
    Ok(sender)
}

struct Keeper {
    policy: Policy,
    begun: SystemTime,
    /// What was written back in this run: which content, by which test.
    back: BTreeMap<PathBuf, (Option<Vec<u8>>, String)>,
}

fn serve(receiver: &Receiver<Work>, policy: Policy, outbox: &Outbox) {
    let mut keeper = Keeper { policy, begun: SystemTime::now(), back: BTreeMap::new() };
    for work in receiver {
        if work.answer {
            let (notes, error) = keeper.handle(&work);
            outbox.send(Input::LayersDone { tag: work.tag, notes, error });
        }
        if keeper.policy.on_disk {
            for layer in &work.written {
                remove_tree(Path::new(&format!("/proc/self/fd/{}", layer.layer.as_raw_fd())));
            }
        }
    }
}

impl Keeper {
    fn handle(&mut self, work: &Work) -> (Vec<String>, Option<String>) {
        let mut notes = Vec::new();
        let mut errors = Vec::new();
        let mut discarded = Vec::new();
        for layer in &work.written {
            let top = PathBuf::from(format!("/proc/self/fd/{}/u", layer.layer.as_raw_fd()));
            let mut files = Vec::new();
            collect(&top, Path::new(""), &mut files);
            for file in files {
                let real = layer.path.join(&file);
                let Ok(inside) = real.strip_prefix(&self.policy.project) else { continue };
                if self.policy.gather.is_match(inside) {
                    notes.extend(gather(&top.join(&file), &real).err());
                } else if self.policy.add.is_match(inside) {
                    if !is_deletion(&top.join(&file)).unwrap_or(true) && !self.is_older(&real) {
                        notes.extend(gather(&top.join(&file), &real).err());
                    }
                } else if self.policy.write_back.is_match(inside) {
                    errors.extend(self.copy_back(&top.join(&file), &real, &work.test).err());
                } else if !inside.starts_with("target") {
                    discarded.push(inside.display().to_string());
                }
            }
            if let (Some(keep), true) = (&self.policy.keep, work.bad) {
                let folder = keep.join(file_name(&work.test));
                let to = folder.join(layer.path.strip_prefix("/").unwrap_or(&layer.path));
                match copy_tree(&top, &to) {
                    Ok(()) => notes.push(format!(
                        "what it wrote below {} is kept in {}",
                        layer.path.display(),
                        to.display()
                    )),
                    Err(error) => {
                        notes.push(format!("what it wrote could not be kept in {}: {error}", to.display()))
                    }
                }
            }
        }
        if work.bad && !discarded.is_empty() {
            discarded.sort();
            let more = discarded.len().saturating_sub(3);
            discarded.truncate(3);
            let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.push(format!(
                "what it wrote in the project was thrown away: {}{tail} (`--write-back GLOB` copies, `--keep` keeps)",
                discarded.join(", ")
            ));
        }
        (notes, (!errors.is_empty()).then(|| errors.join("; ")))
    }

    /// Whether the real file was there before the run.
    fn is_older(&self, real: &Path) -> bool {
        fs::metadata(real).and_then(|meta| meta.modified()).is_ok_and(|time| time < self.begun)
    }

    /// Copies one file of a layer into the real tree, or deletes there what the layer deletes.
    fn copy_back(&mut self, from: &Path, real: &Path, test: &str) -> Result<(), String> {
        let problem = |error| unwritten(real, &error);
        let content = content_of(from).map_err(problem)?;
        if let Some((earlier, by)) = self.back.get(real) {
            return if *earlier == content {
                Ok(())
            } else {
                Err(format!("write-back conflict: `{by}` and `{test}` wrote different {}", real.display()))
            };
        }
        if fs::metadata(real).and_then(|meta| meta.modified()).is_ok_and(|time| time > self.begun) {
            return Err(format!("write-back conflict: {} was changed while the run went on", real.display()));
        }
        put(real, content.as_deref()).map_err(problem)?;
        self.back.insert(real.to_path_buf(), (content, test.to_owned()));
        Ok(())
    }
}

/// Copies one file whatever others have written there; the error is told, but is none of the test's.
fn gather(from: &Path, real: &Path) -> Result<(), String> {
    content_of(from)
        .and_then(|content| put(real, content.as_deref()))
        .map_err(|error| unwritten(real, &error))
}

fn unwritten(real: &Path, error: &io::Error) -> String {
    format!("write-back of {}: {error}", real.display())
}

/// What a file of a layer holds; `None`: it stands for a deletion.
fn content_of(file: &Path) -> io::Result<Option<Vec<u8>>> {
    if is_deletion(file)? { Ok(None) } else { fs::read(file).map(Some) }
}

fn put(real: &Path, content: Option<&[u8]>) -> io::Result<()> {
    match content {
        // What only the container had is gone already.
        None => fs::remove_file(real)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }),
        Some(bytes) => {
            if let Some(parent) = real.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(real, bytes)
        }
    }
}

/// Files and deletions of a layer, relative to its top. What cannot be read is left out.
fn collect(top: &Path, below: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(top.join(below)) else { return };
    for entry in entries.flatten() {
        let path = below.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(top, &path, files),
            Ok(kind) if kind.is_file() || kind.is_char_device() => files.push(path),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Removes a folder as far as it can be removed; overlayfs leaves directories that nobody may enter.
pub(crate) fn remove_tree(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
            remove_tree(&path);
        } else {
            let _ = fs::remove_file(&path);
        }
    }
    let _ = fs::remove_dir(dir);
}

fn is_deletion(path: &Path) -> io::Result<bool> {
    let meta = fs::symlink_metadata(path)?;
    Ok(meta.file_type().is_char_device() && meta.rdev() == 0)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        } else if is_deletion(&source)? {
            let mut name = entry.file_name();
            name.push(".deleted");
            fs::write(to.join(name), b"")?;
        }
    }
    Ok(())
}

/// A test's name as a file name.
fn file_name(test: &str) -> String {
    let mut name: String =
        test.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    name.truncate(150);
    name
}
