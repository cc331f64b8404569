//! The name that was meant where another was given.

/// Returns the known name that is most like a wrong one, if it is much like it.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes time and memory of the product of the lengths.
    let known = known.filter(|known| known.len() <= 2 * wrong.len() && wrong.len() <= 128);
    let scored = known.map(|known| (strsim::damerau_levenshtein(known, wrong), known));
    let (distance, best) = scored.min()?;
    (distance <= wrong.len() / 3 + 1).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_if_it_is_much_like_the_wrong_one() {
        let nearest = |wrong| nearest(wrong, ["text", "texture", "count"].into_iter());
        assert_eq!((nearest("txt"), nearest("textur")), (Some("text"), Some("texture")));
        assert_eq!(
            (nearest("zzzz"), nearest(""), nearest(&"text".repeat(100))),
            (None, None, None)
        );
    }
}
