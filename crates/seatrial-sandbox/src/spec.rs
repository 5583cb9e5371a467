//! What a slot is to be, as the engine asks for it.

use crate::plan::RootPlan;
use crate::wire::{Reader, Writer};
use std::fmt;
use std::path::PathBuf;

/// How far a job is kept from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// A process group with a private TMPDIR; works where namespaces are forbidden.
    Process,
    /// Namespaces over a private copy-on-write view of this machine's own root.
    Cow,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Cow => "cow",
        })
    }
}

/// Which network a job sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A loopback of its own; the outside is unreachable at once.
    Isolated,
    /// The host's.
    Host,
}

/// A slot to be made.
#[derive(Clone, Debug)]
pub struct SlotSpec {
    /// How far jobs are kept from the machine.
    pub isolation: Isolation,
    /// Which network they see.
    pub network: Network,
    /// Ports of the host's loopback that answer on the slot's loopback too.
    pub forward: Vec<u16>,
    /// The root, for `cow`.
    pub root: RootPlan,
    /// Largest size in bytes of each private layer and of /tmp; 0 for the kernel's own limit (half the memory).
    pub scratch: u64,
    /// A folder on a disk for the private layers, this slot's alone; absent: they are in memory.
    pub layers: Option<PathBuf>,
    /// Processes and threads that may live in the slot at once, for users other than root.
    pub max_processes: u64,
    /// The directory that becomes TMPDIR, for `process`: empty, existing, this slot's alone.
    pub tmp: PathBuf,
}

impl SlotSpec {
    pub(crate) fn encode(&self) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt;
        let mut writer = Writer::default();
        writer.u8(u8::from(self.isolation == Isolation::Cow)).u8(u8::from(self.network == Network::Host));
        writer.ports(&self.forward);
        writer.u64(self.scratch).u64(self.max_processes).bytes(self.tmp.as_os_str().as_bytes());
        let layers = self.layers.as_ref().map(|dir| dir.as_os_str().as_bytes()).unwrap_or_default();
        writer.bytes(layers);
        self.root.encode(&mut writer);
        writer.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let mut reader = Reader(bytes);
        let isolation = if reader.u8()? != 0 { Isolation::Cow } else { Isolation::Process };
        let network = if reader.u8()? != 0 { Network::Host } else { Network::Isolated };
        let forward = reader.ports()?;
        let (scratch, max_processes) = (reader.u64()?, reader.u64()?);
        let tmp = PathBuf::from(std::ffi::OsStr::from_bytes(reader.bytes()?));
        let layers = reader.bytes().map(|dir| PathBuf::from(std::ffi::OsStr::from_bytes(dir)))?;
        Some(Self {
            isolation,
            network,
            forward,
            scratch,
            max_processes,
            tmp,
            layers: Some(layers).filter(|dir| !dir.as_os_str().is_empty()),
            root: RootPlan::decode(&mut reader)?,
        })
    }
}
