//! Finds the known name that is similar to a misspelt one.

/// Returns the known name that is most similar to a wrong one, if any is similar enough.
pub fn closest_match<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A comparison takes time and memory proportional to the product of the lengths.
    let known = known.filter(|known| known.len() <= 2 * wrong.len() && wrong.len() <= 128);
    let scored = known.map(|known| (strsim::damerau_levenshtein(known, wrong), known));
    let (distance, best) = scored.min()?;
    (distance <= wrong.len() / 3 + 1).then_some(best)
}

/// Returns whether a new name is probably a misspelt known name.
///
/// Names that differ only in digits are not, such as `m2` and `m`, or names with a year.
pub fn is_misspelt(new: &str, known: &str) -> bool {
    const MIN_LENGTH: usize = 4;
    let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    (MIN_LENGTH..=128).contains(&new.len())
        && strsim::damerau_levenshtein(new, known) <= new.len() / MIN_LENGTH
        && letters(new) != letters(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closest_match_must_be_similar() {
        let closest = |wrong| closest_match(wrong, ["text", "texture", "count"].into_iter());
        assert_eq!((closest("txt"), closest("textur")), (Some("text"), Some("texture")));
        assert_eq!(
            (closest("zzzz"), closest(""), closest(&"text".repeat(100))),
            (None, None, None)
        );
    }

    #[test]
    fn misspelt_name_is_similar_and_differs_not_only_in_digits() {
        for (new, known) in [("thing", "things"), ("jbos", "jobs"), ("customrs", "customers")] {
            assert!(is_misspelt(new, known), "{new}");
        }
        for (new, known) in [("m2", "m"), ("job", "jobs"), ("logs", "jobs"), ("jobs2", "jobs")] {
            assert!(!is_misspelt(new, known), "{new}");
        }
        assert!(!is_misspelt("sales_2025", "sales_2024"));
    }
}
