//! Whether a file may grant anything: whoever can write it could grant it to himself.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;

/// The bits that let the group or everybody write.
const WRITABLE: u32 = 0o022;

/// Who can change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The user and root alone.
    Trusted,
    /// It belongs to another user.
    Foreign {
        /// That user's number.
        owner: u32,
    },
    /// The group or everybody may write it.
    Writable {
        /// The permission bits.
        mode: u32,
    },
}

impl Trust {
    /// Returns who can change the file that these are the facts of.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mode = metadata.mode() & 0o7777;
        if !is_own(metadata) {
            Self::Foreign { owner: metadata.uid() }
        } else if mode & WRITABLE != 0 {
            Self::Writable { mode }
        } else {
            Self::Trusted
        }
    }
}

/// Returns whether a file belongs to the user or to root.
pub(super) fn is_own(metadata: &Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&metadata.uid())
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted => f.write_str("nobody else can write it"),
            Self::Foreign { owner } => write!(f, "it belongs to another user (uid {owner})"),
            Self::Writable { mode } => write!(f, "others may write it (mode {mode:04o})"),
        }
    }
}
