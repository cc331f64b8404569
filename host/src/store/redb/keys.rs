//! Encoding of the keys of the store.
//!
//! ```text
//! namespace 0   table  ...
//!           0   m      name                                        -> number of the whole store
//!           0   r      sequence                                    -> row
//!           0   d      run id                                      -> sequence
//!           0   l      sequence, part number u32                   -> part of the log of the run
//!           0   p      digest                                      -> large value
//!           0   c      digest                                      -> reference count
//!           0   k      length u32, operation, idempotency key      -> run that holds the key
//!           0   o      length u8, collection, document id          -> document
//!           0   h      length u8, collection, revision, id         -> change of a document
//!           0   v      length u8, collection, id, NUL, revision    -> kind of this change
//!           0   w      revision                                    -> metadata of a commit
//!           0   e      run id                                      -> revision of its commit
//!           0   n      collection                                  -> number of documents
//!           0   b      number of a block                           -> statistics of its runs
//!           0   i      index, hash of a value, sequence            -> empty, or a time
//!           0   y      length u8, collection, path                 -> definition of an index
//!           0   x      index u32, value, 0, document id            -> empty
//! ```
//!
//! Numbers are big-endian, so that keys sort numerically. Index keys hold a truncated hash, so
//! lookups can return false positives; callers must check the row.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use ophost_document::IndexField;
pub(super) use ophost_document::index::after;

use crate::model::digest::Digest;
use crate::model::document::{Address, CollectionName, DocumentId};
use crate::model::operation::OperationName;
use crate::model::run_record::{RunId, RunRecord, Status};

/// The number of the only namespace, `default`.
///
/// The namespace is the first byte, so that a namespace can be moved or removed as one range.
const NAMESPACE: u8 = 0;

/// The table of a key. Separate tables keep append-only key ranges densely packed.
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
    History,
    Commit,
    RunCommit,
    Collection,
    Index,
    Summary,
    IndexDefinition,
    FieldIndex,
}

impl TableId {
    /// All tables, by their index. Runs come before the entries that belong to them, for the check
    /// and for salvage.
    pub(super) const ALL: [Self; 17] = [
        Self::Meta,
        Self::Run,
        Self::RunIdIndex,
        Self::Log,
        Self::Payload,
        Self::PayloadRefcount,
        Self::Idempotency,
        Self::Document,
        Self::Change,
        Self::History,
        Self::Commit,
        Self::RunCommit,
        Self::Collection,
        Self::Index,
        Self::Summary,
        Self::IndexDefinition,
        Self::FieldIndex,
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
            Self::History => b'v',
            Self::Commit => b'w',
            Self::RunCommit => b'e',
            Self::Collection => b'n',
            Self::Index => b'i',
            Self::Summary => b'b',
            Self::IndexDefinition => b'y',
            Self::FieldIndex => b'x',
        }
    }

    /// Returns the name of the table.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Run => "runs",
            Self::RunIdIndex => "run_ids",
            Self::Log => "logs",
            Self::Payload => "payloads",
            Self::PayloadRefcount => "payload_refcounts",
            Self::Idempotency => "idempotency",
            Self::Document => "documents",
            Self::Change => "changes",
            Self::History => "document_history",
            Self::Commit => "commits",
            Self::RunCommit => "run_commits",
            Self::Collection => "collections",
            Self::Index => "indexes",
            Self::Summary => "run_summaries",
            Self::IndexDefinition => "index_definitions",
            Self::FieldIndex => "field_indexes",
        }
    }

    /// Returns the common prefix of the keys of the table.
    pub(super) fn prefix(self) -> Vec<u8> {
        vec![NAMESPACE, self.letter()]
    }
}

/// Splits a key into its table and the rest; `None` if the key is malformed.
pub(super) fn parse(key: &[u8]) -> Option<(TableId, &[u8])> {
    let (letter, rest) = key.strip_prefix(&[NAMESPACE])?.split_first()?;
    Some((TableId::ALL.into_iter().find(|kind| kind.letter() == *letter)?, rest))
}

/// Returns the name of a key for messages.
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
        TableId::History => match address_of_history(key) {
            Some((address, revision)) => {
                format!("history {revision} of {}", address_name(&address))
            }
            None => format!("history {}", text(rest)),
        },
        TableId::Commit => format!("commit number {}", number(rest)),
        TableId::RunCommit => format!("commit of run {}", HEXLOWER.encode(rest)),
        TableId::Collection => format!("collection {}", text(rest)),
        TableId::Index => format!("index {}", text(rest)),
        TableId::Summary => format!("statistics of block {}", number(rest)),
        TableId::IndexDefinition => match index_of_definition(key) {
            Some((collection, field)) => format!("index {field} of {collection}"),
            None => format!("index definition {}", text(rest)),
        },
        TableId::FieldIndex => match parse_index_entry(key) {
            Some(entry) => format!("entry of {} in index {}", entry.document, entry.index),
            None => format!("index entry {}", text(rest)),
        },
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

/// Returns the key of a number of the whole store.
pub(super) fn meta(name: &str) -> Vec<u8> {
    [&TableId::Meta.prefix(), name.as_bytes()].concat()
}

/// Returns the key of the row of a run.
pub(super) fn run(sequence: u64) -> Vec<u8> {
    [&TableId::Run.prefix()[..], &sequence.to_be_bytes()].concat()
}

/// Returns the sequence in a row key.
pub(super) fn sequence_of_run(key: &[u8]) -> Option<u64> {
    let (TableId::Run, rest) = parse(key)? else { return None };
    rest.try_into().ok().map(u64::from_be_bytes)
}

/// Returns the key of the entry that maps a run id to its sequence.
pub(super) fn id(id: RunId) -> Vec<u8> {
    [&TableId::RunIdIndex.prefix()[..], id.as_bytes()].concat()
}

/// Returns the run id in an id key.
pub(super) fn run_of_id(key: &[u8]) -> Option<RunId> {
    let (TableId::RunIdIndex, rest) = parse(key)? else { return None };
    rest.try_into().ok().map(RunId::from_bytes)
}

/// Returns the common prefix of the log keys of a run.
pub(super) fn logs(sequence: u64) -> Vec<u8> {
    [&TableId::Log.prefix()[..], &sequence.to_be_bytes()].concat()
}

/// Returns the key of a part of the log of a run.
pub(super) fn log(sequence: u64, part: u32) -> Vec<u8> {
    [&logs(sequence)[..], &part.to_be_bytes()].concat()
}

/// Returns the part number in a log key.
pub(super) fn log_part(key: &[u8]) -> Option<u32> {
    key.last_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Returns the sequence in a log key.
pub(super) fn run_of_log(key: &[u8]) -> Option<u64> {
    let (TableId::Log, rest) = parse(key)? else { return None };
    rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Returns the key of the reference count of a large value, from the key of the value.
pub(super) fn refcount_of_payload(key: &[u8]) -> Vec<u8> {
    let digest = key.strip_prefix(&TableId::Payload.prefix()[..]).unwrap_or_default();
    [&TableId::PayloadRefcount.prefix()[..], digest].concat()
}

/// Returns the key of a large value.
pub(super) fn payload(digest: &Digest) -> Vec<u8> {
    [&TableId::Payload.prefix()[..], digest.as_bytes()].concat()
}

/// Returns the key of the reference count of a large value.
pub(super) fn refcount(digest: &Digest) -> Vec<u8> {
    [&TableId::PayloadRefcount.prefix()[..], digest.as_bytes()].concat()
}

/// Returns the key of an operation's idempotency key.
pub(super) fn idempotency(operation: &OperationName, key: &str) -> Vec<u8> {
    // Operation names are much shorter than 4 GiB.
    let length = u32::try_from(operation.as_str().len()).unwrap_or(u32::MAX);
    let operation = operation.as_str().as_bytes();
    [&TableId::Idempotency.prefix()[..], &length.to_be_bytes(), operation, key.as_bytes()].concat()
}

/// Returns the name of a collection with a length prefix, so that the end of the name is known.
fn length_prefixed(collection: &CollectionName) -> Vec<u8> {
    // Collection names have at most 64 bytes.
    let length = u8::try_from(collection.as_str().len()).unwrap_or(u8::MAX);
    [&[length][..], collection.as_str().as_bytes()].concat()
}

/// Returns the common prefix of the document keys of a collection.
pub(super) fn documents_of(collection: &CollectionName) -> Vec<u8> {
    [&TableId::Document.prefix()[..], &length_prefixed(collection)].concat()
}

/// Returns the key of a document.
pub(super) fn document(address: &Address) -> Vec<u8> {
    [&documents_of(&address.collection)[..], address.id.as_str().as_bytes()].concat()
}

/// Returns the smallest key greater than the key of a document.
pub(super) fn document_after(collection: &CollectionName, id: &DocumentId) -> Vec<u8> {
    // Ids contain no NUL byte, so no other key sorts in between.
    [&documents_of(collection)[..], id.as_str().as_bytes(), &[0]].concat()
}

/// Returns the address in a document key.
pub(super) fn address_of_document(key: &[u8]) -> Option<Address> {
    let (TableId::Document, rest) = parse(key)? else { return None };
    let (collection, id) = split_length_prefixed(rest)?;
    Some(Address { collection, id: document_id(id)? })
}

/// Splits the length-prefixed collection name from the rest of a key.
fn split_length_prefixed(bytes: &[u8]) -> Option<(CollectionName, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((str::from_utf8(name).ok()?.parse().ok()?, rest))
}

/// Parses the document id at the end of a key.
pub(super) fn document_id(bytes: &[u8]) -> Option<DocumentId> {
    str::from_utf8(bytes).ok()?.parse().ok()
}

/// Returns the common prefix of the change keys of a collection.
pub(super) fn changes_of(collection: &CollectionName) -> Vec<u8> {
    [&TableId::Change.prefix()[..], &length_prefixed(collection)].concat()
}

/// Returns the common prefix of the changes of a commit in a collection. The keys of later
/// commits sort after it.
pub(super) fn changes_from(collection: &CollectionName, revision: u64) -> Vec<u8> {
    [&changes_of(collection)[..], &revision.to_be_bytes()].concat()
}

/// Returns the key of the change of a document by a commit.
pub(super) fn change(address: &Address, revision: u64) -> Vec<u8> {
    let of_commit = changes_from(&address.collection, revision);
    [&of_commit[..], address.id.as_str().as_bytes()].concat()
}

/// Returns the address and the revision in a change key.
pub(super) fn address_of_change(key: &[u8]) -> Option<(Address, u64)> {
    let (TableId::Change, rest) = parse(key)? else { return None };
    let (collection, rest) = split_length_prefixed(rest)?;
    let (revision, id) = rest.split_first_chunk()?;
    Some((Address { collection, id: document_id(id)? }, u64::from_be_bytes(*revision)))
}

/// Returns the common prefix of the history keys of a document.
pub(super) fn history_of(address: &Address) -> Vec<u8> {
    let (collection, id) = (length_prefixed(&address.collection), address.id.as_str());
    // Ids contain no NUL byte, so no other id has this prefix.
    [&TableId::History.prefix()[..], &collection, id.as_bytes(), &[0]].concat()
}

/// Returns the key of the history entry of a document for a commit.
pub(super) fn history(address: &Address, revision: u64) -> Vec<u8> {
    [&history_of(address)[..], &revision.to_be_bytes()].concat()
}

/// Returns the address and the revision in a history key.
pub(super) fn address_of_history(key: &[u8]) -> Option<(Address, u64)> {
    let (TableId::History, rest) = parse(key)? else { return None };
    let (collection, rest) = split_length_prefixed(rest)?;
    let (rest, revision) = rest.split_last_chunk()?;
    let id = document_id(rest.strip_suffix(&[0])?)?;
    Some((Address { collection, id }, u64::from_be_bytes(*revision)))
}

/// Returns the revision in a commit key.
pub(super) fn revision_of_commit(key: &[u8]) -> Option<u64> {
    let (TableId::Commit, rest) = parse(key)? else { return None };
    rest.try_into().ok().map(u64::from_be_bytes)
}

/// Returns the key of the metadata of a commit.
pub(super) fn commit(revision: u64) -> Vec<u8> {
    [&TableId::Commit.prefix()[..], &revision.to_be_bytes()].concat()
}

/// Returns the key of the entry that maps a run to its commit.
pub(super) fn run_commit(run: RunId) -> Vec<u8> {
    [&TableId::RunCommit.prefix()[..], run.as_bytes()].concat()
}

/// Returns the key of the statistics of a collection.
pub(super) fn collection(name: &CollectionName) -> Vec<u8> {
    [&TableId::Collection.prefix()[..], name.as_str().as_bytes()].concat()
}

/// Returns the name in a collection key.
pub(super) fn name_of_collection(key: &[u8]) -> Option<CollectionName> {
    let (TableId::Collection, name) = parse(key)? else { return None };
    str::from_utf8(name).ok()?.parse().ok()
}

/// Returns the key of the statistics of a block of runs.
pub(super) fn summary(block: u64) -> Vec<u8> {
    [&TableId::Summary.prefix()[..], &block.to_be_bytes()].concat()
}

/// Returns the block of a summary key.
pub(super) fn block_of_summary(key: &[u8]) -> Option<u64> {
    let (TableId::Summary, rest) = parse(key)? else { return None };
    rest.try_into().ok().map(u64::from_be_bytes)
}

/// Returns the common prefix of the keys of the index definitions of a collection.
pub(super) fn index_definitions_of(collection: &CollectionName) -> Vec<u8> {
    [&TableId::IndexDefinition.prefix()[..], &length_prefixed(collection)].concat()
}

/// Returns the key of the definition of an index.
pub(super) fn index_definition(collection: &CollectionName, field: &IndexField) -> Vec<u8> {
    [&index_definitions_of(collection)[..], field.to_string().as_bytes()].concat()
}

/// Returns the collection and the field in the key of an index definition.
pub(super) fn index_of_definition(key: &[u8]) -> Option<(CollectionName, IndexField)> {
    let (TableId::IndexDefinition, rest) = parse(key)? else { return None };
    let (collection, path) = split_length_prefixed(rest)?;
    Some((collection, str::from_utf8(path).ok()?.parse().ok()?))
}

/// Returns the common prefix of the entries of an index whose values begin with `value`.
pub(super) fn index_entries(index: u32, value: &[u8]) -> Vec<u8> {
    [&TableId::FieldIndex.prefix()[..], &index.to_be_bytes(), value].concat()
}

/// Returns the key of the entry of a document in an index.
pub(super) fn index_entry(index: u32, value: &[u8], document: &DocumentId) -> Vec<u8> {
    [&index_entries(index, value)[..], &[0], document.as_str().as_bytes()].concat()
}

/// Returns the smallest key greater than the entry of a document in an index.
pub(super) fn index_entry_after(index: u32, value: &[u8], document: &DocumentId) -> Vec<u8> {
    // Ids contain no NUL byte, so no other key sorts in between.
    [&index_entry(index, value, document)[..], &[0]].concat()
}

/// The parts of the key of an index entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldIndexEntry<'k> {
    pub(super) index: u32,
    pub(super) value: &'k [u8],
    pub(super) document: DocumentId,
}

/// Splits the key of an index entry; `None` if the key is malformed.
pub(super) fn parse_index_entry(key: &[u8]) -> Option<FieldIndexEntry<'_>> {
    let (TableId::FieldIndex, rest) = parse(key)? else { return None };
    let (index, rest) = rest.split_first_chunk()?;
    // Ids contain no NUL byte, but values do.
    let end = rest.iter().rposition(|byte| *byte == 0)?;
    let document = document_id(&rest[end + 1..])?;
    Some(FieldIndexEntry { index: u32::from_be_bytes(*index), value: &rest[..end], document })
}

/// An index and the value to look up. The entries of a value are in sequence order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Index<'a> {
    /// The value of an entry is [`RunRecord::started_or_created_at`], so that a time range needs
    /// no rows outside of it.
    Operation(&'a OperationName),
    /// Has no entries for successful runs. Most runs succeed, so scanning all rows is as fast.
    Status(Status),
    User(&'a str),
    FlowRun(&'a str),
    /// The runs that are linked to this run: see [`RunRecord::links`].
    LinkTo(RunId),
}

impl Index<'_> {
    /// Returns the common prefix of the entries of the value. Other values may share it.
    pub(super) fn prefix(self) -> Vec<u8> {
        let (letter, value) = match &self {
            Self::Operation(name) => (b'o', name.as_str().as_bytes()),
            Self::Status(status) => (b's', status.as_str().as_bytes()),
            Self::User(user) => (b'u', user.as_bytes()),
            Self::FlowRun(flow) => (b'f', flow.as_bytes()),
            Self::LinkTo(run) => (b'l', &run.as_bytes()[..]),
        };
        let hash = blake3::hash(value);
        [&TableId::Index.prefix()[..], &[letter], &hash.as_bytes()[..HASH_BYTES]].concat()
    }
}

/// Bytes of the hash that an index key holds.
const HASH_BYTES: usize = 8;

/// The entry of a run in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Encodes the time in an entry of [`Index::Operation`], with a resolution of microseconds.
pub(super) fn time(time: DateTime<Utc>) -> [u8; 8] {
    time.timestamp_micros().to_be_bytes()
}

/// Decodes the time in an index entry; `None` if the entry has none.
pub(super) fn time_of_index(value: &[u8]) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(i64::from_be_bytes(value.try_into().ok()?))
}

/// Returns the index entries of a run.
pub(super) fn indexes(run: &RunRecord) -> Vec<IndexEntry> {
    let entry = |index: Index<'_>, value: &[u8]| IndexEntry {
        key: [&index.prefix()[..], &run.sequence.to_be_bytes()].concat(),
        value: value.to_vec(),
    };
    let status = Some(run.state.status()).filter(|status| *status != Status::Success);
    let time = time(run.started_or_created_at());
    let mut entries = vec![entry(Index::Operation(&run.operation_name), &time)];
    entries.extend(status.map(|status| entry(Index::Status(status), &[])));
    entries.extend(run.actor.user_id.as_deref().map(|user| entry(Index::User(user), &[])));
    let flow = run.prefect_flow_run_id.as_deref();
    entries.extend(flow.map(|flow| entry(Index::FlowRun(flow), &[])));
    entries.extend(run.links().map(|linked| entry(Index::LinkTo(linked), &[])));
    entries
}

/// Returns the sequence at the end of a row key or an index key.
pub(super) fn sequence(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::run_record::RunState;
    use crate::model::run_record::tests::running;

    #[test]
    fn keys_sort_like_numbers() {
        let mut run = running("a.b");
        let keys = |run: &RunRecord| indexes(run).into_iter().map(|entry| entry.key);
        run.sequence = 255;
        let first = keys(&run);
        run.sequence = 256;
        assert!(first.zip(keys(&run)).all(|(first, second)| first < second));
    }

    #[test]
    fn index_of_operations_has_the_time_of_the_run() {
        let mut run = running("a.b");
        run.created_at = DateTime::UNIX_EPOCH - TimeDelta::microseconds(1);
        run.state = RunState::Pending;
        assert_eq!(time_of_index(&indexes(&run)[0].value), Some(run.created_at));
        assert_eq!(time_of_index(&[]), None);
    }

    #[test]
    fn prefix_of_a_value_does_not_match_longer_values() {
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
    fn entry_of_an_index_can_be_split() {
        let (value, document) = (b"v\0w\0", "é".parse().unwrap());
        let key = index_entry(7, value, &document);
        assert!(key.starts_with(&index_entries(7, value)));
        let entry = FieldIndexEntry { index: 7, value, document };
        assert_eq!(parse_index_entry(&key), Some(entry));
        assert_eq!(parse_index_entry(&index_entries(7, b"v")), None);
    }

    #[test]
    fn key_names_are_readable() {
        let id = RunId::new();
        assert_eq!(name(&run(300)), "run number 300");
        assert_eq!(name(&log(7, 1)), "log of run number 7");
        assert_eq!(name(&super::id(id)), format!("id {}", id.to_string().replace('-', "")));
        assert_eq!(name(b"\xff"), "key ff");
        assert_eq!(name(&run(300)[..5]), "run number 000000");
        let job = Address { collection: "jobs".parse().unwrap(), id: "é".parse().unwrap() };
        assert_eq!(name(&document(&job)), "document jobs/é");
        assert_eq!(name(&change(&job, 7)), "change 7 of jobs/é");
        assert_eq!(name(&history(&job, 7)), "history 7 of jobs/é");
        assert_eq!(name(&document(&job)[..3]), "document \\x04");
        let field = "a.b".parse().unwrap();
        assert_eq!(name(&index_definition(&job.collection, &field)), "index a.b of jobs");
        assert_eq!(name(&index_entry(3, b"v\0", &job.id)), "entry of é in index 3");
        assert_eq!(log_part(&log(1, 7)), Some(7));
        assert_eq!((run_of_log(&log(9, 7)), run_of_id(&super::id(id))), (Some(9), Some(id)));
    }
}
