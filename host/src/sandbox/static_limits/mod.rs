//! Estimates the host memory that instances of a component will use, before compiling it.
//!
//! The memory limit of a run covers only the linear memory of the guest. For each core instance,
//! the host also allocates a record of all its functions, globals and segments. A component of a
//! few megabytes can contain 100 instances of a module with a million globals. wasmtime does not
//! limit these allocations while the guest runs, so [`check`] rejects the component.
//!
//! A component can be instantiated several times, by components that are instantiated several
//! times. The sums therefore cover all instances that one run creates, not the items in the file.
//!
//! | file | content |
//! |------|---------|
//! | `mod.rs` | [`check`] and its error |
//! | `cost.rs` | the items and bytes that one instantiation creates, with their maxima |
//! | `scan.rs` | reads the sections of a file and adds up costs |

mod cost;
mod scan;

use bytesize::ByteSize;
use wasmparser::{BinaryReaderError, Parser};

use self::cost::MAX_HOST_BYTES;
use self::scan::Scan;
use ophost_document::text;

/// Rejects a module or component whose instances would use too much host memory.
///
/// Takes a few milliseconds for a file of a few megabytes, whatever its content.
///
/// # Errors
///
/// - Returns [`LimitExceeded::Malformed`] if the bytes cannot be parsed.
/// - Returns the first other [`LimitExceeded`] if a limit is exceeded.
pub(super) fn check(bytes: &[u8]) -> Result<(), LimitExceeded> {
    let mut scan = Scan::default();
    for payload in Parser::new(0).parse_all(bytes) {
        scan.add(payload?)?;
    }
    Ok(())
}

/// Reason why a component is rejected before compilation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LimitExceeded {
    /// More items of a kind than a run may create or a file may contain.
    #[error("has more than {max} {what}")]
    TooMany {
        /// The kind of item, in the plural.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The estimated host memory of one run exceeds the limit.
    #[error("a run needs more than {} of host memory", ByteSize(MAX_HOST_BYTES))]
    HostBytes,
    /// A module or component that comes from an import or from an instance.
    #[error("imports or exports a {0} as a value, which is not supported")]
    PassedAsValue(&'static str),
    /// The bytes are not valid WebAssembly.
    #[error("invalid or unsupported component: {}", text::single_line(.0))]
    Malformed(String),
}

impl From<BinaryReaderError> for LimitExceeded {
    fn from(error: BinaryReaderError) -> Self {
        Self::Malformed(error.to_string())
    }
}

fn at_most(count: u64, max: u64, what: &'static str) -> Result<(), LimitExceeded> {
    if count > max { Err(LimitExceeded::TooMany { what, max }) } else { Ok(()) }
}
