//! Which files the host believes: who owns them, and who else can change them.
//!
//! Every decision that depends on an owner or a mode is made by [`Judge`]: settings files, plugin
//! directories and files, and what the host keeps. A [`TrustPolicy`] says which owners and modes
//! the operator accepts beyond the default. Compiled code is judged without one.

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

/// How many paths a message names.
const MAX_SHOWN: usize = 50;

/// The facts that a file is judged by.
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

/// What a file is used for, which says who may own it and what others may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Settings and plugins: of this user or root, and others may read them.
    Input,
    /// The directory that holds private directories: of this user, and others may read it.
    DataDirectory,
    /// A file in a private directory: of this user.
    PrivateFile,
    /// A file in a private directory that others may not even read.
    PrivateKey,
    /// A directory that others may not even enter.
    PrivateDirectory,
}

impl Purpose {
    /// Returns the permissions that nobody but the owner may have.
    fn bits(self) -> u32 {
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
    /// Returns a judge by a policy.
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

    /// Returns the owner of a link, if that is no trusted one: whoever owns it decides where it
    /// leads. `None` if the path is no link.
    pub fn link_exposure(&self, path: &Path, purpose: Purpose) -> Option<Exposed> {
        let status = fs::symlink_metadata(path).ok().filter(Metadata::is_symlink)?;
        // Nobody can write to a link, whatever its mode says.
        let facts = Facts { mode: 0o644, ..Facts::from(&status) };
        self.exposure(path, facts, purpose)
    }

    /// Returns who has access besides the owner; `None` if nobody has.
    fn writers(&self, path: &Path, facts: Facts, purpose: Purpose) -> Option<Writers> {
        if facts.mode & purpose.bits() != 0 {
            Some(Writers::Everyone)
        } else if facts.mode & (purpose.bits() << 3) != 0 && !self.is_private(path, facts) {
            Some(Writers::Group)
        } else {
            None
        }
    }

    /// Returns whether the group of a file is proven to be its owner alone.
    fn is_private(&self, path: &Path, facts: Facts) -> bool {
        let is_own = facts.owner == geteuid().as_raw();
        // This process may be the other member, as in a container whose user has the group of root.
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

/// Returns whether this process has a group.
fn is_member(group: u32) -> bool {
    let all = rustix::process::getgroups();
    rustix::process::getegid().as_raw() == group
        // Where the system does not say, it may be.
        || all.map_or(true, |all| all.iter().any(|it| it.as_raw() == group))
}

/// Returns whether the bits of the group may be those of an access control list.
fn has_acl(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    match rustix::fs::getxattr(path, c"system.posix_acl_access", &mut nothing) {
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => false,
        Ok(_) | Err(_) => true,
    }
}

/// Returns whether nothing can be changed where a file is, not even a mode.
pub fn is_on_read_only_mount(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub id: u32,
    /// The name, if `/etc/passwd` has it.
    pub name: Option<String>,
}

impl User {
    /// Returns the user of that number.
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

/// A path that other users own, or have access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The path.
    pub path: PathBuf,
    /// The owner, if that is another user.
    pub owner: Option<User>,
    /// Who has access beside the owner, if that is too many.
    pub writers: Option<Writers>,
    /// The permission bits.
    pub mode: u32,
    /// The use of the path.
    pub purpose: Purpose,
    /// Whether it is on a mount where nothing can be changed.
    pub is_read_only: bool,
    /// The policy that it was judged by, and what else would accept it.
    pub accepting: TrustPolicy,
}

impl Exposed {
    /// Returns whether its mode is wrong, whoever owns it.
    pub fn is_mode_wrong(&self) -> bool {
        self.writers.is_some()
    }

    /// Returns whether users other than the owner have any access to it.
    pub fn is_open_to_others(&self) -> bool {
        self.mode & 0o077 != 0
    }

    /// Returns what is wrong, behind the path.
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

/// Paths that are not trusted, since other users own them or have access to them: at least one.
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
    /// Returns the least policy that accepts all paths.
    pub fn accepting(&self) -> TrustPolicy {
        let policies = self.paths.iter().map(|exposed| &exposed.accepting);
        policies.fold(TrustPolicy::default(), TrustPolicy::or)
    }

    /// Returns what is wrong with a path, without naming it if it is the only one.
    pub fn reason_for(&self, path: &Path) -> String {
        match &self.paths[..] {
            [one] if one.path == path => one.reason(),
            _ => self.to_string(),
        }
    }

    /// Returns the error, unless there is no such path.
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
