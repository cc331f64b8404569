//! The keys of the store, which say what stands under them.
//!
//! ```text
//! namespace 0   kind   ...
//!           0   m      name of a number that concerns the whole store
//!           0   r      sequence                                    -> row
//!           0   d      run's id                                    -> sequence
//!           0   l      sequence, number of a part u32              -> part of the run's log
//!           0   p      digest                                      -> large value
//!           0   c      digest                                      -> how many rows name it
//!           0   k      length u32, operation, idempotency key      -> whose the key is
//!           0   o      length u8, collection, document's id       -> document
//!           0   h      length u8, collection, revision, id        -> what a commit changed
//!           0   w      revision                                    -> whose commit it was
//!           0   e      run's id                                    -> its commit
//!           0   n      collection                                  -> how many documents
//!           0   i      index, hash of a value, [time,] sequence    -> nothing
//! ```
//!
//! Numbers are big-endian, so that the order of keys is that of numbers. What an index finds is
//! a guess: two values may have the same hash. The row says what is true.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;

use crate::model::digest::Digest;
use crate::model::document::{Address, CollectionName, DocumentId};
use crate::model::operation::OperationName;
use crate::model::run_record::{RunId, RunRecord, Status};

/// The namespace comes first, so that one can be moved or removed as a whole. There is one,
/// `default`, and this is its number.
const NAMESPACE: u8 = 0;

/// What a key stands for. Each kind has a table of its own: one that grows at its end alone
/// is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableId {
    Meta,
    Run,
    RunIdIndex,
    Log,
    Payload,
    PayloadRefcount,
    Idempotency,
    Document,
    Change,
    Commit,
    RunCommit,
    Collection,
    Index,
}

impl TableId {
    /// All of them, in the order of their keys' meaning: what others refer to comes first.
    pub(super) const ALL: [Self; 13] = [
        Self::Meta,
        Self::Run,
        Self::RunIdIndex,
        Self::Log,
        Self::Payload,
        Self::PayloadRefcount,
        Self::Idempotency,
        Self::Document,
        Self::Change,
        Self::Commit,
        Self::RunCommit,
        Self::Collection,
        Self::Index,
    ];

    fn letter(self) -> u8 {
        match self {
            Self::Meta => b'm',
            Self::Run => b'r',
            Self::RunIdIndex => b'd',
            Self::Log => b'l',
            Self::Payload => b'p',
            Self::PayloadRefcount => b'c',
            Self::Idempotency => b'k',
            Self::Document => b'o',
            Self::Change => b'h',
            Self::Commit => b'w',
            Self::RunCommit => b'e',
            Self::Collection => b'n',
            Self::Index => b'i',
        }
    }

    /// Returns the name of the table.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Run => "runs",
            Self::RunIdIndex => "ids",
            Self::Log => "logs",
            Self::Payload => "payloads",
            Self::PayloadRefcount => "counts",
            Self::Idempotency => "idempotency",
            Self::Document => "documents",
            Self::Change => "changes",
            Self::Commit => "commits",
            Self::RunCommit => "effects",
            Self::Collection => "collections",
            Self::Index => "indexes",
        }
    }

    /// Returns what all keys of this kind begin with.
    pub(super) fn prefix(self) -> Vec<u8> {
        vec![NAMESPACE, self.letter()]
    }
}

/// Returns the kind of a key and what follows it; `None` for what is no key of ours.
pub(super) fn parse(key: &[u8]) -> Option<(TableId, &[u8])> {
    let (letter, rest) = key.strip_prefix(&[NAMESPACE])?.split_first()?;
    Some((TableId::ALL.into_iter().find(|kind| kind.letter() == *letter)?, rest))
}

/// Returns a key as people can read it.
pub(super) fn name(key: &[u8]) -> String {
    let Some((kind, rest)) = parse(key) else {
        return format!("key {}", HEXLOWER.encode(key));
    };
    match kind {
        TableId::Meta => format!("meta {}", text(rest)),
        TableId::Run => format!("run number {}", number(rest)),
        TableId::RunIdIndex => format!("id {}", HEXLOWER.encode(rest)),
        TableId::Log => format!("log of run number {}", number(rest)),
        TableId::Payload => format!("payload {}", HEXLOWER.encode(rest)),
        TableId::PayloadRefcount => format!("count of payload {}", HEXLOWER.encode(rest)),
        TableId::Idempotency => format!("idempotency key {}", text(rest)),
        TableId::Document => match address_of_document(key) {
            Some(address) => format!("document {}", address_name(&address)),
            None => format!("document {}", text(rest)),
        },
        TableId::Change => match address_of_change(key) {
            Some((address, revision)) => format!("change {revision} of {}", address_name(&address)),
            None => format!("change {}", text(rest)),
        },
        TableId::Commit => format!("commit number {}", number(rest)),
        TableId::RunCommit => format!("effects of run {}", HEXLOWER.encode(rest)),
        TableId::Collection => format!("collection {}", text(rest)),
        TableId::Index => format!("index {}", text(rest)),
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn address_name(Address { collection, id }: &Address) -> String {
    format!("{collection}/{id}")
}

fn number(bytes: &[u8]) -> String {
    bytes
        .first_chunk()
        .map_or_else(|| HEXLOWER.encode(bytes), |bytes| u64::from_be_bytes(*bytes).to_string())
}

/// Returns the key of a number that concerns the whole store.
pub(super) fn meta(name: &str) -> Vec<u8> {
    [&TableId::Meta.prefix(), name.as_bytes()].concat()
}

/// Returns the key of the row of the run with that place in the order.
pub(super) fn run(sequence: u64) -> Vec<u8> {
    [&TableId::Run.prefix()[..], &sequence.to_be_bytes()].concat()
}

/// Returns the key under which a run's place in the order is found.
pub(super) fn id(id: RunId) -> Vec<u8> {
    [&TableId::RunIdIndex.prefix()[..], id.as_bytes()].concat()
}

/// Returns the run that such a key is about.
pub(super) fn run_of_id(key: &[u8]) -> Option<RunId> {
    let (TableId::RunIdIndex, rest) = parse(key)? else { return None };
    rest.try_into().ok().map(RunId::from_bytes)
}

/// Returns what the keys of a run's log begin with.
pub(super) fn logs(sequence: u64) -> Vec<u8> {
    [&TableId::Log.prefix()[..], &sequence.to_be_bytes()].concat()
}

/// Returns the key of a part of a run's log.
pub(super) fn log(sequence: u64, part: u32) -> Vec<u8> {
    [&logs(sequence)[..], &part.to_be_bytes()].concat()
}

/// Returns the number of the part of a log that a key stands for.
pub(super) fn log_part(key: &[u8]) -> Option<u32> {
    key.last_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Returns the place of the run whose log a key belongs to.
pub(super) fn run_of_log(key: &[u8]) -> Option<u64> {
    let (TableId::Log, rest) = parse(key)? else { return None };
    rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Returns the key of the number of rows that name the large value under a key.
pub(super) fn count_of_payload(key: &[u8]) -> Vec<u8> {
    let digest = key.strip_prefix(&TableId::Payload.prefix()[..]).unwrap_or_default();
    [&TableId::PayloadRefcount.prefix()[..], digest].concat()
}

/// Returns the key of a large value.
pub(super) fn payload(digest: &Digest) -> Vec<u8> {
    [&TableId::Payload.prefix()[..], digest.as_bytes()].concat()
}

/// Returns the key of the number of rows that name a large value.
pub(super) fn count(digest: &Digest) -> Vec<u8> {
    [&TableId::PayloadRefcount.prefix()[..], digest.as_bytes()].concat()
}

/// Returns the key of an operation's idempotency key.
pub(super) fn idempotency(operation: &OperationName, key: &str) -> Vec<u8> {
    // No name is this long.
    let length = u32::try_from(operation.as_str().len()).unwrap_or(u32::MAX);
    let operation = operation.as_str().as_bytes();
    [&TableId::Idempotency.prefix()[..], &length.to_be_bytes(), operation, key.as_bytes()].concat()
}

/// Returns a collection's name so that what follows it is not taken for a part of it.
fn length_prefixed(collection: &CollectionName) -> Vec<u8> {
    // No name is longer.
    let length = u8::try_from(collection.as_str().len()).unwrap_or(u8::MAX);
    [&[length][..], collection.as_str().as_bytes()].concat()
}

/// Returns what the keys of a collection's documents begin with.
pub(super) fn documents_of(collection: &CollectionName) -> Vec<u8> {
    [&TableId::Document.prefix()[..], &length_prefixed(collection)].concat()
}

/// Returns the key of a document.
pub(super) fn document(address: &Address) -> Vec<u8> {
    [&documents_of(&address.collection)[..], address.id.as_str().as_bytes()].concat()
}

/// Returns the first key that comes after that of a document.
pub(super) fn document_after(collection: &CollectionName, id: &DocumentId) -> Vec<u8> {
    // No id holds this byte, so that none is between.
    [&documents_of(collection)[..], id.as_str().as_bytes(), &[0]].concat()
}

/// Returns the document whose key this is.
pub(super) fn address_of_document(key: &[u8]) -> Option<Address> {
    let (TableId::Document, rest) = parse(key)? else { return None };
    let (collection, id) = split_length_prefixed(rest)?;
    Some(Address { collection, id: document_id(id)? })
}

/// Returns the collection that a key names, and what follows it.
fn split_length_prefixed(bytes: &[u8]) -> Option<(CollectionName, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((str::from_utf8(name).ok()?.parse().ok()?, rest))
}

/// Returns the id with which the key of a document ends.
pub(super) fn document_id(bytes: &[u8]) -> Option<DocumentId> {
    str::from_utf8(bytes).ok()?.parse().ok()
}

/// Returns what the keys of all changes of a collection begin with.
pub(super) fn changes_of(collection: &CollectionName) -> Vec<u8> {
    [&TableId::Change.prefix()[..], &length_prefixed(collection)].concat()
}

/// Returns what the keys of a commit's changes of a collection begin with; those of later
/// commits come after it.
pub(super) fn changes_from(collection: &CollectionName, revision: u64) -> Vec<u8> {
    [&changes_of(collection)[..], &revision.to_be_bytes()].concat()
}

/// Returns the key of what a commit changed in a document.
pub(super) fn change(address: &Address, revision: u64) -> Vec<u8> {
    let of_commit = changes_from(&address.collection, revision);
    [&of_commit[..], address.id.as_str().as_bytes()].concat()
}

/// Returns the document whose change this is the key of, and the commit's number.
pub(super) fn address_of_change(key: &[u8]) -> Option<(Address, u64)> {
    let (TableId::Change, rest) = parse(key)? else { return None };
    let (collection, rest) = split_length_prefixed(rest)?;
    let (revision, id) = rest.split_first_chunk()?;
    Some((Address { collection, id: document_id(id)? }, u64::from_be_bytes(*revision)))
}

/// Returns the number of the commit whose key this is.
pub(super) fn revision_of_commit(key: &[u8]) -> Option<u64> {
    let (TableId::Commit, rest) = parse(key)? else { return None };
    rest.try_into().ok().map(u64::from_be_bytes)
}

/// Returns the key of what is known of a commit.
pub(super) fn commit(revision: u64) -> Vec<u8> {
    [&TableId::Commit.prefix()[..], &revision.to_be_bytes()].concat()
}

/// Returns the key of a run's commit.
pub(super) fn effect(run: RunId) -> Vec<u8> {
    [&TableId::RunCommit.prefix()[..], run.as_bytes()].concat()
}

/// Returns the key of what is known of a collection.
pub(super) fn collection(name: &CollectionName) -> Vec<u8> {
    [&TableId::Collection.prefix()[..], name.as_str().as_bytes()].concat()
}

/// Returns the name of the collection whose key this is.
pub(super) fn name_of_collection(key: &[u8]) -> Option<CollectionName> {
    let (TableId::Collection, name) = parse(key)? else { return None };
    str::from_utf8(name).ok()?.parse().ok()
}

/// An index, and the value that is looked for in it. The entries of one value are in the order
/// of the runs' sequence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Index<'a> {
    Operation(&'a OperationName),
    /// Not of a success: most runs are one, and all rows are as fast.
    Status(Status),
    User(&'a str),
    FlowRun(&'a str),
    /// In the order of [`RunRecord::started_or_created_at`], then of the sequence.
    OperationTime(&'a OperationName),
}

impl Index<'_> {
    /// Returns what the keys of all runs of this value begin with, and perhaps those of runs of
    /// another one.
    pub(super) fn prefix(self) -> Vec<u8> {
        let (letter, value) = match self {
            Self::Operation(name) => (b'o', name.as_str()),
            Self::Status(status) => (b's', status.as_str()),
            Self::User(user) => (b'u', user),
            Self::FlowRun(flow) => (b'f', flow),
            Self::OperationTime(name) => (b't', name.as_str()),
        };
        let hash = blake3::hash(value.as_bytes());
        [&TableId::Index.prefix()[..], &[letter], &hash.as_bytes()[..HASH]].concat()
    }
}

/// The bytes of a hash that are in an index.
const HASH: usize = 8;

/// Returns a time so that the order of bytes is that of times.
pub(super) fn time(time: DateTime<Utc>) -> [u8; 8] {
    (time.timestamp_micros().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Returns the keys under which a run is found in the indexes.
pub(super) fn indexes(run: &RunRecord) -> Vec<Vec<u8>> {
    let sequence = run.sequence.to_be_bytes();
    let status = Some(run.state.status()).filter(|status| *status != Status::Success);
    let mut indexes = vec![Index::Operation(&run.operation_name)];
    indexes.extend(status.map(Index::Status));
    indexes.extend(run.actor.user_id.as_deref().map(Index::User));
    indexes.extend(run.prefect_flow_run_id.as_deref().map(Index::FlowRun));
    let mut keys: Vec<_> =
        indexes.into_iter().map(|index| [&index.prefix()[..], &sequence].concat()).collect();
    let by_time = Index::OperationTime(&run.operation_name).prefix();
    keys.push([&by_time[..], &time(run.started_or_created_at()), &sequence].concat());
    keys
}

/// Returns the sequence at the end of the key of a row or of an entry of an index.
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
    use crate::model::run_record::tests::running;

    #[test]
    fn the_order_of_keys_is_that_of_numbers_and_times() {
        let mut run = running("a.b");
        let key = |run: &RunRecord| indexes(run);
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
        assert_eq!(name(&run(300)), "run number 300");
        assert_eq!(name(&log(7, 1)), "log of run number 7");
        assert_eq!(name(&super::id(id)), format!("id {}", id.to_string().replace('-', "")));
        assert_eq!(name(b"\xff"), "key ff");
        assert_eq!(name(&run(300)[..5]), "run number 000000");
        let job = Address { collection: "jobs".parse().unwrap(), id: "é".parse().unwrap() };
        assert_eq!(name(&document(&job)), "document jobs/é");
        assert_eq!(name(&change(&job, 7)), "change 7 of jobs/é");
        assert_eq!(name(&document(&job)[..3]), "document \\x04");
        assert_eq!(log_part(&log(1, 7)), Some(7));
        assert_eq!((run_of_log(&log(9, 7)), run_of_id(&super::id(id))), (Some(9), Some(id)));
    }
}
