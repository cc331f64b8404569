//! Encoding of the index file.
//!
//! ```text
//! magic            16 bytes
//! names, entries   two u32: number of names, number of entries
//! names            u64 hash of an operation name, u32 number of the entry; sorted by hash
//! entries          u64 offset, u32 length, u64 checksum
//! JSON             one text for each entry
//! ```
//!
//! Numbers are little-endian. A lookup by name reads the two tables and one entry. An entry with a
//! wrong checksum is ignored.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::entry::IndexEntry;
use crate::model::operation::Plugin;

/// Name and version of the format. An index with another version is ignored and replaced.
const MAGIC: &[u8; 16] = b"ophost index 03\n";
/// Size of magic and counts, in bytes.
const HEADER: usize = 24;
/// Size of a row of the table of names, in bytes.
const NAME_ROW: usize = 12;
/// Size of a row of the table of entries, in bytes.
const ENTRY_ROW: usize = 20;
/// Maximum size of the tables, in bytes. The length of a sparse file is arbitrary.
const MAX_TABLES: u64 = 256 << 20;
/// Maximum size of an entry, in bytes. Descriptions are smaller.
const MAX_ENTRY: u32 = 64 << 20;

/// Returns the first eight bytes of a BLAKE3 hash.
fn hash(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Encodes an index.
#[derive(Default)]
pub(super) struct IndexBuilder {
    names: Vec<(u64, u32)>,
    texts: Vec<Vec<u8>>,
}

impl IndexBuilder {
    /// Adds an entry. A path that is not UTF-8 cannot be encoded, so its entry is left out and its
    /// file is inspected by each process.
    pub(super) fn add(&mut self, entry: &IndexEntry<&Plugin>) {
        let (Ok(text), Ok(number)) = (serde_json::to_vec(entry), u32::try_from(self.texts.len()))
        else {
            return;
        };
        if let (true, Some(plugin)) = (entry.accepted, entry.plugin()) {
            let names = plugin.names().map(|name| (hash(name.as_str().as_bytes()), number));
            self.names.extend(names);
        }
        self.texts.push(text);
    }

    /// Returns the content of the index file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.names.sort_unstable();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(as_u32(self.names.len()).to_le_bytes());
        bytes.extend(as_u32(self.texts.len()).to_le_bytes());
        for (hash, number) in &self.names {
            bytes.extend(hash.to_le_bytes());
            bytes.extend(number.to_le_bytes());
        }
        let mut offset = (bytes.len() + self.texts.len() * ENTRY_ROW) as u64;
        for text in &self.texts {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(as_u32(text.len()).to_le_bytes());
            bytes.extend(hash(text).to_le_bytes());
            offset += text.len() as u64;
        }
        bytes.extend(self.texts.concat());
        bytes
    }
}

/// Converts a count or length. The limits on files and descriptions are far below `u32::MAX`.
fn as_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads an index file. The tables are in memory, the entries are read on demand.
pub(super) struct IndexReader {
    file: File,
    names: Vec<u8>,
    rows: Vec<u8>,
    entries: u32,
}

impl IndexReader {
    /// Reads the tables.
    ///
    /// # Errors
    ///
    /// Returns [`io::Error`] if the file cannot be read or has another format.
    pub(super) fn open(file: File) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let number = |offset: usize| u32_at(&header, offset).ok_or_else(invalid);
        let (names, entries) = (number(16)?, number(20)?);
        let size = file.metadata()?.len();
        let tables = u64::from(names) * NAME_ROW as u64 + u64::from(entries) * ENTRY_ROW as u64;
        if &header[..16] != MAGIC || tables > MAX_TABLES || tables + HEADER as u64 > size {
            return Err(invalid());
        }
        let mut names = vec![0; names as usize * NAME_ROW];
        let mut rows = vec![0; entries as usize * ENTRY_ROW];
        file.read_exact_at(&mut names, HEADER as u64)?;
        file.read_exact_at(&mut rows, (HEADER + names.len()) as u64)?;
        Ok(Self { file, names, rows, entries })
    }

    /// Returns the valid entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = IndexEntry<Plugin>> {
        (0..self.entries).filter_map(|number| self.entry(number))
    }

    /// Returns the valid entries with a name whose hash is that of `name`.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = IndexEntry<Plugin>> {
        let hash = hash(name.as_bytes());
        let (rows, _) = self.names.as_chunks::<NAME_ROW>();
        let first = rows.partition_point(|row| u64_at(row, 0) < Some(hash));
        let same = rows[first..].iter().take_while(move |row| u64_at(*row, 0) == Some(hash));
        same.filter_map(|row| self.entry(u32_at(row, 8)?))
    }

    fn entry(&self, number: u32) -> Option<IndexEntry<Plugin>> {
        let (rows, _) = self.rows.as_chunks::<ENTRY_ROW>();
        let row = rows.get(number as usize)?;
        let (offset, length, checksum) = (u64_at(row, 0)?, u32_at(row, 8)?, u64_at(row, 12)?);
        if length > MAX_ENTRY {
            return None;
        }
        let mut text = vec![0; length as usize];
        self.file.read_exact_at(&mut text, offset).ok()?;
        if hash(&text) != checksum {
            return None;
        }
        serde_json::from_slice(&text).ok()
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}
