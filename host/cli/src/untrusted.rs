//! What to do about paths that are not trusted: one command for all of them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::output::quoted;
use ophost::trust::{Exposed, Purpose, Untrusted, User};

/// How many paths a command names before it names their directories.
const MAX_NAMED: usize = 16;

/// Returns what makes paths trusted: a command, and the setting that accepts them as they are.
pub(super) fn fix(untrusted: &Untrusted) -> String {
    let what = if untrusted.paths.len() == 1 { "it as it is" } else { "them as they are" };
    let words = untrusted.accepting().words().join(",");
    let accept = acceptable(untrusted).then(|| format!("`OPHOST_TRUST={words}` accepts {what}"));
    if let Some(fixed) = untrusted.paths.iter().find(|exposed| exposed.is_read_only) {
        let path = fixed.path.display();
        let why = format!("`{path}` is on a read-only mount, where no mode can be changed");
        return match accept {
            Some(accept) => format!("{why}; {accept}"),
            None => format!("{why}; change it where it is mounted from"),
        };
    }
    let command = command(untrusted);
    match accept {
        Some(accept) => format!("{command}; {accept}"),
        None => command,
    }
}

/// Returns whether a policy would let this user use the paths.
fn acceptable(untrusted: &Untrusted) -> bool {
    let is_closed = |exposed: &&Exposed| exposed.owner.is_some() && !exposed.is_open_to_others();
    geteuid().is_root() || !untrusted.paths.iter().any(|exposed| is_closed(&exposed))
}

fn command(untrusted: &Untrusted) -> String {
    let (data, inputs): (Vec<_>, Vec<_>) =
        untrusted.paths.iter().partition(|exposed| exposed.purpose != Purpose::Input);
    let foreign = data.iter().find_map(|exposed| exposed.owner.as_ref());
    if let Some(owner) = foreign.filter(|_| geteuid().is_root()) {
        return format!("run this command as the owner, as in `{} ophost ..`", switch(owner));
    }
    let owners = owned(&untrusted.paths);
    let mut commands = Vec::new();
    if !owners.is_empty() {
        commands.extend(foreign.filter(|owner| owner.id != 0).map(|_| without_code(&data)));
        commands.push(take(&joined(&owners)));
    }
    commands.extend(modes(&untrusted.paths));
    let command = format!("`{}`", commands.join(" && "));
    let is_foreign_input = inputs.iter().any(|exposed| exposed.owner.is_some());
    if is_foreign_input { format!("read what is there, then {command}") } else { command }
}

/// Returns what gives this user permissions that a path does not give: its owner can change its
/// mode, and only root its owner.
pub(super) fn permit(path: &Path, change: &str) -> String {
    let shell = quoted(&path.display().to_string());
    match fs::metadata(path).map(|status| status.uid()) {
        Ok(owner) if owner != geteuid().as_raw() => {
            format!("`{}`; the owner is {}", take(&shell), User::of(owner))
        }
        Ok(_) | Err(_) => format!("`chmod {change} {shell}`"),
    }
}

/// Returns the command that gives paths to this user.
fn take(paths: &str) -> String {
    let sudo = if geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}chown -R {} {paths}", owner_word(&User::of(geteuid().as_raw())))
}

/// Returns what `chown` calls a user, with the user's own group if that is known.
fn owner_word(user: &User) -> String {
    match &user.name {
        Some(name) => format!("{}:", quoted(name)),
        None => user.id.to_string(),
    }
}

/// Returns how a command is run as another user.
pub(super) fn switch(user: &User) -> String {
    match &user.name {
        Some(name) => format!("sudo -u {}", quoted(name)),
        None => format!("setpriv --reuid {0} --regid {0} --clear-groups", user.id),
    }
}

/// Returns the command that removes compiled code: what another user made is not to be run.
fn without_code(data: &[&Exposed]) -> String {
    let directories = data.iter().filter_map(|exposed| match exposed.purpose {
        Purpose::DataDirectory => Some(exposed.path.as_path()),
        Purpose::PrivateDirectory => exposed.path.parent(),
        Purpose::Input | Purpose::PrivateFile | Purpose::PrivateKey => None,
    });
    format!("sudo rm -rf {}", joined(&directories.map(|it| it.join("cache")).collect()))
}

/// Returns the paths of other users, without those below another one.
fn owned(paths: &[Exposed]) -> BTreeSet<PathBuf> {
    let all: BTreeSet<_> =
        paths.iter().filter(|it| it.owner.is_some()).map(|it| &it.path).collect();
    let is_below =
        |path: &Path| path.ancestors().skip(1).any(|above| all.contains(&above.to_owned()));
    all.iter().filter(|path| !is_below(path)).map(|path| (*path).clone()).collect()
}

/// Returns the commands that take permissions away from others.
fn modes(paths: &[Exposed]) -> impl Iterator<Item = String> {
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

/// Returns a directory itself, and that of a file.
fn directory(path: &Path) -> PathBuf {
    let above = path.parent().filter(|_| !path.is_dir());
    above.unwrap_or(path).to_owned()
}

fn joined(paths: &BTreeSet<PathBuf>) -> String {
    let words: Vec<_> = paths.iter().map(|path| quoted(&path.display().to_string())).collect();
    words.join(" ")
}
