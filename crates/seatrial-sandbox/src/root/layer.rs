//! Private layers: where they lie, how they are put over a directory, how a written one is told from a clean one.

use super::copying::copy_layer;
use super::places::{make_dir, open_dir, own, remove_tree, take_away, tmpfs};
use crate::Failure;
use crate::plan::Top;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// Kept layers below one directory from which on it should not be kept more: each costs every look into the directory.
pub(super) const DEEP: usize = 30;

/// Kept layers that one directory can have: the kernel takes the names of all in one page.
const DEEPEST: usize = 200;

/// Where layers are made.
pub(super) struct Store {
    /// Largest size of a layer in memory; 0 for the kernel's own limit.
    pub(super) scratch: u64,
    /// True: layers are folders in `s`, a folder on a disk.
    pub(super) on_disk: bool,
    made: usize,
}

/// A directory that is renewed on its own: what lies below, layers that were kept, and a private layer on top.
pub(super) struct Overlay {
    pub(super) top: Top,
    /// The lowest directory is `l/<name>`.
    pub(super) name: String,
    /// Kept layers, the oldest first, and how the top directory looks through them.
    kept: Vec<Layer>,
    shown: Option<Top>,
    /// Absent from the moment in which it was kept or forgotten until the overlay is mounted again.
    layer: Option<Layer>,
    /// True: what jobs write here is handed out.
    told: bool,
}

/// A private layer: its folder (with the layer in `u`), and `u` as it was when it was clean.
///
/// Whatever is written in a layer begins with an entry in `u`, or changes `u` itself.
struct Layer {
    place: String,
    dir: OwnedFd,
    upper: OwnedFd,
    clean: Shape,
    on_disk: bool,
}

/// What shows a change of a directory: size (on tmpfs it counts entries), links, mode, owners, times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape([i64; 9]);

/// A private layer that a job wrote: the directory it stands for, and its tmpfs (with the layer in `u`).
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) layer: OwnedFd,
}

impl Store {
    pub(super) fn new(scratch: u64, on_disk: bool) -> Self {
        Self { scratch, on_disk, made: 0 }
    }

    /// Options of a tmpfs with the size that layers may have.
    pub(super) fn sized(&self, options: &str) -> String {
        if self.scratch == 0 { options.to_owned() } else { format!("{options},size={}", self.scratch) }
    }

    /// Mounts a clean private layer over `kept` and `l/<name>` on `target`; this process stands in the base.
    fn layer(&mut self, top: &Top, name: &str, kept: &[Layer], target: &Path) -> Result<Layer, Failure> {
        let failure = |errno| Failure { what: format!("overlay {}", top.path.display()), errno };
        let place = self.place(name, kept.len())?;
        let (upper, work) = (format!("{place}/u"), format!("{place}/w"));
        make_dir(Path::new(&upper), 0o755)?;
        make_dir(Path::new(&work), 0o700)?;
        // The merged directory takes owner and mode of the layer's.
        own(Path::new(&upper), top)?;
        let below: String = kept.iter().rev().map(|layer| format!("{}/u:", layer.place)).collect();
        let mut options = format!("lowerdir={below}l/{name},upperdir={upper},workdir={work},userxattr");
        if !kept.is_empty() {
            // Somebody may still stand in the mount whose private layer is a lower one now: with an index it is busy.
            options.push_str(",index=off");
        }
        // One device number for the whole directory, as natively, where the file system's inode numbers allow it.
        let with_xino = CString::new(format!("{options},xino=on")).map_err(|_| failure(Errno::INVAL))?;
        let plain = CString::new(options).map_err(|_| failure(Errno::INVAL))?;
        mount("overlay", target, "overlay", MountFlags::empty(), Some(with_xino.as_c_str()))
            .or_else(|_| mount("overlay", target, "overlay", MountFlags::empty(), Some(plain.as_c_str())))
            .map_err(failure)?;
        Layer::of(place, self.on_disk)
    }

    /// An empty folder for a layer, in the place of the one that was there before.
    fn place(&mut self, name: &str, depth: usize) -> Result<String, Failure> {
        if self.on_disk {
            self.made += 1;
            let place = format!("s/{name}-{}", self.made);
            make_dir(Path::new(&place), 0o755)?;
            return Ok(place);
        }
        let place = format!("u/{name}-{depth}");
        make_dir(Path::new(&place), 0o755)?;
        // The old one lives on as long as somebody holds it.
        let _ = take_away(Path::new(&place));
        tmpfs(&place, &self.sized("mode=755"))?;
        Ok(place)
    }
}

impl Overlay {
    /// Puts a clean layer over `l/<name>`, on `target`; this process stands in the base. With `told`, written layers
    /// are handed out.
    pub(super) fn new(
        store: &mut Store,
        top: Top,
        name: String,
        target: &Path,
        told: bool,
    ) -> Result<Self, Failure> {
        let layer = Some(store.layer(&top, &name, &[], target)?);
        Ok(Self { top, name, kept: Vec::new(), shown: None, layer, told })
    }

    /// True when it has to be mounted again: its layer was kept or forgotten.
    pub(super) fn is_stale(&self) -> bool {
        self.layer.is_none()
    }

    /// True when anything was written since the layer was clean; also when that cannot be told.
    pub(super) fn is_dirty(&self) -> bool {
        self.layer.as_ref().is_none_or(Layer::is_dirty)
    }

    /// True when something was kept.
    pub(super) fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Mounts it again on its own path with a clean layer over what was kept; this process stands in the base.
    pub(super) fn mount_again(&mut self, store: &mut Store) -> Result<(), Failure> {
        let top = self.shown.as_ref().unwrap_or(&self.top);
        let layer = store.layer(top, &self.name, &self.kept, &self.top.path)?;
        if let Some(old) = self.layer.replace(layer)
            && !self.told
        {
            old.remove_from_disk();
        }
        Ok(())
    }

    /// Makes what was written a part of what is renewed; `Some` with the number of kept layers when it has to be
    /// mounted again.
    /// This process stands in the base.
    pub(super) fn keep(&mut self, store: &Store) -> Result<Option<usize>, Failure> {
        let failure = |errno| Failure { what: format!("keep {}", self.top.path.display()), errno };
        let Some(layer) = self.layer.as_mut().filter(|layer| layer.is_dirty()) else { return Ok(None) };
        let now = Shape::of(&layer.upper).map_err(failure)?;
        if now.looks() == layer.clean.looks() && !has_entries(&layer.upper) {
            // What was written has been removed again.
            layer.clean = now;
            return Ok(None);
        }
        if self.kept.len() >= DEEPEST {
            return Err(failure(Errno::TOOBIG));
        }
        let stat = rustix::fs::fstat(&layer.upper).map_err(failure)?;
        let (mode, uid, gid) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
        self.shown = Some(Top { path: self.top.path.clone(), mode, uid, gid });
        if let Some(layer) = self.layer.take() {
            let kept = if layer.on_disk { self.in_memory(layer, store)? } else { layer };
            self.kept.push(kept);
        }
        Ok(Some(self.kept.len()))
    }

    /// The same layer, kept in memory.
    fn in_memory(&self, layer: Layer, store: &Store) -> Result<Layer, Failure> {
        let failure = |errno| Failure { what: format!("keep {} in memory", self.top.path.display()), errno };
        let place = format!("u/{}-{}", self.name, self.kept.len());
        make_dir(Path::new(&place), 0o755)?;
        tmpfs(&place, &store.sized("mode=755"))?;
        let upper = Path::new(&place).join("u");
        make_dir(&upper, 0o755)?;
        copy_layer(&Path::new(&layer.place).join("u"), &upper).map_err(failure)?;
        layer.remove_from_disk();
        Layer::of(place, false)
    }

    /// Drops what was kept; it has to be mounted again. This process stands in the base.
    pub(super) fn forget(&mut self) {
        for layer in self.kept.drain(..) {
            layer.remove();
        }
        self.shown = None;
        self.layer = None;
    }

    /// Takes the layers away: something else is mounted in its place. This process stands in the base.
    pub(super) fn remove(mut self) {
        if let Some(layer) = self.layer.take() {
            layer.remove();
        }
        self.forget();
    }

    /// The layer, to be handed out.
    pub(super) fn written(&self) -> Option<Written> {
        let layer = self.layer.as_ref()?.dir.try_clone().ok()?;
        Some(Written { path: self.top.path.clone(), layer })
    }
}

impl Layer {
    fn of(place: String, on_disk: bool) -> Result<Self, Failure> {
        let (dir, upper) = (open_dir(Path::new(&place))?, open_dir(&Path::new(&place).join("u"))?);
        let clean = Shape::of(&upper).map_err(|errno| Failure { what: "watch a layer".into(), errno })?;
        Ok(Self { place, dir, upper, clean, on_disk })
    }

    /// True when anything was written since; also when that cannot be told.
    fn is_dirty(&self) -> bool {
        // A disk's directories do not tell their entries by their size, and its clock may be coarse.
        Shape::of(&self.upper) != Ok(self.clean) || (self.on_disk && has_entries(&self.upper))
    }

    fn remove(self) {
        if !self.on_disk {
            let _ = take_away(Path::new(&self.place));
        }
        self.remove_from_disk();
    }

    /// A layer in memory vanishes when nobody holds it.
    fn remove_from_disk(self) {
        if self.on_disk {
            remove_tree(Path::new(&self.place));
        }
    }
}

impl Shape {
    pub(super) fn of(dir: &OwnedFd) -> Result<Self, Errno> {
        rustix::fs::fstat(dir).map(|stat| Self::from_stat(&stat))
    }

    pub(super) fn from_stat(stat: &rustix::fs::Stat) -> Self {
        Self([
            stat.st_size,
            stat.st_nlink as i64,
            i64::from(stat.st_mode),
            i64::from(stat.st_uid),
            i64::from(stat.st_gid),
            stat.st_mtime,
            stat.st_mtime_nsec as i64,
            stat.st_ctime,
            stat.st_ctime_nsec as i64,
        ])
    }

    /// True for a regular file.
    pub(super) fn is_file(self) -> bool {
        self.0[2] & i64::from(libc::S_IFMT) == i64::from(libc::S_IFREG)
    }

    /// Seconds and nanoseconds of the last modification.
    pub(super) fn modified(self) -> (i64, i64) {
        (self.0[5], self.0[6])
    }

    /// Mode and owners.
    fn looks(self) -> [i64; 3] {
        [self.0[2], self.0[3], self.0[4]]
    }
}

/// True when a directory has entries, or cannot be read.
fn has_entries(dir: &OwnedFd) -> bool {
    let _ = rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0));
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
    let mut entries = rustix::fs::RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            Ok(_) | Err(_) => return true,
        }
    }
    false
}
