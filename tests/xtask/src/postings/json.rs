//! One line of JSON.

/// Returns an object of texts as a line.
pub(super) fn line<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields = fields.map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)));
    format!("{{{}}}\n", fields.collect::<Vec<_>>().join(","))
}

/// Returns a text as a JSON string.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c < ' ' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let fields = [("a", "x"), ("b", "\"\\\n\u{20ac}")].into_iter();
        assert_eq!(line(fields), "{\"a\":\"x\",\"b\":\"\\\"\\\\\\u000a\u{20ac}\"}\n");
    }
}
