//! The rules of the contract for names and texts, see `wit/types.wit`.

const MAX_NAME_BYTES: usize = 128;
const MAX_DESCRIPTION_BYTES: usize = 8 * 1024;
const MAX_ANNOTATION_KEY_BYTES: usize = 255;
const MAX_COLLECTION_BYTES: usize = 64;

/// Checks the name of an operation: parts of `[a-z][a-z0-9_]*`, joined by dots.
pub(crate) fn check_operation_name(name: &str) -> Result<(), String> {
    check_text("name", name, MAX_NAME_BYTES)?;
    if !name.split('.').all(is_part) {
        return Err(format!(
            "`{name}` is not a valid operation name: expected parts of `[a-z][a-z0-9_]*` \
             joined by dots; set one with `name = \"...\"`"
        ));
    }
    if name.split('.').next() == Some("ophost") {
        return Err(format!(
            "`{name}` is not a valid operation name: names under `ophost` are reserved for the host"
        ));
    }
    Ok(())
}

/// Checks the category of an operation.
pub(crate) fn check_category(category: &str) -> Result<(), String> {
    check_text("category", category, MAX_NAME_BYTES)
}

/// Checks the description of an operation.
pub(crate) fn check_description(description: &str) -> Result<(), String> {
    check_text("description", description, MAX_DESCRIPTION_BYTES)
}

/// Checks the key of an annotation.
pub(crate) fn check_annotation_key(key: &str) -> Result<(), String> {
    check_text("key of an annotation", key, MAX_ANNOTATION_KEY_BYTES)
}

/// Checks the name of a collection.
///
/// A name has lower case letters, digits and `_`, a letter first, in parts joined by dots or dashes.
pub(crate) fn check_collection(name: &str) -> Result<(), String> {
    let is_part = |part: &str| {
        let mut letters = part.chars();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !part.is_empty() && letters.all(allowed)
    };
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if starts_well && name.len() <= MAX_COLLECTION_BYTES && name.split(['.', '-']).all(is_part) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is not a valid collection name: expected lower case letters, digits and `_`, \
         a letter first, in parts joined by dots or dashes, at most {MAX_COLLECTION_BYTES} bytes"
    ))
}

fn check_text(what: &str, text: &str, max_bytes: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("the {what} must not be empty"));
    }
    if text.len() > max_bytes {
        return Err(format!(
            "the {what} has {} bytes, at most {max_bytes} are allowed",
            text.len()
        ));
    }
    Ok(())
}

fn is_part(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_lowercase())
        && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_operation_names_pass() {
        for name in ["a", "word_count", "flow.step", "a1.b_2.c", "ophosts.x"] {
            assert_eq!(check_operation_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn invalid_operation_names_are_rejected() {
        for name in ["A", "_a", "1a", "a-b", "a.", ".a", "a..b", "a.1", "a b"] {
            let error = check_operation_name(name).unwrap_err();
            assert!(error.contains("is not a valid operation name"), "{name}: {error}");
        }
    }

    #[test]
    fn operation_names_under_ophost_are_rejected() {
        for name in ["ophost", "ophost.list"] {
            let error = check_operation_name(name).unwrap_err();
            assert!(error.ends_with("are reserved for the host"), "{name}: {error}");
        }
    }

    #[test]
    fn collection_names_follow_the_grammar_of_the_host() {
        let longest = "a".repeat(64);
        for name in ["a", "people", "crm.people_2", "query-indexes", "a.1", &longest] {
            assert_eq!(check_collection(name), Ok(()), "{name}");
        }
        let long = "a".repeat(65);
        for name in ["", "A", "1a", "_a", "a/b", "a..b", "a.", "-a", "a b", "\u{e4}", &long] {
            assert!(check_collection(name).is_err(), "{name}");
        }
    }

    #[test]
    fn empty_and_too_long_texts_are_rejected() {
        assert_eq!(check_category("  ").unwrap_err(), "the category must not be empty");
        assert_eq!(check_operation_name(&"a".repeat(128)), Ok(()));
        assert_eq!(
            check_operation_name(&"a".repeat(129)).unwrap_err(),
            "the name has 129 bytes, at most 128 are allowed"
        );
    }
}
