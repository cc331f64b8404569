//! Escapes characters that a terminal acts on or does not show.
//!
//! Text of plugins, documents, files and arguments is escaped before it is printed. Each unsafe
//! character is printed as `\u{...}`, in JSON as `\u....`:
//!
//! | characters | why |
//! |------------|-----|
//! | C0 and C1 controls, DEL | a terminal acts on them |
//! | U+2028, U+2029 | end a line for some programs |
//! | direction marks and overrides | change the order in which text is shown |
//! | invisible characters, such as tags (U+E0000 to U+E007F), U+200B, U+FEFF | hide text that programs and language models read |
//!
//! Joiners (U+200C, U+200D) and variation selectors (U+FE00 to U+FE0F, U+180B to U+180F) are
//! invisible too, but Persian, Indic and Mongolian text and emoji need them. Such a character is not
//! escaped directly after a visible character. A sequence of them is escaped, because it could carry
//! hidden text. The variation selectors U+E0100 to U+E01EF are escaped, because each can carry a
//! hidden byte and terminals do not show the variants. Flags made of tags are escaped.

use std::fmt::{self, Write as _};

/// Text on one line: every unsafe character is escaped.
pub(super) struct EscapedLine<'a>(pub(super) &'a str);

/// Line of a log: tabs are not escaped.
pub(super) struct EscapedLogLine<'a>(pub(super) &'a str);

/// Text of several lines: line ends and tabs are not escaped.
pub(super) struct EscapedText<'a>(pub(super) &'a str);

/// JSON text: the escaped text is the same JSON, because only strings contain unsafe characters.
pub(super) struct Json<'a>(pub(super) &'a str);

impl fmt::Display for EscapedLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, &[], in_text)
    }
}

impl fmt::Display for EscapedLogLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, &['\t'], in_text)
    }
}

impl fmt::Display for EscapedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, &['\n', '\t'], in_text)
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, &['\n'], in_json)
    }
}

/// Returns whether a text can be printed in one line without escapes.
pub(super) fn is_safe(text: &str) -> bool {
    marked(text).all(|(_, is_unsafe)| !is_unsafe)
}

fn write(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    allowed: &[char],
    escape: fn(&mut fmt::Formatter<'_>, char) -> fmt::Result,
) -> fmt::Result {
    marked(text).try_for_each(|(c, is_unsafe)| {
        if is_unsafe && !allowed.contains(&c) { escape(f, c) } else { f.write_char(c) }
    })
}

fn in_text(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    write!(f, "\\u{{{:x}}}", u32::from(c))
}

fn in_json(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
}

/// Returns each character, and whether it is unsafe in its context.
fn marked(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut before = None;
    text.chars().map(move |c| {
        let is_unsafe = match before.replace(c) {
            before if attaches(c) => !before.is_some_and(|before| can_attach_to(before, c)),
            _ => c.is_control() || is_hidden(c),
        };
        (c, is_unsafe)
    })
}

/// Returns whether a character only changes the display of the previous one.
fn attaches(c: char) -> bool {
    is_joiner(c) || is_variation_selector(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

/// Returns whether the attaching character `c` can follow `before`. In emoji, a joiner can follow a
/// variation selector.
fn can_attach_to(before: char, c: char) -> bool {
    let is_visible = !before.is_control() && !before.is_whitespace() && !is_hidden(before);
    match attaches(before) {
        true => is_variation_selector(before) && is_joiner(c),
        false => is_visible,
    }
}

/// Returns whether a character ends lines, sets the direction of text, or is invisible: the Unicode
/// property `Default_Ignorable_Code_Point` without attaching characters, the property
/// `Bidi_Control`, and the separators and annotations with neither property.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// One character of each unsafe kind.
    const UNSAFE: [char; 30] = [
        '\0',
        '\u{7}',
        '\u{1b}',
        '\r',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{17b4}',
        '\u{200b}',
        '\u{200e}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2060}',
        '\u{2064}',
        '\u{2066}',
        '\u{206f}',
        '\u{3164}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fffb}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e0100}',
    ];

    #[test]
    fn unsafe_characters_are_escaped() {
        for c in UNSAFE {
            let (text, escaped) = (format!("a{c}b"), format!("a\\u{{{:x}}}b", u32::from(c)));
            assert_eq!(EscapedLine(&text).to_string(), escaped);
            assert_eq!(EscapedText(&text).to_string(), escaped);
            assert!(!is_safe(&text));
        }
        assert_eq!(EscapedLine("a\n\tb").to_string(), "a\\u{a}\\u{9}b");
        assert_eq!(EscapedLogLine("a\n\tb").to_string(), "a\\u{a}\tb");
        assert_eq!(EscapedText("a\n\tb").to_string(), "a\n\tb");
    }

    #[test]
    fn joiners_and_selectors_of_text_and_emoji_are_not_escaped() {
        let texts = [
            "Grüße, 日本語, עברית, العربية",
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "👩\u{200d}💻 ❤\u{fe0f}\u{200d}🔥 1\u{fe0f}\u{20e3} 👍🏽",
            "ᠭ\u{180b}ᠠ\u{180e}ᠠ",
            "a\u{a0}b\u{202f}c\u{3000}d",
        ];
        for text in texts {
            assert!(is_safe(text), "{}", text.escape_unicode());
            assert_eq!(EscapedLine(text).to_string(), text);
        }
    }

    #[test]
    fn sequence_of_joiners_and_selectors_is_escaped() {
        let shown = |text: &str| EscapedLine(text).to_string();
        assert_eq!(shown("a\u{fe00}\u{fe01}"), "a\u{fe00}\\u{fe01}");
        assert_eq!(shown("a\u{200d}\u{200c}\u{200d}"), "a\u{200d}\\u{200c}\\u{200d}");
        assert_eq!(shown("a\u{fe0f}\u{200d}\u{fe0f}"), "a\u{fe0f}\u{200d}\\u{fe0f}");
        assert_eq!(shown("\u{200d} \u{fe0f}"), "\\u{200d} \\u{fe0f}");
        assert_eq!(shown("\u{e0041}\u{200d}"), "\\u{e0041}\\u{200d}");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let all: String = UNSAFE.iter().chain(&['\u{fe00}', '\u{fe01}']).collect();
        let value = json!({(all.as_str()): [all, "\n\t\"\\"]});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let escaped = Json(&text).to_string();
            assert!(is_safe(&escaped.replace('\n', "")), "{escaped}");
            assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
        }
        assert_eq!(Json("\"\u{e0041}\"").to_string(), "\"\\udb40\\udc41\"");
    }
}
