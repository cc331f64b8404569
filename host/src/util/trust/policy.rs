//! The owners and modes that an operator accepts beyond the default.

use std::collections::BTreeSet;

use super::accounts::Accounts;

/// Who may have access to a file beside its owner: each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writers {
    /// Nobody.
    #[default]
    Owner,
    /// Its group.
    Group,
    /// Every user of the machine.
    Everyone,
}

/// How the words of a policy are written.
const WORDS: &str = "`group-writable`, `world-writable` or `owner:USER`";

const GROUP: &str = "group-writable";
const WORLD: &str = "world-writable";
const OWNER: &str = "owner:";

/// The owners and modes of settings, plugins and data that are accepted beyond the default.
///
/// By default files must belong to this user or to root, and no other user may write them. A user
/// who can write an accepted file decides which plugins run, with which limits, and what the
/// records say. Compiled code is never covered: only this user may have access to it.
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

    /// Accepts files of the user with that number.
    #[must_use]
    pub fn owner(mut self, uid: u32) -> Self {
        self.owners.insert(uid);
        self
    }

    /// Adds what a word of the settings says: `group-writable`, `world-writable`, or `owner:`
    /// and the name or number of a user.
    ///
    /// # Errors
    ///
    /// Returns [`UnknownWord`] if the word is none of these, or no user has that name.
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

    /// Returns the policy that accepts what either accepts.
    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.owners.extend(&other.owners);
        self.with_writers(other.writers)
    }

    /// Accepts one more class of writers.
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

/// A word that a [`TrustPolicy`] does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownWord {
    /// It is no word of a policy.
    #[error("`{0}` is not {WORDS}")]
    Word(String),
    /// No user has that name.
    #[error("`/etc/passwd` has no user `{0}`")]
    User(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_from_words_and_written_as_words() {
        let read = |words: &[&str]| {
            words.iter().try_fold(TrustPolicy::default(), |policy, word| policy.word(word))
        };
        let words = |words: &[&str]| read(words).map(|policy| policy.words());
        assert_eq!(words(&[]), Ok(vec![]));
        assert_eq!(words(&["owner:7", "group-writable"]).unwrap(), ["group-writable", "owner:7"]);
        assert_eq!(words(&["world-writable", "group-writable"]).unwrap(), ["world-writable"]);
        assert_eq!(words(&["owner:root"]).unwrap(), ["owner:0"]);
        assert_eq!(read(&["all"]), Err(UnknownWord::Word("all".into())));
        assert_eq!(read(&["owner:"]), Err(UnknownWord::Word("owner:".into())));
        assert_eq!(read(&["owner:no one"]), Err(UnknownWord::User("no one".into())));
    }
}
