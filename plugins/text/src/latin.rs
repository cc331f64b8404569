//! Removes the accents of Latin letters.

/// Returns `text` in lower case, with Latin letters in ASCII.
///
/// Letters of other scripts are kept.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match ascii(letter) {
            Some(ascii) => folded.push_str(ascii),
            None => folded.push(letter),
        }
    }
    folded
}

/// Returns the ASCII form of a lower-case letter of the blocks Latin-1 and Latin Extended-A.
///
/// The ranges of Extended-A also contain capitals, which alternate with the lower-case letters.
fn ascii(letter: char) -> Option<&'static str> {
    Some(match letter {
        // Combining accents: in decomposed text, `e` and its accent are two characters.
        '\u{300}'..='\u{36f}' => "",
        '\u{e0}'..='\u{e5}' | '\u{100}'..='\u{105}' => "a",
        '\u{e6}' => "ae",
        '\u{e7}' | '\u{106}'..='\u{10d}' => "c",
        '\u{f0}' | '\u{10e}'..='\u{111}' => "d",
        '\u{e8}'..='\u{eb}' | '\u{112}'..='\u{11b}' => "e",
        '\u{11c}'..='\u{123}' => "g",
        '\u{124}'..='\u{127}' => "h",
        '\u{ec}'..='\u{ef}' | '\u{128}'..='\u{131}' => "i",
        '\u{132}'..='\u{133}' => "ij",
        '\u{134}'..='\u{135}' => "j",
        '\u{136}'..='\u{138}' => "k",
        '\u{139}'..='\u{142}' => "l",
        '\u{f1}' | '\u{143}'..='\u{14b}' => "n",
        '\u{f2}'..='\u{f6}' | '\u{f8}' | '\u{14c}'..='\u{151}' => "o",
        '\u{152}'..='\u{153}' => "oe",
        '\u{154}'..='\u{159}' => "r",
        '\u{15a}'..='\u{161}' | '\u{17f}' => "s",
        '\u{df}' => "ss",
        '\u{162}'..='\u{167}' => "t",
        '\u{fe}' => "th",
        '\u{f9}'..='\u{fc}' | '\u{168}'..='\u{173}' => "u",
        '\u{174}'..='\u{175}' => "w",
        '\u{fd}' | '\u{ff}' | '\u{176}'..='\u{177}' => "y",
        '\u{179}'..='\u{17e}' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_combining_accents_are_dropped() {
        assert_eq!(fold("\u{c9}t\u{e9}"), "ete");
        assert_eq!(fold("E\u{301}te\u{301}"), "ete");
    }

    #[test]
    fn ligatures_become_two_letters() {
        assert_eq!(fold("Stra\u{df}e \u{c6}r\u{f8} \u{152}uvre \u{c7}a"), "strasse aero oeuvre ca");
    }

    #[test]
    fn other_letters_are_kept() {
        assert_eq!(fold("A1-\u{3a9}\u{65e5}"), "a1-\u{3c9}\u{65e5}");
    }
}
