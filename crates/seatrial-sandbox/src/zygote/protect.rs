//! Settings of the zygote's process that root's jobs may write, since they own its files in /proc.
//!
//! A job inherits them, so that one could change what the next ones get. Mounts over these files would not hold: in a
//! namespace of its own, a job may mount another /proc.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// Those settings, as they are to be.
#[derive(Default)]
pub(super) struct Protected(Vec<Setting>);

struct Setting {
    file: File,
    text: Vec<u8>,
    /// What makes the text that is read one that can be written.
    prefix: &'static str,
}

/// Files below /proc/self, and what stands before a value that is written. The filter is hexadecimal.
const FILES: [(&str, &str); 2] = [("oom_score_adj", ""), ("coredump_filter", "0x")];

impl Protected {
    /// Remembers the settings of this process.
    pub(super) fn of_this_process() -> Self {
        let settings = FILES.iter().filter_map(|(name, prefix)| {
            let file = OpenOptions::new().read(true).write(true).open(format!("/proc/self/{name}")).ok()?;
            let text = read(&file)?;
            Some(Setting { file, text, prefix })
        });
        Self(settings.collect())
    }

    /// Puts back what was changed. False when that is refused.
    pub(super) fn restore(&self) -> bool {
        self.0.iter().all(|setting| {
            if is(&setting.file, &setting.text) {
                return true;
            }
            let value = [setting.prefix.as_bytes(), setting.text.trim_ascii_end()].concat();
            setting.file.write_at(&value, 0).is_ok() && is(&setting.file, &setting.text)
        })
    }
}

fn is(file: &File, wanted: &[u8]) -> bool {
    let mut text = [0u8; 32];
    file.read_at(&mut text, 0).is_ok_and(|length| text[..length] == *wanted)
}

fn read(file: &File) -> Option<Vec<u8>> {
    let mut text = [0u8; 32];
    let length = file.read_at(&mut text, 0).ok()?;
    Some(text[..length].to_vec())
}
