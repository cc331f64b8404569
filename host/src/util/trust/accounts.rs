//! The users and groups that `/etc/passwd` and `/etc/group` list.

use std::fs;
use std::io;

/// A line of `/etc/passwd`.
struct UserEntry {
    name: String,
    id: u32,
    group: u32,
}

/// A line of `/etc/group`.
struct GroupEntry {
    name: String,
    id: u32,
    members: Vec<String>,
}

/// The lists of users and groups. A list is `None` if it cannot be read or has an invalid line,
/// because an incomplete list proves nothing.
pub(super) struct Accounts {
    users: Option<Vec<UserEntry>>,
    groups: Option<Vec<GroupEntry>>,
}

impl Accounts {
    /// Reads the lists of this system.
    pub(super) fn read() -> Self {
        Self::parse(fs::read_to_string("/etc/passwd"), fs::read_to_string("/etc/group"))
    }

    fn parse(passwd: io::Result<String>, group: io::Result<String>) -> Self {
        Self {
            users: passwd.ok().and_then(|text| lines(&text, user)),
            groups: group.ok().and_then(|text| lines(&text, self::group)),
        }
    }

    /// Returns the name of a user.
    pub(super) fn name(&self, id: u32) -> Option<&str> {
        self.users.as_ref()?.iter().find(|user| user.id == id).map(|user| user.name.as_str())
    }

    /// Returns the id of a user.
    pub(super) fn id(&self, name: &str) -> Option<u32> {
        self.users.as_ref()?.iter().find(|user| user.name == name).map(|user| user.id)
    }

    /// Returns whether the user is the only member of the group, which is the user's primary group
    /// and has the user's name.
    pub(super) fn is_private_group(&self, user: u32, group: u32) -> bool {
        let (Some(users), Some(groups)) = (&self.users, &self.groups) else { return false };
        let mut primary = users.iter().filter(|it| it.group == group).peekable();
        let mut entries = groups.iter().filter(|it| it.id == group).peekable();
        if primary.peek().is_none() || entries.peek().is_none() {
            return false;
        }
        let Some(owner) = users.iter().find(|it| it.id == user && it.group == group) else {
            return false;
        };
        primary.all(|it| it.id == user)
            && entries
                .all(|it| it.name == owner.name && it.members.iter().all(|it| *it == owner.name))
    }
}

/// Parses every line that is not empty and not a comment; `None` if a line is invalid.
fn lines<T>(text: &str, parse: fn(&[&str]) -> Option<T>) -> Option<Vec<T>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| parse(&line.split(':').collect::<Vec<_>>())).collect()
}

fn user(fields: &[&str]) -> Option<UserEntry> {
    let [name, _, id, group, _, _, _] = fields else { return None };
    Some(UserEntry { name: (*name).to_owned(), id: id.parse().ok()?, group: group.parse().ok()? })
}

fn group(fields: &[&str]) -> Option<GroupEntry> {
    let [name, _, id, members] = fields else { return None };
    let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Some(GroupEntry { name: (*name).to_owned(), id: id.parse().ok()?, members })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nann:x:1000:\nstaff:x:50:ann\n";

    fn is_private(passwd: &str, group: &str, user: u32, id: u32) -> bool {
        Accounts::parse(Ok(passwd.to_owned()), Ok(group.to_owned())).is_private_group(user, id)
    }

    #[test]
    fn group_with_the_name_of_its_only_member_is_private() {
        assert!(is_private(PASSWD, GROUP, 1000, 1000));
        assert!(is_private(PASSWD, GROUP, 0, 0));
        assert!(is_private(PASSWD, "# comment\n\nann:x:1000:ann\n", 1000, 1000));
    }

    #[test]
    fn group_with_another_member_or_name_is_not_private() {
        assert!(!is_private(PASSWD, GROUP, 1000, 50), "not the primary group");
        assert!(!is_private(PASSWD, GROUP, 0, 1000), "the group of another user");
        assert!(!is_private(PASSWD, "ann:x:1000:ann,bob\n", 1000, 1000));
        assert!(!is_private(PASSWD, "users:x:1000:\n", 1000, 1000));
        assert!(!is_private(PASSWD, "ann:x:1000:\nall:x:1000:bob\n", 1000, 1000));
        let other = format!("{PASSWD}bob:x:1001:1000::/home/bob:/bin/sh\n");
        assert!(!is_private(&other, GROUP, 1000, 1000));
    }

    #[test]
    fn group_is_not_private_if_a_list_is_missing_or_invalid() {
        assert!(!is_private(PASSWD, GROUP, 2000, 2000), "no entry of the user, as with LDAP");
        assert!(!is_private(PASSWD, "root:x:0:\n", 1000, 1000), "no entry of the group");
        assert!(
            !is_private(&format!("{PASSWD}+::::::\n"), GROUP, 1000, 1000),
            "NIS may add entries"
        );
        assert!(!is_private(PASSWD, &format!("{GROUP}+\n"), 1000, 1000), "NIS may add entries");
        let missing = || Err(io::ErrorKind::PermissionDenied.into());
        let without_groups = Accounts::parse(Ok(PASSWD.to_owned()), missing());
        assert!(!without_groups.is_private_group(1000, 1000));
        assert_eq!(without_groups.name(1000), Some("ann"));
        assert!(!Accounts::parse(missing(), Ok(GROUP.to_owned())).is_private_group(1000, 1000));
    }
}
