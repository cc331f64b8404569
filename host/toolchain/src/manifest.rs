//! Messages about manifests.

/// Returns the message of an error in a manifest, in one line with the number of its line.
pub(crate) fn toml_message(error: &toml::de::Error, manifest: &str) -> String {
    let message = error.message().replace('\n', ", ");
    let before = error.span().and_then(|span| manifest.get(..span.start));
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_one_line_with_its_number() {
        let message = |manifest: &str| {
            let error = toml::from_str::<toml::Table>(manifest).unwrap_err();
            toml_message(&error, manifest)
        };
        let unclosed = message("a = 1\nb = \"x\n");
        assert!(unclosed.starts_with("line 2: ") && !unclosed.contains('\n'), "{unclosed}");
        assert!(message("a = 1\na = 2\n").starts_with("line 2: duplicate key"));
    }
}
