//! The seniority of a posting.

use ophost_sdk::model;

/// The seniority that a posting asks for, in ascending order.
#[model]
#[serde(rename_all = "lowercase")]
#[derive(Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Seniority {
    /// Interns, trainees and working students.
    Intern,
    /// Less than two years of experience.
    Junior,
    /// Two to four years of experience.
    Mid,
    /// At least five years of experience.
    Senior,
    /// Lead, staff and principal positions.
    Lead,
    /// Heads of departments, directors and officers.
    Head,
}

/// Words of titles in lower case.
const WORDS: [(Seniority, &[&str]); 6] = [
    (
        Seniority::Intern,
        &[
            "intern",
            "internship",
            "trainee",
            "apprentice",
            "praktikum",
            "praktikant",
            "praktikantin",
            "werkstudent",
            "werkstudentin",
        ],
    ),
    (Seniority::Junior, &["junior", "jr", "graduate", "entry-level"]),
    (Seniority::Mid, &["mid", "mid-level", "intermediate", "ii"]),
    (Seniority::Senior, &["senior", "sr", "experienced", "iii"]),
    (Seniority::Lead, &["lead", "principal", "staff", "leitender", "leitende", "iv"]),
    (
        Seniority::Head,
        &["head", "director", "chief", "vp", "cto", "ceo", "cfo", "leiter", "leiterin"],
    ),
];

/// Beginnings of words for years.
const YEARS: [&str; 4] = ["year", "yrs", "jahr", "ans"];
/// Parts of words for experience.
const EXPERIENCE: [&str; 3] = ["experience", "erfahrung", "expérience"];

/// Returns the seniority that a word of a title names.
pub(crate) fn of_word(word: &str) -> Option<Seniority> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    WORDS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(level, _)| *level)
}

/// Returns the highest seniority that a title names, or else that of the years of experience in a
/// description.
pub(crate) fn of(title: &str, description: &str) -> Option<Seniority> {
    let words = title.split(|c: char| c.is_whitespace() || "/,()".contains(c));
    let named = words.filter_map(of_word).max();
    named.or_else(|| years_of_experience(description).map(of_years))
}

fn of_years(years: u32) -> Seniority {
    match years {
        0 | 1 => Seniority::Junior,
        2..=4 => Seniority::Mid,
        _ => Seniority::Senior,
    }
}

/// Returns the years in `5+ years of experience`, `3-5 Jahre Berufserfahrung` and similar texts.
fn years_of_experience(description: &str) -> Option<u32> {
    let words: Vec<_> = description.split_whitespace().map(str::to_lowercase).collect();
    (1..words.len()).find_map(|index| {
        let is_years = YEARS.iter().any(|years| words[index].starts_with(years));
        let mut following = words[index..].iter().take(5);
        let is_experience =
            is_years && following.any(|word| EXPERIENCE.iter().any(|it| word.contains(it)));
        is_experience.then(|| leading_number(&words[index - 1])).flatten()
    })
}

/// Returns the number at the start of a word, such as 3 in `3-5`.
fn leading_number(word: &str) -> Option<u32> {
    let digits = word.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_level_of_the_title_counts() {
        for (title, expected) in [
            ("Sr. Software Engineer", Some(Seniority::Senior)),
            ("Lead Senior Developer", Some(Seniority::Lead)),
            ("Junior/Mid Developer", Some(Seniority::Mid)),
            ("Werkstudent (m/w/d) Data Science", Some(Seniority::Intern)),
            ("HEAD OF ENGINEERING", Some(Seniority::Head)),
            ("Software Engineer III", Some(Seniority::Senior)),
            ("Internal Auditor", None),
        ] {
            assert_eq!(of(title, ""), expected, "{title}");
        }
    }

    #[test]
    fn years_of_experience_replace_a_missing_level() {
        for (description, expected) in [
            ("You bring 5+ years of experience in Rust.", Some(Seniority::Senior)),
            ("Mindestens 3 Jahre Berufserfahrung", Some(Seniority::Mid)),
            ("Au moins 2 ans d'expérience", Some(Seniority::Mid)),
            ("0-1 years of professional experience", Some(Seniority::Junior)),
            ("Founded 20 years ago, we are a team of 30.", None),
            ("Several years of experience", None),
        ] {
            assert_eq!(of("Developer", description), expected, "{description}");
        }
        assert_eq!(of("Junior Developer", "8 years of experience"), Some(Seniority::Junior));
    }
}
