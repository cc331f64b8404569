//! The stored form of a run. Large values are stored separately.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codec;
use crate::model::digest::Digest;
use crate::model::outcome::{Failure, FailureKind, ItemError, LogEntry};
use crate::model::run_record::{RunRecord, RunState};
use crate::store::StoreError;

/// Maximum bytes of JSON of a value inside a row. Larger values are stored by digest.
const BLOB_THRESHOLD: usize = 4 << 10;
/// Replacement of an erased failure message.
const ERASED: &str = "erased";

/// A run without its log and without large values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// The digest of the input if it is stored separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Digest>,
    /// The digest of the output if it is stored separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<Digest>,
    /// The digest of the error list if it is stored separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) errors: Option<Digest>,
    pub(super) run: RunRecord,
}

/// A large value, stored by digest.
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) json: String,
}

impl Row {
    /// Returns the row of a new run and its large values.
    pub(super) fn new(run: RunRecord) -> (Self, Vec<Blob>) {
        let mut row = Self { input: None, output: None, errors: None, run };
        let payloads = row.extract_blobs();
        (row, payloads)
    }

    /// Replaces large values by their digests and returns the values.
    pub(super) fn extract_blobs(&mut self) -> Vec<Blob> {
        let mut payloads = Vec::new();
        move_value(&mut self.run.input_dump, &mut self.input, &mut payloads);
        if let RunState::Success { output, .. } = &mut self.run.state {
            move_value(output, &mut self.output, &mut payloads);
        }
        for item in &mut self.run.error_list {
            codec::stringify_if_deep(&mut item.item);
        }
        if let RunState::Failed { failure: Failure { details: Some(details), .. }, .. } =
            &mut self.run.state
        {
            codec::stringify_if_deep(details);
        }
        if let Some(payload) = large(&self.run.error_list) {
            self.run.error_list.clear();
            self.errors = Some(payload.digest);
            payloads.push(payload);
        }
        payloads
    }

    /// Returns the digests of the large values.
    pub(super) fn payloads(&self) -> impl Iterator<Item = Digest> {
        [self.input, self.output, self.errors].into_iter().flatten()
    }

    /// Returns the full record, with its log and its large values.
    ///
    /// # Errors
    ///
    /// Returns the error of `read`.
    pub(super) fn assemble(
        self,
        log: Vec<LogEntry>,
        read: impl Fn(&Digest) -> Result<Value, StoreError>,
    ) -> Result<RunRecord, StoreError> {
        let mut run = self.run;
        run.log_entries = log;
        if let Some(digest) = self.input {
            run.input_dump = read(&digest)?;
        }
        if let (Some(digest), RunState::Success { output, .. }) = (self.output, &mut run.state) {
            *output = read(&digest)?;
        }
        if let Some(digest) = self.errors {
            let list = serde_json::from_value::<Vec<ItemError>>(read(&digest)?);
            run.error_list = list.map_err(|error| StoreError::Corrupted {
                key: format!("payload {digest}"),
                what: error.to_string(),
            })?;
        }
        Ok(run)
    }

    /// Removes the input, the output, the log reference, the item errors, and the failure except
    /// its kind.
    pub(super) fn erase(&mut self) {
        (self.input, self.output, self.errors) = (None, None, None);
        let run = &mut self.run;
        run.input_dump = Value::Null;
        run.logs_ref = None;
        run.error_list.clear();
        match &mut run.state {
            RunState::Success { output, .. } => *output = Value::Null,
            RunState::Failed { failure, .. } => {
                *failure = Failure::new(failure.kind, ERASED);
            }
            RunState::Pending | RunState::Running { .. } | RunState::Cancelled { .. } => {}
        }
    }

    /// Returns the failure of a run whose process has terminated.
    pub(super) fn crash(reason: &str) -> Failure {
        Failure::new(FailureKind::Crashed, reason)
    }
}

fn move_value(value: &mut Value, digest: &mut Option<Digest>, payloads: &mut Vec<Blob>) {
    let payload =
        if codec::is_deep(value) { Some(payload(value.to_string())) } else { large(value) };
    if let Some(payload) = payload {
        *value = Value::Null;
        *digest = Some(payload.digest);
        payloads.push(payload);
    }
}

fn large<T: Serialize>(value: &T) -> Option<Blob> {
    // Most values are small, and become JSON with their row.
    let is_large = serde_json::to_writer(SizeLimit(BLOB_THRESHOLD), value).is_err();
    if is_large { serde_json::to_string(value).ok().map(payload) } else { None }
}

/// A writer that fails after this number of bytes.
struct SizeLimit(usize);

impl io::Write for SizeLimit {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let rest = self.0.checked_sub(bytes.len());
        self.0 = rest.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn payload(json: String) -> Blob {
    Blob { digest: Digest::sha256(json.as_bytes()), json }
}
