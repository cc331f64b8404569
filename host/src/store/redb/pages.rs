//! Reads the pages of a redb file directly, without redb, so that one corrupted page does not
//! make the others unreadable.
//!
//! redb follows keys in order: a misplaced key hides others, an unreadable page ends a scan, and
//! a truncated file cannot be opened. Salvage needs only the entries of the pages, each of which
//! has its own checksum. This module reads version 3 of the file format, which redb's design
//! document describes. Numbers are little-endian.
//!
//! ```text
//! file     header, then regions of header pages and data pages
//! header   9 bytes, flags u8 (bit 0: committed slot), 2 bytes, page size u32,
//!          header pages per region u32, data pages per region u32
//! slots    commit slots, at 64 and at 192:
//!          version u8, has root u8, 6 bytes, root u64, 88 bytes, transaction id u64,
//!          checksum u128
//! number   page number: 20 bits index, 20 bits region, top 5 bits: order (power of the size)
//! branch   2 u8, u8, count u16, u32, count + 1 checksums u128, count + 1 page numbers u64, ...
//! leaf     1 u8, u8, count u16, key ends u32, value ends u32, keys, values
//! table    value in the root tree: u8, entries u64, has root u8, root u64, ...
//! ```

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use twox_hash::XxHash3_128;

use super::codec;
use super::file::FILE;
use super::keys::TableId;
use crate::store::StoreError;

/// The size of a page of order 0, in bytes.
const PAGE: u64 = 4096;
/// The maximum order of a page.
const MAX_ORDER: u64 = 20;
/// The used bits of a page number.
const PAGE_NUMBER_MASK: PageNumber = (0x1f << 59) | ((1 << 40) - 1);
/// The used bytes of the header.
const HEADER: usize = 320;
/// Offset of the flags.
const FLAGS: usize = 9;
/// Offsets and size of the commit slots.
const SLOTS: [usize; 2] = [64, 192];
const SLOT: usize = 128;
/// The version of the file format.
const FORMAT: u8 = 3;
/// The first byte of a leaf and of a branch.
const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// The readable pages of a store file at one commit.
#[derive(Debug)]
pub(super) struct RawPages {
    file: File,
    layout: RegionLayout,
    /// The tables by name; empty if no root can be read.
    tables: BTreeMap<&'static str, Table>,
    is_newest: bool,
}

/// The layout of the regions of a file.
#[derive(Clone, Copy, Debug)]
struct RegionLayout {
    /// Number of header pages at the start of a region.
    header_pages: u64,
    /// Number of data pages of a region.
    data_pages: u64,
    /// The length of the file, in bytes.
    length: u64,
}

/// The number of a page.
type PageNumber = u64;

/// Callback for an entry.
type EntryVisitor<'s> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 's;

#[derive(Clone, Copy, Debug)]
struct Table {
    root: Option<PageNumber>,
    entries: u64,
}

/// Opens the pages of the newest commit with a readable root.
///
/// `pin` opens a snapshot, so that redb does not reuse the pages of the newest commit. It is called
/// again if a commit happened before it returned. If it fails, no process can write to the file
/// either, and the pages are still returned.
///
/// # Errors
///
/// The pages are
///
/// - [`StoreError::Corrupted`] if no entry can be read.
/// - [`StoreError::Io`] if the file cannot be read.
pub(super) fn open<P>(
    file: File,
    mut pin: impl FnMut() -> Result<P, StoreError>,
) -> (Result<RawPages, StoreError>, Result<P, StoreError>) {
    let pinned = loop {
        let before = header(&file).ok();
        let pinned = pin();
        // Each commit changes the header.
        if pinned.is_err() || header(&file).ok() == before {
            break pinned;
        }
    };
    (RawPages::read(file), pinned)
}

fn header(file: &File) -> Result<[u8; HEADER], StoreError> {
    let mut header = [0; HEADER];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(corrupted("truncated header"))
        }
        read => Ok(read.map(|()| header)?),
    }
}

fn corrupted(what: &str) -> StoreError {
    StoreError::Corrupted { key: FILE.to_owned(), what: what.to_owned() }
}

impl RawPages {
    /// Finds the tables of the newest commit with a readable root.
    ///
    /// If no root is readable, for example in a truncated file, [`Self::each`] scans all pages.
    fn read(file: File) -> Result<Self, StoreError> {
        let header = header(&file)?;
        let length = file.metadata()?.len();
        // All stores use the same page size.
        let [header_pages, data_pages] =
            [16, 20].map(|offset| number32(&header, offset).unwrap_or(0) as u64);
        let layout = RegionLayout { header_pages, data_pages, length };
        let mut is_newest = slots(&header).all(is_intact);
        let mut pages = Self { file, layout, tables: BTreeMap::new(), is_newest };
        for root in roots(&header) {
            pages.tables = root.map(|root| pages.tables_of(root)).unwrap_or_default();
            if !pages.tables.is_empty() {
                return Ok(Self { is_newest, ..pages });
            }
            is_newest = false;
        }
        match TableId::ALL.into_iter().any(|kind| pages.has(kind)) {
            true => Ok(pages),
            false => Err(corrupted("no readable entries")),
        }
    }

    /// Returns whether no table root is readable. Then [`Self::each`] also returns entries of
    /// older commits whose pages were not reused.
    pub(super) fn has_no_table_roots(&self) -> bool {
        self.tables.is_empty()
    }

    fn has(&self, kind: TableId) -> bool {
        // The first intact entry ends the search by an error.
        let found = self.search(kind, &mut |key, value| match codec::verify(key, value) {
            Ok(_) => Err(corrupted("")),
            Err(_) => Ok(()),
        });
        found.is_err()
    }

    /// Returns whether the commit is certainly the newest one.
    pub(super) fn is_newest(&self) -> bool {
        self.is_newest
    }

    fn tables_of(&self, root: PageNumber) -> BTreeMap<&'static str, Table> {
        let mut tables = BTreeMap::new();
        let visit = &mut |name: &[u8], value: &[u8]| {
            let known =
                TableId::ALL.into_iter().map(TableId::table).find(|it| it.as_bytes() == name);
            if let (Some(name), Some(table)) = (known, Table::read(value)) {
                tables.insert(name, table);
            }
            Ok(())
        };
        // `visit` returns no error, so `walk` does not either.
        self.walk(root, visit).ok();
        tables
    }

    /// Returns the recorded number of entries of a table; `None` if the table is not readable.
    pub(super) fn count(&self, kind: TableId) -> Option<u64> {
        self.tables.get(kind.table()).map(|table| table.entries)
    }

    /// Passes every readable entry of a table to `visit`, unverified and in any order.
    ///
    /// Returns the number of unreadable pages.
    ///
    /// # Errors
    ///
    /// Returns the error of `visit`.
    pub(super) fn each(
        &self,
        kind: TableId,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        if self.has_no_table_roots() {
            return self.search(kind, &mut visit).map(|()| 0);
        }
        let root = self.tables.get(kind.table()).and_then(|table| table.root);
        root.map_or(Ok(0), |root| self.walk(root, &mut visit))
    }

    /// Passes the entries of a table on all pages of the file to `visit`.
    fn search(&self, kind: TableId, visit: &mut EntryVisitor<'_>) -> Result<(), StoreError> {
        let prefix = kind.prefix();
        let mut start = PAGE;
        while start < self.layout.length {
            let page = self.leaf(start).unwrap_or_default();
            let mut of_kind = entries(&page).filter(|(key, _)| key.starts_with(&prefix));
            of_kind.try_for_each(|(key, value)| visit(key, value))?;
            start += PAGE;
        }
        Ok(())
    }

    /// Returns the leaf at an offset. The leaf itself contains its length.
    fn leaf(&self, start: u64) -> Option<Vec<u8>> {
        let page = self.bytes(start, PAGE).filter(|page| page[0] == LEAF)?;
        let last = Some(2 * count(&page)).filter(|last| *last > 0)?;
        let end = number32(&page, 4 * last)? as u64;
        if end <= PAGE { Some(page) } else { self.bytes(start, end) }
    }

    fn walk(&self, root: PageNumber, visit: &mut EntryVisitor<'_>) -> Result<u64, StoreError> {
        // A corrupted page may refer to any page and form a cycle.
        let (mut waiting, mut known) = (vec![root], HashSet::from([root & PAGE_NUMBER_MASK]));
        let mut unreadable = 0;
        while let Some(number) = waiting.pop() {
            match self.page(number) {
                None => unreadable += 1,
                Some(page) if page[0] == BRANCH => {
                    waiting.extend(
                        children(&page).rev().filter(|it| known.insert(it & PAGE_NUMBER_MASK)),
                    );
                }
                // The page type may be corrupted. Each entry has its own checksum.
                Some(page) => entries(&page).try_for_each(|(key, value)| visit(key, value))?,
            }
        }
        Ok(unreadable)
    }

    fn page(&self, number: PageNumber) -> Option<Vec<u8>> {
        let order = Some(number >> 59).filter(|order| *order <= MAX_ORDER)?;
        self.bytes(self.layout.start(number, order)?, PAGE << order)
    }

    /// Returns at most `size` bytes, up to the end of the file; `None` if no byte is readable.
    fn bytes(&self, start: u64, size: u64) -> Option<Vec<u8>> {
        let available = self.layout.length.checked_sub(start).filter(|length| *length > 0)?;
        let mut bytes = vec![0; usize::try_from(available.min(size)).ok()?];
        self.file.read_exact_at(&mut bytes, start).ok()?;
        Some(bytes)
    }
}

impl RegionLayout {
    /// Returns the offset of a page in bytes.
    fn start(self, number: PageNumber, order: u64) -> Option<u64> {
        let (region, index) = ((number >> 20) & 0xf_ffff, number & (0xf_ffff >> order));
        let region_start = region.checked_mul(self.header_pages + self.data_pages)?;
        let data_start = region_start.checked_add(1 + self.header_pages)?;
        data_start.checked_add(index << order)?.checked_mul(PAGE)
    }
}

impl Table {
    fn read(value: &[u8]) -> Option<Self> {
        let has_root = *value.get(9)? != 0;
        let (entries, root) = (number64(value, 1)?, number64(value, 10)?);
        Some(Self { root: has_root.then_some(root), entries })
    }
}

/// Returns both commit slots of a header.
fn slots(header: &[u8; HEADER]) -> impl Iterator<Item = &[u8]> {
    SLOTS.into_iter().map(|offset| &header[offset..offset + SLOT])
}

/// Returns the roots of both commits, the more trustworthy one first; `None` for a commit without
/// a root or in another file format.
fn roots(header: &[u8; HEADER]) -> impl Iterator<Item = Option<PageNumber>> {
    let committed = usize::from(header[FLAGS] & 1);
    let mut slots: Vec<_> = slots(header).enumerate().collect();
    // The other slot may belong to an unfinished commit, because redb writes the slot before the
    // pages.
    slots.sort_by_key(|(index, slot)| (is_intact(slot), *index == committed));
    let root = |slot: &[u8]| number64(slot, 8).filter(|_| slot[0] == FORMAT && slot[1] != 0);
    slots.into_iter().rev().map(move |(_, slot)| root(slot))
}

fn is_intact(slot: &[u8]) -> bool {
    let (content, checksum) = slot.split_at(SLOT - 16);
    XxHash3_128::oneshot(content).to_le_bytes() == checksum
}

/// Returns the recorded number of entries of a page.
fn count(page: &[u8]) -> usize {
    page.get(2..4)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u16::from_le_bytes(*bytes).into())
}

/// Returns the readable child page numbers of a branch.
fn children(page: &[u8]) -> impl DoubleEndedIterator<Item = PageNumber> {
    let first = 8 + 16 * (count(page) + 1);
    (0..=count(page)).filter_map(move |n| number64(page, first + 8 * n))
}

/// Returns the keys and values of a leaf. Skips entries with corrupted offsets.
fn entries(page: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let count = count(page);
    // All keys come before the first value, and all key ends before the value ends.
    let end = move |n: usize| match n.checked_sub(1) {
        None => Some(4 + 8 * count),
        Some(n) => number32(page, 4 + 4 * n),
    };
    (0..count).filter_map(move |n| {
        let key = page.get(end(n)?..end(n + 1)?)?;
        let value = page.get(end(count + n)?..end(count + n + 1)?)?;
        Some((key, value))
    })
}

fn number32(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?)).ok()
}

fn number64(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
