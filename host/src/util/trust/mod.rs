//! Trust in files, which depends on their owners and modes.
//!
//! [`Judge`] makes every decision that depends on an owner or a mode: for settings files, plugin
//! directories and files, and the data directory. A [`TrustPolicy`] contains the owners and modes
//! that the operator accepts beyond the default. It never applies to compiled code.

mod accounts;
mod policy;

use std::cell::OnceCell;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::process::geteuid;

use self::accounts::Accounts;
pub use self::policy::Writers;
pub use self::policy::{TrustPolicy, UnknownWord};

/// Maximum number of paths in a message.
const MAX_SHOWN: usize = 50;

/// The owner, group and mode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    owner: u32,
    group: u32,
    mode: u32,
}

impl From<&Metadata> for Facts {
    fn from(status: &Metadata) -> Self {
        Self { owner: status.uid(), group: status.gid(), mode: status.mode() & 0o7777 }
    }
}

impl From<&rustix::fs::Stat> for Facts {
    fn from(status: &rustix::fs::Stat) -> Self {
        Self { owner: status.st_uid, group: status.st_gid, mode: status.st_mode & 0o7777 }
    }
}

/// The purpose of a file, which determines the valid owners and modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Settings and plugins: owned by this user or root, readable by other users.
    Input,
    /// The data directory: owned by this user, readable by other users.
    DataDirectory,
    /// A file in a private directory: owned by this user, not writable by other users.
    PrivateFile,
    /// A key in a private directory: owned by this user, not accessible to other users.
    PrivateKey,
    /// A private directory: owned by this user, not accessible to other users.
    PrivateDirectory,
}

impl Purpose {
    /// Returns the permission bits that only the owner may have.
    fn owner_only_bits(self) -> u32 {
        match self {
            Self::Input | Self::DataDirectory | Self::PrivateFile => 0o2,
            Self::PrivateKey | Self::PrivateDirectory => 0o7,
        }
    }

    fn accepts_owner(self, owner: u32) -> bool {
        owner == geteuid().as_raw() || self == Self::Input && owner == 0
    }
}

/// Decides whether files are trusted.
///
/// The system's lists of users and groups are read at most once, and only if a mode depends on
/// them.
pub struct Judge<'a> {
    policy: &'a TrustPolicy,
    accounts: OnceCell<Accounts>,
}

impl<'a> Judge<'a> {
    /// Returns a judge that applies a policy.
    pub fn new(policy: &'a TrustPolicy) -> Self {
        Self { policy, accounts: OnceCell::new() }
    }

    /// Returns why a file is not trusted; `None` if it is.
    pub fn exposure(
        &self,
        path: &Path,
        facts: impl Into<Facts>,
        purpose: Purpose,
    ) -> Option<Exposed> {
        let facts = facts.into();
        let is_accepted =
            purpose.accepts_owner(facts.owner) || self.policy.accepts_owner(facts.owner);
        let owner = (!is_accepted).then(|| self.user(facts.owner));
        let writers = self.writers(path, facts, purpose).filter(|it| *it > self.policy.writers());
        if owner.is_none() && writers.is_none() {
            return None;
        }
        let owners = owner.iter().map(|owner| owner.id);
        let accepting = owners.fold(self.policy.clone(), TrustPolicy::owner);
        let accepting = accepting.with_writers(writers.unwrap_or_default());
        let (mode, is_read_only) = (facts.mode, is_on_read_only_mount(path));
        let path = path.to_owned();
        Some(Exposed { path, owner, writers, mode, purpose, is_read_only, accepting })
    }

    /// Returns why a symbolic link is not trusted; `None` if it is, or if the path is not a link.
    /// Only the owner of a link matters, because the owner controls its target.
    pub fn link_exposure(&self, path: &Path, purpose: Purpose) -> Option<Exposed> {
        let status = fs::symlink_metadata(path).ok().filter(Metadata::is_symlink)?;
        // A link is not writable, although its mode is 0777.
        let facts = Facts { mode: 0o644, ..Facts::from(&status) };
        self.exposure(path, facts, purpose)
    }

    /// Returns the users with access besides the owner; `None` if only the owner has access.
    fn writers(&self, path: &Path, facts: Facts, purpose: Purpose) -> Option<Writers> {
        if facts.mode & purpose.owner_only_bits() != 0 {
            Some(Writers::Everyone)
        } else if facts.mode & (purpose.owner_only_bits() << 3) != 0
            && !self.has_private_group(path, facts)
        {
            Some(Writers::Group)
        } else {
            None
        }
    }

    /// Returns whether the owner is provably the only member of the group of a file.
    fn has_private_group(&self, path: &Path, facts: Facts) -> bool {
        let is_own = facts.owner == geteuid().as_raw();
        // In a container, this process may be in the group of root, although no list says so.
        (is_own || !is_member(facts.group))
            && !has_acl(path)
            && self.accounts().is_private_group(facts.owner, facts.group)
    }

    fn user(&self, id: u32) -> User {
        User { id, name: self.accounts().name(id).map(ToOwned::to_owned) }
    }

    fn accounts(&self) -> &Accounts {
        self.accounts.get_or_init(Accounts::read)
    }
}

/// Returns whether this process is a member of a group.
fn is_member(group: u32) -> bool {
    let groups = rustix::process::getgroups();
    rustix::process::getegid().as_raw() == group
        // If the groups are unknown, the process may be a member.
        || groups.map_or(true, |groups| groups.iter().any(|it| it.as_raw() == group))
}

/// Returns whether a file may have an access control list, whose mask replaces the group bits.
fn has_acl(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    match rustix::fs::getxattr(path, c"system.posix_acl_access", &mut nothing) {
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => false,
        Ok(_) | Err(_) => true,
    }
}

/// Returns whether a file is on a read-only mount, where its mode cannot be changed.
pub fn is_on_read_only_mount(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The uid.
    pub id: u32,
    /// The name, if `/etc/passwd` has it.
    pub name: Option<String>,
}

impl User {
    /// Returns the user with a uid.
    pub fn of(id: u32) -> Self {
        Self { id, name: Accounts::read().name(id).map(ToOwned::to_owned) }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}` (uid {})", self.id),
            None => write!(f, "uid {}", self.id),
        }
    }
}

/// A path that other users own or have access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The path.
    pub path: PathBuf,
    /// The owner, if the owner is not accepted.
    pub owner: Option<User>,
    /// The users with access besides the owner, if they are not accepted.
    pub writers: Option<Writers>,
    /// The permission bits.
    pub mode: u32,
    /// The purpose of the path.
    pub purpose: Purpose,
    /// Whether the path is on a read-only mount.
    pub is_read_only: bool,
    /// The applied policy, extended so that it accepts the path.
    pub accepting: TrustPolicy,
}

impl Exposed {
    /// Returns whether the mode of the path is not accepted, independent of its owner.
    pub fn is_mode_wrong(&self) -> bool {
        self.writers.is_some()
    }

    /// Returns whether users other than the owner have any access to the path.
    pub fn is_open_to_others(&self) -> bool {
        self.mode & 0o077 != 0
    }

    /// Returns the reason without the path.
    fn reason(&self) -> String {
        let writers = self.writers.map(|writers| {
            let who = match writers {
                Writers::Owner | Writers::Group => "its group",
                Writers::Everyone => "every user",
            };
            let what = match self.purpose {
                Purpose::Input | Purpose::DataDirectory | Purpose::PrivateFile => "can write to it",
                Purpose::PrivateKey | Purpose::PrivateDirectory => "has access to it",
            };
            format!("{who} {what} (mode {:04o})", self.mode)
        });
        let owner = self.owner.as_ref().map(|owner| format!("belongs to {owner}"));
        [owner, writers].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.reason())
    }
}

/// One or more paths that are not trusted, because other users own or have access to them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Untrusted {
    /// The paths.
    pub paths: Vec<Exposed>,
}

impl From<Exposed> for Untrusted {
    fn from(exposed: Exposed) -> Self {
        Self { paths: vec![exposed] }
    }
}

impl Untrusted {
    /// Returns the strictest policy that accepts all paths.
    pub fn accepting(&self) -> TrustPolicy {
        let policies = self.paths.iter().map(|exposed| &exposed.accepting);
        policies.fold(TrustPolicy::default(), TrustPolicy::union)
    }

    /// Returns the reason, without the path if `path` is the only untrusted path.
    pub fn reason_for(&self, path: &Path) -> String {
        match &self.paths[..] {
            [one] if one.path == path => one.reason(),
            _ => self.to_string(),
        }
    }

    /// Returns the error; `None` without paths.
    pub fn of(paths: Vec<Exposed>) -> Option<Self> {
        (!paths.is_empty()).then_some(Self { paths })
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.paths.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join("; "))?;
        match self.paths.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            1 => f.write_str("; and 1 more path"),
            more => write!(f, "; and {more} more paths"),
        }
    }
}
