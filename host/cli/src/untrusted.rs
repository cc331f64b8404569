//! Hints for paths that are not trusted: one command that fixes all of them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use ophost::trust::{Exposed, Purpose, Untrusted, User};

use super::output::quoted;

/// The maximum number of paths in a command; a command for more paths names their directories.
const MAX_NAMED: usize = 16;

/// Returns a hint with a command that makes the paths trusted, and the setting that accepts them.
pub(super) fn fix(untrusted: &Untrusted) -> String {
    let object = if untrusted.paths.len() == 1 { "it" } else { "them" };
    let words = untrusted.accepting().words().join(",");
    let accept =
        is_acceptable(untrusted).then(|| format!("set `OPHOST_TRUST={words}` to accept {object}"));
    if let Some(fixed) = untrusted.paths.iter().find(|exposed| exposed.is_read_only) {
        let path = fixed.path.display();
        let reason = format!("`{path}` is on a read-only mount, so its mode cannot be changed");
        return match accept {
            Some(accept) => format!("{reason}; {accept}"),
            None => format!("{reason}; change it at the source of the mount"),
        };
    }
    let command = command(untrusted);
    match accept {
        Some(accept) => format!("{command}, or {accept}"),
        None => command,
    }
}

/// Returns whether this user could use the paths if the policy accepted them.
fn is_acceptable(untrusted: &Untrusted) -> bool {
    let is_closed = |exposed: &&Exposed| exposed.owner.is_some() && !exposed.is_open_to_others();
    geteuid().is_root() || !untrusted.paths.iter().any(|exposed| is_closed(&exposed))
}

/// Returns an instruction with the command that makes the paths trusted.
fn command(untrusted: &Untrusted) -> String {
    let (data, inputs): (Vec<_>, Vec<_>) =
        untrusted.paths.iter().partition(|exposed| exposed.purpose != Purpose::Input);
    let foreign = data.iter().find_map(|exposed| exposed.owner.as_ref());
    if let Some(owner) = foreign.filter(|_| geteuid().is_root()) {
        return format!("run this command as the owner: `{} ophost ...`", switch_user(owner));
    }
    let owners = foreign_paths(&untrusted.paths);
    let mut commands = Vec::new();
    if !owners.is_empty() {
        commands.extend(foreign.filter(|owner| owner.id != 0).map(|_| remove_cache(&data)));
        commands.push(change_owner(&joined(&owners)));
    }
    commands.extend(chmod_commands(&untrusted.paths));
    let command = format!("run `{}`", commands.join(" && "));
    let is_foreign_input = inputs.iter().any(|exposed| exposed.owner.is_some());
    if is_foreign_input { format!("inspect the content, then {command}") } else { command }
}

/// Returns an instruction with the command that gives this user permissions on a path. The owner
/// can change the mode of the path, and only root can change the owner.
pub(super) fn permit(path: &Path, change: &str) -> String {
    let shell = quoted(&path.display().to_string());
    match fs::metadata(path).map(|status| status.uid()) {
        Ok(owner) if owner != geteuid().as_raw() => {
            format!("run `{}`; the owner is {}", change_owner(&shell), User::of(owner))
        }
        Ok(_) | Err(_) => format!("run `chmod {change} {shell}`"),
    }
}

/// Returns the command that makes this user the owner of paths.
fn change_owner(paths: &str) -> String {
    let sudo = if geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}chown -R {} {paths}", chown_operand(&User::of(geteuid().as_raw())))
}

/// Returns the operand of `chown` for a user, with the login group if the user has a name.
fn chown_operand(user: &User) -> String {
    match &user.name {
        Some(name) => format!("{}:", quoted(name)),
        None => user.id.to_string(),
    }
}

/// Returns the start of a command that runs as another user.
pub(super) fn switch_user(user: &User) -> String {
    match &user.name {
        Some(name) => format!("sudo -u {}", quoted(name)),
        None => format!("setpriv --reuid {0} --regid {0} --clear-groups", user.id),
    }
}

/// Returns the command that removes the code cache, because code of another user must not run.
fn remove_cache(data: &[&Exposed]) -> String {
    let directories = data.iter().filter_map(|exposed| match exposed.purpose {
        Purpose::DataDirectory => Some(exposed.path.as_path()),
        Purpose::PrivateDirectory => exposed.path.parent(),
        Purpose::Input | Purpose::PrivateFile | Purpose::PrivateKey => None,
    });
    format!("sudo rm -rf {}", joined(&directories.map(|it| it.join("cache")).collect()))
}

/// Returns the paths of other users, without paths below another of them.
fn foreign_paths(paths: &[Exposed]) -> BTreeSet<PathBuf> {
    let all: BTreeSet<_> =
        paths.iter().filter(|it| it.owner.is_some()).map(|it| &it.path).collect();
    let is_below =
        |path: &Path| path.ancestors().skip(1).any(|parent| all.contains(&parent.to_owned()));
    all.iter().filter(|path| !is_below(path)).map(|path| (*path).clone()).collect()
}

/// Returns the commands that remove permissions of other users.
fn chmod_commands(paths: &[Exposed]) -> impl Iterator<Item = String> {
    let (mut open, mut private) = (BTreeSet::new(), BTreeSet::new());
    for exposed in paths.iter().filter(|exposed| exposed.is_mode_wrong()) {
        let path = exposed.path.as_path();
        match exposed.purpose {
            Purpose::Input | Purpose::DataDirectory => open.insert(path.to_owned()),
            Purpose::PrivateDirectory => private.insert(path.to_owned()),
            Purpose::PrivateFile | Purpose::PrivateKey => {
                private.insert(path.parent().unwrap_or(path).to_owned())
            }
        };
    }
    let command = |start: &str, paths: &BTreeSet<PathBuf>| {
        (!paths.is_empty()).then(|| format!("{start} {}", joined(paths)))
    };
    let open = if open.len() > MAX_NAMED {
        command("chmod -R go-w", &open.iter().map(|path| directory(path)).collect())
    } else {
        command("chmod go-w", &open)
    };
    [open, command("chmod -R go-rwx", &private)].into_iter().flatten()
}

/// Returns the path if it is a directory, else its parent.
fn directory(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|_| !path.is_dir());
    parent.unwrap_or(path).to_owned()
}

fn joined(paths: &BTreeSet<PathBuf>) -> String {
    let words: Vec<_> = paths.iter().map(|path| quoted(&path.display().to_string())).collect();
    words.join(" ")
}
