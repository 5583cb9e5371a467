//! What jobs wrote: thrown away, or kept for all that follow.
//!
//! A kept layer becomes a lower one, below a new private layer. A fresh directory in which something is kept turns
//! into an overlay over its own tmpfs. Forgetting brings the host's state back.

use super::layer::{DEEP, Overlay, Written};
use super::places::{bind_at, make_dir, make_dirs, own, take_away, tmpfs};
use super::{Root, Watch};
use crate::Failure;
use crate::plan::{Entry, Top};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// Whether more can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Yes.
    Shallow,
    /// So many layers lie above one another that a slot without them would be faster.
    Deep,
}

impl Root {
    /// What the job that has just ended wrote outside the fresh directories: each written layer is handed out and a
    /// clean one put in its place. `None`: something was written that cannot be renewed; the slot must be rebuilt.
    pub(crate) fn renew(&mut self, written: &mut Vec<Written>) -> Option<()> {
        let mut any = false;
        for overlay in self.overlays.iter().filter(|overlay| overlay.is_dirty()) {
            any = true;
            written.extend(overlay.written());
        }
        for part in &mut self.skeleton {
            if part.is_dirty() {
                part.renew()?;
            }
        }
        // Mostly none is, and one look at each is enough.
        for index in 0..if any { self.overlays.len() } else { 0 } {
            // One that lies below another has been renewed with it.
            if self.overlays[index].is_dirty() {
                self.mount_again_at(index).ok()?;
            }
        }
        for index in 0..self.fresh.len() {
            if self.fresh[index].is_dirty() {
                self.renew_fresh(index).ok()?;
            }
        }
        Some(())
    }

    /// Makes what has been written until now a part of what later renewals restore.
    ///
    /// # Errors
    /// It cannot be kept. The root is in no known state then: the slot must be rebuilt.
    pub(crate) fn keep(&mut self) -> Result<Kept, Failure> {
        let mut depth = 0;
        for part in &mut self.skeleton {
            if part.is_dirty() {
                part.keep()?;
            }
        }
        // All are asked before any is mounted again, for that renews those below it too.
        self.in_base(|root| {
            for overlay in &mut root.overlays {
                depth = depth.max(overlay.keep(&root.store)?.unwrap_or(0));
            }
            Ok(())
        })?;
        for index in 0..self.fresh.len() {
            depth = depth.max(self.keep_fresh(index)?);
        }
        self.mount_stale()?;
        Ok(if depth < DEEP { Kept::Shallow } else { Kept::Deep })
    }

    /// Drops everything that was kept: back to the host's state. To be called on a renewed root.
    ///
    /// # Errors
    /// Something is not as it was; the slot must be rebuilt.
    pub(crate) fn forget(&mut self) -> Result<(), Failure> {
        let failure = |errno| Failure { what: "forget what was kept".into(), errno };
        rustix::process::fchdir(&self.base).map_err(failure)?;
        for overlay in self.overlays.iter_mut().filter(|overlay| overlay.has_kept()) {
            overlay.forget();
        }
        for index in 0..self.fresh.len() {
            if let Some(kept) = self.fresh[index].kept.take() {
                let lower = Path::new("l").join(&kept.name);
                kept.remove();
                take_away(&lower)?;
                self.renew_fresh(index)?;
                rustix::process::fchdir(&self.base).map_err(failure)?;
            }
        }
        self.mount_stale()?;
        rustix::process::chdir("/").map_err(failure)?;
        for part in &mut self.skeleton {
            part.forget().ok_or_else(|| failure(Errno::BUSY))?;
        }
        Ok(())
    }

    fn mount_stale(&mut self) -> Result<(), Failure> {
        for index in 0..self.overlays.len() {
            if self.overlays[index].is_stale() {
                self.mount_again_at(index)?;
            }
        }
        Ok(())
    }

    /// Puts a clean layer in the place of an overlay's, and of all overlays below it, whose mounts go with it.
    fn mount_again_at(&mut self, index: usize) -> Result<(), Failure> {
        let path = self.overlays[index].top.path.clone();
        take_away(&path)?;
        self.in_base(|root| root.mount_below(&path))
    }

    /// Mounts the overlays at and below `path` with clean layers, the outer ones first; stands in the base.
    fn mount_below(&mut self, path: &Path) -> Result<(), Failure> {
        for overlay in self.overlays.iter_mut().filter(|overlay| overlay.top.path.starts_with(path)) {
            overlay.mount_again(&mut self.store)?;
        }
        Ok(())
    }

    /// Puts a clean directory in the place of a fresh one.
    fn renew_fresh(&mut self, index: usize) -> Result<(), Failure> {
        let path = Path::new(self.fresh[index].path);
        self.in_base(|root| {
            root.carry(path)?;
            take_away(path)?;
            match &mut root.fresh[index].kept {
                Some(kept) => kept.mount_again(&mut root.store)?,
                None => root.make_fresh(path)?,
            }
            root.mount_below(path)?;
            root.carry_back(path)?;
            let fresh = &mut root.fresh[index];
            if fresh.kept.is_none() {
                fresh.watch = Watch::of(fresh.path)?;
            }
            Ok(())
        })
    }

    /// Makes what was written in a fresh directory a part of what it is renewed to; gives the number of kept layers.
    fn keep_fresh(&mut self, index: usize) -> Result<usize, Failure> {
        let (path, name) = (self.fresh[index].path, self.fresh[index].name);
        if !self.fresh[index].is_dirty() {
            return Ok(0);
        }
        let mut depth = None;
        self.in_base(|root| match &mut root.fresh[index].kept {
            Some(kept) => kept.keep(&root.store).map(|kept| depth = kept),
            None => root.cover(index, Path::new(path), name),
        })?;
        if depth.is_some() {
            self.renew_fresh(index)?;
        }
        Ok(depth.unwrap_or(1))
    }

    /// Puts a layer over a fresh directory with all that is in it; stands in the base.
    fn cover(&mut self, index: usize, path: &Path, name: &str) -> Result<(), Failure> {
        let failure = |errno| Failure { what: format!("keep {}", path.display()), errno };
        let lower = Path::new("l").join(name);
        make_dir(&lower, 0o755)?;
        self.carry(path)?;
        // Without what is mounted in it: that is mounted again, above.
        rustix::mount::mount_bind(path, &lower).map_err(failure)?;
        take_away(path)?;
        let stat = rustix::fs::stat(&lower).map_err(failure)?;
        let top =
            Top { path: path.to_path_buf(), mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid };
        let overlay = Overlay::new(&mut self.store, top, name.to_owned(), path, false)?;
        self.fresh[index].kept = Some(overlay);
        self.mount_below(path)?;
        self.carry_back(path)
    }

    /// Mounts an empty tmpfs, with the directories and links that belong in it.
    fn make_fresh(&self, path: &Path) -> Result<(), Failure> {
        tmpfs(path, &self.store.sized("mode=1777"))?;
        for entry in self.in_tmp.iter().filter(|_| path == Path::new("/tmp")) {
            match entry {
                Entry::Overlay(top) | Entry::Dir(top) => {
                    make_dirs(Path::new("/"), &top.path)?;
                    own(&top.path, top)?;
                }
                Entry::Link { path, target } => {
                    rustix::fs::symlink(target, path)
                        .map_err(|errno| Failure { what: format!("link {}", path.display()), errno })?;
                }
                Entry::Bind { .. } => {}
                // Its content came from the host's root, which is out of reach by now.
                Entry::Copy(top) => {
                    return Err(Failure {
                        what: format!("copy {}", top.path.display()),
                        errno: Errno::NOENT,
                    });
                }
            }
        }
        Ok(())
    }

    /// Holds what is bound below /tmp while something else is mounted there; stands in the base.
    fn carry(&self, path: &Path) -> Result<(), Failure> {
        for (from, to, dir) in self.carried(path) {
            // Once it is held, it stays so.
            if !to.exists() {
                bind_at(from, &to, dir)
                    .map_err(|errno| Failure { what: format!("hold {}", from.display()), errno })?;
            }
        }
        Ok(())
    }

    fn carry_back(&self, path: &Path) -> Result<(), Failure> {
        for (to, from, dir) in self.carried(path) {
            if let Some(parent) = to.parent() {
                make_dirs(Path::new("/"), parent)?;
            }
            bind_at(&from, to, dir)
                .map_err(|errno| Failure { what: format!("bind {}", to.display()), errno })?;
        }
        Ok(())
    }

    /// Paths that are bound below `path`, where they are held, and whether they are directories.
    fn carried(&self, path: &Path) -> impl Iterator<Item = (&Path, PathBuf, bool)> {
        let is_tmp = path == Path::new("/tmp");
        let all = self.bound_in_tmp.iter().enumerate().filter(move |_| is_tmp);
        all.map(|(number, (path, dir))| (path.as_path(), Path::new("b").join(number.to_string()), *dir))
    }

    /// Does something in the base, where layers are made, and returns to the root.
    fn in_base(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let failure = |errno| Failure { what: "enter the base".into(), errno };
        rustix::process::fchdir(&self.base).map_err(failure)?;
        act(self)?;
        rustix::process::chdir("/").map_err(failure)
    }
}

impl super::Fresh {
    fn is_dirty(&self) -> bool {
        self.kept.as_ref().map_or_else(|| self.watch.is_dirty(), Overlay::is_dirty)
    }
}
