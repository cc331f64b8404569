//! Terminates the child processes of this process, such as a running build.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Terminates all descendants of this process.
///
/// A signal of the terminal reaches them too, but a SIGTERM only reaches this process.
pub(super) fn terminate() {
    let mut pending = children("self");
    while let Some(pid) = pending.pop() {
        // Read before the process ends, because its children get another parent then.
        pending.extend(children(&pid.to_string()));
        if let Some(pid) = Pid::from_raw(pid) {
            // A process that has ended needs no signal.
            kill_process(pid, Signal::TERM).ok();
        }
    }
}

/// Returns the child processes of all threads of a process.
fn children(process: &str) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).ok();
    let lists: Vec<_> = threads.filter_map(of_thread).collect();
    lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|it| it.parse().ok()).collect()
}
