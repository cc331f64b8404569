//! The owners and modes that an operator accepts beyond the default.

use std::collections::BTreeSet;

use super::accounts::Accounts;

/// The users with access to a file besides its owner. Each variant includes the previous ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writers {
    /// No other user.
    #[default]
    Owner,
    /// The members of its group.
    Group,
    /// Every user of the machine.
    Everyone,
}

/// The valid words of a policy, for error messages.
const WORDS: &str = "`group-writable`, `world-writable` or `owner:USER`";

const GROUP: &str = "group-writable";
const WORLD: &str = "world-writable";
const OWNER: &str = "owner:";

/// The owners and modes of settings, plugins and data that are accepted beyond the default.
///
/// By default, files must belong to this user or root, and other users must not have write access.
/// A user who can write an accepted file controls the plugins, the limits and the records. The
/// policy never applies to compiled code, which only this user may access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustPolicy {
    owners: BTreeSet<u32>,
    writers: Writers,
}

impl TrustPolicy {
    /// Accepts files that their group may read and write.
    #[must_use]
    pub fn group_writable(mut self) -> Self {
        self.writers = self.writers.max(Writers::Group);
        self
    }

    /// Accepts files that every user of the machine may read and write.
    #[must_use]
    pub fn world_writable(mut self) -> Self {
        self.writers = Writers::Everyone;
        self
    }

    /// Accepts files of the user with this uid.
    #[must_use]
    pub fn owner(mut self, uid: u32) -> Self {
        self.owners.insert(uid);
        self
    }

    /// Adds a word of the settings: `group-writable`, `world-writable`, or `owner:` with the name
    /// or uid of a user.
    ///
    /// # Errors
    ///
    /// - Returns [`UnknownWord::Word`] if the word is none of these.
    /// - Returns [`UnknownWord::User`] if `/etc/passwd` has no user with this name.
    pub fn word(self, word: &str) -> Result<Self, UnknownWord> {
        match word {
            GROUP => Ok(self.group_writable()),
            WORLD => Ok(self.world_writable()),
            _ => {
                let user = word.strip_prefix(OWNER).filter(|user| !user.is_empty());
                let user = user.ok_or_else(|| UnknownWord::Word(word.to_owned()))?;
                let id = user.parse().ok().or_else(|| Accounts::read().id(user));
                Ok(self.owner(id.ok_or_else(|| UnknownWord::User(user.to_owned()))?))
            }
        }
    }

    /// Returns the policy as words.
    pub fn words(&self) -> Vec<String> {
        let writers = match self.writers {
            Writers::Owner => None,
            Writers::Group => Some(GROUP.to_owned()),
            Writers::Everyone => Some(WORLD.to_owned()),
        };
        let owners = self.owners.iter().map(|owner| format!("{OWNER}{owner}"));
        writers.into_iter().chain(owners).collect()
    }

    /// Returns the policy that accepts everything that one of the two policies accepts.
    pub(crate) fn union(mut self, other: &Self) -> Self {
        self.owners.extend(&other.owners);
        self.with_writers(other.writers)
    }

    /// Accepts files that `writers` have access to.
    pub(crate) fn with_writers(mut self, writers: Writers) -> Self {
        self.writers = self.writers.max(writers);
        self
    }

    pub(super) fn accepts_owner(&self, owner: u32) -> bool {
        self.owners.contains(&owner)
    }

    pub(super) fn writers(&self) -> Writers {
        self.writers
    }
}

/// An invalid word of a [`TrustPolicy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownWord {
    /// The word is unknown.
    #[error("`{0}` is not {WORDS}")]
    Word(String),
    /// `/etc/passwd` has no user with this name.
    #[error("`/etc/passwd` has no user `{0}`")]
    User(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_is_parsed_from_words_and_returns_them() {
        let parse = |words: &[&str]| {
            words.iter().try_fold(TrustPolicy::default(), |policy, word| policy.word(word))
        };
        let words = |words: &[&str]| parse(words).map(|policy| policy.words());
        assert_eq!(words(&[]), Ok(vec![]));
        assert_eq!(words(&["owner:7", "group-writable"]).unwrap(), ["group-writable", "owner:7"]);
        assert_eq!(words(&["world-writable", "group-writable"]).unwrap(), ["world-writable"]);
        assert_eq!(words(&["owner:root"]).unwrap(), ["owner:0"]);
        assert_eq!(parse(&["all"]), Err(UnknownWord::Word("all".into())));
        assert_eq!(parse(&["owner:"]), Err(UnknownWord::Word("owner:".into())));
        assert_eq!(parse(&["owner:no one"]), Err(UnknownWord::User("no one".into())));
    }
}
