//! The keys of the store's one table.
//!
//! ```text
//! namespace 00   kind   ...
//!   default 00   m      name of a number that concerns the whole store
//!   default 00   r      run's id                                      -> row
//!   default 00   l      run's id, number of a part u32                -> part of its log
//!   default 00   p      digest                                        -> large value
//!   default 00   c      digest                                        -> how many rows name it
//!   default 00   k      length u32, operation, idempotency key        -> whose the key is
//!   default 00   i      index, length u32, value, [time,] sequence    -> run's id
//! ```
//!
//! Numbers are big-endian, so that the order of keys is that of numbers.

use chrono::{DateTime, Utc};

use crate::digest::Digest;
use crate::operation::OperationName;
use crate::task_run::{RunId, Status, TaskRun};

/// The namespace comes first, so that one can be moved or removed as a whole. There is one.
const NAMESPACE: &[u8] = b"default\0";

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Meta,
    Run,
    Log,
    Payload,
    Count,
    Idempotency,
    Index,
}

impl Kind {
    /// All of them, in the order of their keys' meaning: what others refer to comes first.
    pub(super) const ALL: [Self; 7] = [
        Self::Meta,
        Self::Run,
        Self::Log,
        Self::Payload,
        Self::Count,
        Self::Idempotency,
        Self::Index,
    ];

    fn letter(self) -> u8 {
        match self {
            Self::Meta => b'm',
            Self::Run => b'r',
            Self::Log => b'l',
            Self::Payload => b'p',
            Self::Count => b'c',
            Self::Idempotency => b'k',
            Self::Index => b'i',
        }
    }

    /// Returns what all keys of this kind begin with.
    pub(super) fn prefix(self) -> Vec<u8> {
        [NAMESPACE, &[self.letter()]].concat()
    }
}

/// Returns the kind of a key and what follows it; `None` for what is no key of ours.
pub(super) fn parse(key: &[u8]) -> Option<(Kind, &[u8])> {
    let (letter, rest) = key.strip_prefix(NAMESPACE)?.split_first()?;
    Some((Kind::ALL.into_iter().find(|kind| kind.letter() == *letter)?, rest))
}

/// Returns a key as people can read it.
pub(super) fn name(key: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let Some((kind, rest)) = parse(key) else {
        return format!("key {}", hex(key));
    };
    let run = rest.first_chunk().map(|bytes| RunId::from_bytes(*bytes));
    match (kind, run) {
        (Kind::Meta, _) => format!("meta {}", String::from_utf8_lossy(rest)),
        (Kind::Run, Some(run)) => format!("run {run}"),
        (Kind::Log, Some(run)) => format!("log of run {run}"),
        (Kind::Payload, _) => format!("payload {}", hex(rest)),
        (Kind::Count, _) => format!("count of payload {}", hex(rest)),
        (Kind::Idempotency, _) => format!("idempotency key {}", text(rest)),
        (Kind::Index, _) => format!("index {}", text(rest)),
        (Kind::Run | Kind::Log, None) => format!("key {}", hex(key)),
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Returns the key of a number that concerns the whole store.
pub(super) fn meta(name: &str) -> Vec<u8> {
    [&Kind::Meta.prefix(), name.as_bytes()].concat()
}

/// Returns the key of a run's row.
pub(super) fn run(id: RunId) -> Vec<u8> {
    [&Kind::Run.prefix()[..], id.as_bytes()].concat()
}

/// Returns what the keys of a run's log begin with.
pub(super) fn logs(id: RunId) -> Vec<u8> {
    [&Kind::Log.prefix()[..], id.as_bytes()].concat()
}

/// Returns the key of a part of a run's log.
pub(super) fn log(id: RunId, part: u32) -> Vec<u8> {
    [&logs(id)[..], &part.to_be_bytes()].concat()
}

/// Returns the number of the part of a log that a key stands for.
pub(super) fn log_part(key: &[u8]) -> Option<u32> {
    key.last_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Returns the run whose log a key belongs to.
pub(super) fn run_of_log(key: &[u8]) -> Option<RunId> {
    let (Kind::Log, rest) = parse(key)? else { return None };
    rest.first_chunk().map(|bytes| RunId::from_bytes(*bytes))
}

/// Returns the key of the number of rows that name the large value under a key.
pub(super) fn count_of_payload(key: &[u8]) -> Vec<u8> {
    let digest = key.strip_prefix(&Kind::Payload.prefix()[..]).unwrap_or_default();
    [&Kind::Count.prefix()[..], digest].concat()
}

/// Returns the key of a large value.
pub(super) fn payload(digest: &Digest) -> Vec<u8> {
    [&Kind::Payload.prefix()[..], digest.as_bytes()].concat()
}

/// Returns the key of the number of rows that name a large value.
pub(super) fn count(digest: &Digest) -> Vec<u8> {
    [&Kind::Count.prefix()[..], digest.as_bytes()].concat()
}

/// Returns the key of an operation's idempotency key.
pub(super) fn idempotency(operation: &OperationName, key: &str) -> Vec<u8> {
    [&Kind::Idempotency.prefix()[..], &sized(operation.as_str()), key.as_bytes()].concat()
}

/// An index, and the value that is looked for in it. The entries of one value are in the order
/// of the runs' sequence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Index<'a> {
    All,
    Operation(&'a OperationName),
    Status(Status),
    User(&'a str),
    FlowRun(&'a str),
    /// In the order of [`TaskRun::time`], then of the sequence.
    OperationTime(&'a OperationName),
}

impl Index<'_> {
    /// Returns what the keys of all runs of this value begin with.
    pub(super) fn prefix(self) -> Vec<u8> {
        let (letter, value) = match self {
            Self::All => (b'a', ""),
            Self::Operation(name) => (b'o', name.as_str()),
            Self::Status(status) => (b's', status.as_str()),
            Self::User(user) => (b'u', user),
            Self::FlowRun(flow) => (b'f', flow),
            Self::OperationTime(name) => (b't', name.as_str()),
        };
        [&Kind::Index.prefix()[..], &[letter], &sized(value)].concat()
    }
}

/// Returns a text so that what follows it is not taken for a part of it.
fn sized(text: &str) -> Vec<u8> {
    // No text of a run is this long: it would have to fit into memory several times.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Returns a time so that the order of bytes is that of times.
pub(super) fn time(time: DateTime<Utc>) -> [u8; 8] {
    (time.timestamp_micros().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Returns the keys under which a run is found in the indexes.
pub(super) fn indexes(run: &TaskRun) -> Vec<Vec<u8>> {
    let sequence = run.sequence.to_be_bytes();
    let mut indexes =
        vec![Index::All, Index::Operation(&run.operation_name), Index::Status(run.state.status())];
    indexes.extend(run.actor.user_id.as_deref().map(Index::User));
    indexes.extend(run.prefect_flow_run_id.as_deref().map(Index::FlowRun));
    let mut keys: Vec<_> =
        indexes.into_iter().map(|index| [&index.prefix()[..], &sequence].concat()).collect();
    let by_time = Index::OperationTime(&run.operation_name).prefix();
    keys.push([&by_time[..], &time(run.time()), &sequence].concat());
    keys
}

/// Returns the sequence at the end of an index's key.
pub(super) fn sequence(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Returns the first key that does not begin with this prefix, and comes after those that do.
pub(super) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::task_run::tests::running;

    #[test]
    fn the_order_of_keys_is_that_of_numbers_and_times() {
        let mut run = running("a.b");
        let key = |run: &TaskRun| indexes(run);
        run.sequence = 255;
        let first = key(&run);
        run.sequence = 256;
        let second = key(&run);
        assert!(first.iter().zip(&second).all(|(first, second)| first < second));
        let epoch = DateTime::UNIX_EPOCH;
        assert!(time(epoch - TimeDelta::days(1)) < time(epoch));
        assert!(time(epoch) < time(epoch + TimeDelta::microseconds(1)));
    }

    #[test]
    fn no_value_is_taken_for_another_that_it_begins_with() {
        let names = ["a", "a.b", "ab"].map(|name| OperationName::new(name).unwrap());
        for name in &names {
            for other in names.iter().filter(|other| *other != name) {
                let prefix = Index::Operation(name).prefix();
                assert!(!Index::Operation(other).prefix().starts_with(&prefix));
            }
        }
        assert_ne!(idempotency(&names[0], "bx"), idempotency(&names[2], "x"));
        assert_eq!(after(b"a\xff"), b"b");
    }

    #[test]
    fn a_key_is_named_for_people() {
        let id = RunId::new();
        assert_eq!(name(&run(id)), format!("run {id}"));
        assert_eq!(name(&log(id, 1)), format!("log of run {id}"));
        assert_eq!(name(b"\xff"), "key ff");
        assert_eq!(log_part(&log(id, 7)), Some(7));
    }
}
