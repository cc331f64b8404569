//! The name that was meant where another was given.

/// Returns the known name that is most like a wrong one, if it is much like it.
pub fn closest_match<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes time and memory of the product of the lengths.
    let known = known.filter(|known| known.len() <= 2 * wrong.len() && wrong.len() <= 128);
    let scored = known.map(|known| (strsim::damerau_levenshtein(known, wrong), known));
    let (distance, best) = scored.min()?;
    (distance <= wrong.len() / 3 + 1).then_some(best)
}

/// Returns whether a new name is probably another one misspelt: the names of `m2` beside `m`, or
/// of one file a year, are meant.
pub fn is_misspelt(new: &str, known: &str) -> bool {
    const SHORTEST: usize = 4;
    let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    (SHORTEST..=128).contains(&new.len())
        && strsim::damerau_levenshtein(new, known) <= new.len() / SHORTEST
        && letters(new) != letters(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_if_it_is_much_like_the_wrong_one() {
        let nearest = |wrong| closest_match(wrong, ["text", "texture", "count"].into_iter());
        assert_eq!((nearest("txt"), nearest("textur")), (Some("text"), Some("texture")));
        assert_eq!(
            (nearest("zzzz"), nearest(""), nearest(&"text".repeat(100))),
            (None, None, None)
        );
    }

    #[test]
    fn a_new_name_is_misspelt_if_little_but_no_number_is_another() {
        for (new, known) in [("thing", "things"), ("jbos", "jobs"), ("customrs", "customers")] {
            assert!(is_misspelt(new, known), "{new}");
        }
        for (new, known) in [("m2", "m"), ("job", "jobs"), ("logs", "jobs"), ("jobs2", "jobs")] {
            assert!(!is_misspelt(new, known), "{new}");
        }
        assert!(!is_misspelt("sales_2025", "sales_2024"));
    }
}
