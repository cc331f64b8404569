//! Reads the store's file page by page, past its reader, so that damage hides nothing but itself.
//!
//! redb follows keys in their order: one that is not in its place hides others, one page that
//! cannot be read ends all, and a file that was cut is none. Who saves a store needs less: the
//! entries of pages, each of which has a check of its own. This knows the third version of the
//! format, which redb's design document describes; numbers are little-endian.
//!
//! ```text
//! file     header, then regions: each of so many pages of its own, and of data
//! header   9 bytes, flags u8 (bit 0: which slot is committed), 2 bytes, page's size u32,
//!          a region's own pages u32, its data pages u32
//! slots    of a commit, at 64 and at 192:
//!          version u8, has a root u8, 6 bytes, root u64, 88 bytes, commit's number u64, check u128
//! number   of a page: 20 bits index, 20 bits region, 5 bits at the top: the power of its size
//! branch   2 u8, u8, count u16, u32, count + 1 checks u128, count + 1 pages u64, ...
//! leaf     1 u8, u8, count u16, ends of keys u32, ends of values u32, keys, values
//! table    its value in the tree of the root: u8, entries u64, has a root u8, root u64, ...
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

/// The size of a page whose power is 0, in bytes.
const PAGE: u64 = 4096;
/// The highest power of a page's size.
const LARGEST: u64 = 20;
/// The bits of a page's number that say something.
const PAGE_NUMBER_MASK: PageNumber = (0x1f << 59) | ((1 << 40) - 1);
/// The bytes of the header that say something.
const HEADER: usize = 320;
/// Where the flags are.
const FLAGS: usize = 9;
/// Where the slots are, and how long they are.
const SLOTS: [usize; 2] = [64, 192];
const SLOT: usize = 128;
/// The version of the format.
const FORMAT: u8 = 3;
/// What a leaf begins with, and what a branch does.
const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// A store's file at one commit, as far as it can be read.
#[derive(Debug)]
pub(super) struct RawPages {
    file: File,
    shape: RegionLayout,
    /// By their names; none if that is what is lost.
    tables: BTreeMap<&'static str, Table>,
    is_newest: bool,
}

/// Where the pages are.
#[derive(Clone, Copy, Debug)]
struct RegionLayout {
    /// How many pages of its own a region begins with.
    own: u64,
    /// How many pages of data a region has.
    data: u64,
    /// The length of the file, in bytes.
    length: u64,
}

/// The number of a page.
type PageNumber = u64;

/// What is shown an entry.
type EntryVisitor<'s> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 's;

#[derive(Clone, Copy, Debug)]
struct Table {
    root: Option<PageNumber>,
    entries: u64,
}

/// What the header of a file says: who holds a snapshot sees by it that there was no commit since.
pub(super) fn header(file: &File) -> Result<[u8; HEADER], StoreError> {
    let mut header = [0; HEADER];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(corrupted("its header is cut"))
        }
        read => Ok(read.map(|()| header)?),
    }
}

fn corrupted(what: &str) -> StoreError {
    StoreError::Corrupted { key: FILE.to_owned(), what: what.to_owned() }
}

impl RawPages {
    /// Finds the tables of the newest commit of which any can be found. Where none can, as in a
    /// file whose end is missing, all pages are looked through that there are.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Corrupted`] if there is nothing in it, and [`StoreError::Io`] if the disk does
    /// not answer.
    pub(super) fn open(file: File) -> Result<Self, StoreError> {
        let header = header(&file)?;
        let length = file.metadata()?.len();
        // The size of pages is the same in every store.
        let [own, data] = [16, 20].map(|place| number32(&header, place).unwrap_or(0) as u64);
        let (shape, mut is_newest) =
            (RegionLayout { own, data, length }, slots(&header).all(is_whole));
        let mut pages = Self { file, shape, tables: BTreeMap::new(), is_newest };
        for root in roots(&header) {
            pages.tables = root.map(|root| pages.tables_of(root)).unwrap_or_default();
            if !pages.tables.is_empty() {
                return Ok(Self { is_newest, ..pages });
            }
            is_newest = false;
        }
        match TableId::ALL.into_iter().any(|kind| pages.has(kind)) {
            true => Ok(pages),
            false => Err(corrupted("nothing in it can be found")),
        }
    }

    /// Returns whether there are no tables: then the entries are those of all commits whose pages
    /// were not used again.
    pub(super) fn has_no_table_roots(&self) -> bool {
        self.tables.is_empty()
    }

    fn has(&self, kind: TableId) -> bool {
        // What is whole ends the search as an error would.
        let found = self.search(kind, &mut |key, value| match codec::verify(key, value) {
            Ok(_) => Err(corrupted("")),
            Err(_) => Ok(()),
        });
        found.is_err()
    }

    /// Returns whether it is the newest commit that was found for sure.
    pub(super) fn is_newest(&self) -> bool {
        self.is_newest
    }

    fn tables_of(&self, root: PageNumber) -> BTreeMap<&'static str, Table> {
        let mut tables = BTreeMap::new();
        let see = &mut |name: &[u8], value: &[u8]| {
            let known =
                TableId::ALL.into_iter().map(TableId::table).find(|it| it.as_bytes() == name);
            if let (Some(name), Some(table)) = (known, Table::read(value)) {
                tables.insert(name, table);
            }
            Ok(())
        };
        // It never fails: `see` does not.
        self.walk(root, see).ok();
        tables
    }

    /// Returns how many entries a kind has, as its table says; `None` if that is gone.
    pub(super) fn count(&self, kind: TableId) -> Option<u64> {
        self.tables.get(kind.table()).map(|table| table.entries)
    }

    /// Shows every entry of a kind that can be read, whatever stands in it and in whatever order.
    /// Returns how many pages could not be read.
    ///
    /// # Errors
    ///
    /// Returns the error of `see`.
    pub(super) fn each(
        &self,
        kind: TableId,
        mut see: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        if self.has_no_table_roots() {
            return self.search(kind, &mut see).map(|()| 0);
        }
        let root = self.tables.get(kind.table()).and_then(|table| table.root);
        root.map_or(Ok(0), |root| self.walk(root, &mut see))
    }

    /// Shows the entries of a kind on all pages that there are.
    fn search(&self, kind: TableId, see: &mut EntryVisitor<'_>) -> Result<(), StoreError> {
        let prefix = kind.prefix();
        let mut start = PAGE;
        while start < self.shape.length {
            let page = self.leaf(start).unwrap_or_default();
            let mut of_kind = entries(&page).filter(|(key, _)| key.starts_with(&prefix));
            of_kind.try_for_each(|(key, value)| see(key, value))?;
            start += PAGE;
        }
        Ok(())
    }

    /// Returns the leaf that begins at a place, which says itself how long it is.
    fn leaf(&self, start: u64) -> Option<Vec<u8>> {
        let page = self.bytes(start, PAGE).filter(|page| page[0] == LEAF)?;
        let last = Some(2 * count(&page)).filter(|last| *last > 0)?;
        let end = number32(&page, 4 * last)? as u64;
        if end <= PAGE { Some(page) } else { self.bytes(start, end) }
    }

    fn walk(&self, root: PageNumber, see: &mut EntryVisitor<'_>) -> Result<u64, StoreError> {
        // A damaged page may lead anywhere, and around.
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
                // Of whatever kind it says it is: each entry has its check.
                Some(page) => entries(&page).try_for_each(|(key, value)| see(key, value))?,
            }
        }
        Ok(unreadable)
    }

    fn page(&self, number: PageNumber) -> Option<Vec<u8>> {
        let power = Some(number >> 59).filter(|power| *power <= LARGEST)?;
        self.bytes(self.shape.start(number, power)?, PAGE << power)
    }

    /// Returns what there is of so many bytes; `None` if that is nothing that can be read.
    fn bytes(&self, start: u64, size: u64) -> Option<Vec<u8>> {
        let there = self.shape.length.checked_sub(start).filter(|there| *there > 0)?;
        let mut bytes = vec![0; usize::try_from(there.min(size)).ok()?];
        self.file.read_exact_at(&mut bytes, start).ok()?;
        Some(bytes)
    }
}

impl RegionLayout {
    fn start(self, number: PageNumber, power: u64) -> Option<u64> {
        let (region, index) = ((number >> 20) & 0xf_ffff, number & (0xf_ffff >> power));
        let before = region.checked_mul(self.own + self.data)?.checked_add(1 + self.own)?;
        before.checked_add(index << power)?.checked_mul(PAGE)
    }
}

impl Table {
    fn read(value: &[u8]) -> Option<Self> {
        let has_root = *value.get(9)? != 0;
        let (entries, root) = (number64(value, 1)?, number64(value, 10)?);
        Some(Self { root: has_root.then_some(root), entries })
    }
}

/// Returns the slots of both commits that a header knows of.
fn slots(header: &[u8; HEADER]) -> impl Iterator<Item = &[u8]> {
    SLOTS.into_iter().map(|place| &header[place..place + SLOT])
}

/// Returns the roots of both commits, the one to be believed first; `None` if it has none.
fn roots(header: &[u8; HEADER]) -> impl Iterator<Item = Option<PageNumber>> {
    let committed = usize::from(header[FLAGS] & 1);
    let mut slots: Vec<_> = slots(header).enumerate().collect();
    // The other one may be of a commit that is being made, or was cut short: it is written before
    // its pages are.
    slots.sort_by_key(|(place, slot)| (is_whole(slot), *place == committed));
    let root = |slot: &[u8]| number64(slot, 8).filter(|_| slot[0] == FORMAT && slot[1] != 0);
    slots.into_iter().rev().map(move |(_, slot)| root(slot))
}

fn is_whole(slot: &[u8]) -> bool {
    let (content, check) = slot.split_at(SLOT - 16);
    XxHash3_128::oneshot(content).to_le_bytes() == check
}

/// Returns how many entries a page says that it has.
fn count(page: &[u8]) -> usize {
    page.get(2..4)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u16::from_le_bytes(*bytes).into())
}

/// Returns the pages below a branch, as far as they are there.
fn children(page: &[u8]) -> impl DoubleEndedIterator<Item = PageNumber> {
    let first = 8 + 16 * (count(page) + 1);
    (0..=count(page)).filter_map(move |n| number64(page, first + 8 * n))
}

/// Returns the keys and values of a leaf, but for those whose ends are damaged.
fn entries(page: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let count = count(page);
    // All keys come before the first value, and so do their ends.
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

fn number32(bytes: &[u8], place: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?)).ok()
}

fn number64(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}
