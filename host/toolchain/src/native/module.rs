//! Removes the debug information of a module.
//!
//! The compilers write the names of functions only together with debug information, which is ten
//! times as large as the code. The host shows the names after a trap.

use std::fs;
use std::io;
use std::path::Path;

/// The length of the magic number and the version.
const HEADER: usize = 8;
/// The id of custom sections.
const CUSTOM: u8 = 0;
/// The start of the names of sections with debug information.
const DEBUG: &[u8] = b".debug_";

/// Removes the debug information of the module in a file. Keeps the names of functions.
///
/// # Errors
///
/// Returns the error of the operating system if the file cannot be read or written.
pub(super) fn remove_debug_information(module: &Path) -> io::Result<()> {
    let content = fs::read(module)?;
    // The contract cannot be added to a broken module, which is an error with a reason.
    match without_debug_information(&content) {
        Some(smaller) => fs::write(module, smaller),
        None => Ok(()),
    }
}

/// Returns the module without debug information, or `None` if it is not a module.
fn without_debug_information(module: &[u8]) -> Option<Vec<u8>> {
    let mut kept = module.get(..HEADER)?.to_vec();
    let mut rest = &module[HEADER..];
    while let [id, after @ ..] = rest {
        let (size, body) = number(after)?;
        let content = body.get(..size)?;
        let (section, next) = rest.split_at(rest.len() - body.len() + size);
        if *id != CUSTOM || !name(content)?.starts_with(DEBUG) {
            kept.extend_from_slice(section);
        }
        rest = next;
    }
    Some(kept)
}

/// Returns the name of a custom section.
fn name(content: &[u8]) -> Option<&[u8]> {
    let (length, after) = number(content)?;
    after.get(..length)
}

/// Reads a number in the format LEB128. Returns the bytes after it too.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let (digits, after) = bytes.split_at(end + 1);
    let digits = digits.iter().rev();
    let number = digits.fold(0_u64, |number, digit| (number << 7) | u64::from(digit & 0x7f));
    Some((usize::try_from(number).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_information_is_removed() {
        let section = |name: &str, content: &[u8]| {
            let mut section = vec![CUSTOM, u8::try_from(name.len() + content.len() + 1).unwrap()];
            section.push(u8::try_from(name.len()).unwrap());
            section.extend(name.as_bytes());
            section.extend(content);
            section
        };
        let header = b"\0asm\x01\0\0\0".to_vec();
        let code = vec![10, 0x82, 0x00, 1, 2];
        let names = section("name", &[0; 3]);
        let parts =
            [&header, &code, &section(".debug_info", b"x"), &names, &section(".debug_", b"")];
        let module: Vec<_> = parts.into_iter().flatten().copied().collect();
        assert_eq!(without_debug_information(&module), Some([header, code, names].concat()));
    }

    #[test]
    fn truncated_module_is_unchanged() {
        assert_eq!(without_debug_information(b"\0asm"), None);
        assert_eq!(without_debug_information(b"\0asm\x01\0\0\0\x0a\x05a"), None);
    }
}
