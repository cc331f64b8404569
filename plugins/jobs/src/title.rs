//! Normalises the title of a posting.

use crate::seniority::{self, Seniority};

/// Texts after which a title continues with something else, such as the place of work.
const ENDS: [&str; 6] = [" - ", " \u{2013} ", " \u{2014} ", " | ", " @ ", " // "];

/// Notes about the gender of applicants, without brackets and in lower case.
const GENDER_NOTES: [&str; 9] =
    ["m/w/d", "w/m/d", "d/m/w", "m/f/d", "f/m/d", "m/f/x", "f/m/x", "h/f", "f/h"];

/// Suffixes of German nouns for all genders.
const GENDER_SUFFIXES: [&str; 5] = ["*in", ":in", "_in", "/in", "/-in"];

/// Words of one or two parts in lower case, and their usual form.
const FORMS: [(&str, &str); 42] = [
    ("ai", "AI"),
    ("android", "Android"),
    ("aws", "AWS"),
    ("back end", "Backend"),
    ("back-end", "Backend"),
    ("bi", "BI"),
    ("crm", "CRM"),
    ("dev", "Developer"),
    ("devops", "DevOps"),
    ("eng", "Engineer"),
    ("engr", "Engineer"),
    ("front end", "Frontend"),
    ("front-end", "Frontend"),
    ("full stack", "Full-Stack"),
    ("full-stack", "Full-Stack"),
    ("fullstack", "Full-Stack"),
    ("golang", "Go"),
    ("hr", "HR"),
    ("ios", "iOS"),
    ("it", "IT"),
    ("java", "Java"),
    ("javascript", "JavaScript"),
    ("mgr", "Manager"),
    ("ml", "ML"),
    ("net", ".NET"),
    (".net", ".NET"),
    ("node.js", "Node.js"),
    ("php", "PHP"),
    ("qa", "QA"),
    ("sap", "SAP"),
    ("seo", "SEO"),
    ("sql", "SQL"),
    ("sre", "SRE"),
    ("swe", "Software Engineer"),
    ("sysadmin", "System Administrator"),
    ("typescript", "TypeScript"),
    ("ui", "UI"),
    ("ui/ux", "UI/UX"),
    ("ux", "UX"),
    ("ux/ui", "UX/UI"),
    ("vp", "VP"),
    ("cto", "CTO"),
];

/// Words that stay in lower case.
const SMALL_WORDS: [&str; 12] =
    ["a", "and", "at", "de", "des", "for", "für", "in", "of", "the", "und", "with"];

/// Returns the normalised title, or `None` if the title names no position.
///
/// Notes in brackets, notes about gender, the text after a spaced dash, and the seniority are
/// removed. Abbreviations are expanded, and the case of the words is unified.
pub(crate) fn normalize(title: &str) -> Option<String> {
    let title = without_brackets(title);
    let words: Vec<_> = position(&title).split_whitespace().filter_map(clean).collect();
    let kept = without_seniority(&words);
    let normalized = forms(if kept.is_empty() { &words } else { &kept }).join(" ");
    normalized.contains(char::is_alphabetic).then_some(normalized)
}

/// Returns a text without the parts in brackets.
fn without_brackets(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

/// Returns the part of a title that names the position.
fn position(title: &str) -> &str {
    let ends = ENDS.iter().filter_map(|end| title.find(end));
    // A title can begin with a dash.
    let end = ends.filter(|end| title[..*end].contains(char::is_alphanumeric)).min();
    &title[..end.unwrap_or(title.len())]
}

/// Returns a word without punctuation, or `None` if no word remains.
fn clean(word: &str) -> Option<&str> {
    let is_part = |c: char| c.is_alphanumeric() || "+#.&".contains(c);
    let word = word.trim_matches(|c| !is_part(c)).trim_end_matches('.');
    let lower = word.to_lowercase();
    if word.is_empty() || GENDER_NOTES.contains(&lower.as_str()) {
        return None;
    }
    let suffix = GENDER_SUFFIXES.iter().find(|suffix| lower.ends_with(*suffix));
    Some(suffix.and_then(|suffix| word.get(..word.len() - suffix.len())).unwrap_or(word))
}

/// Returns the words of a title that do not state the seniority.
///
/// The words of heads and of leads after the first word are part of the position, as in
/// `Head of Sales` and `Team Lead`.
fn without_seniority<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let is_seniority = |index, word: &str| match seniority::of_word(word) {
        Some(Seniority::Lead) => index == 0,
        Some(Seniority::Head) | None => false,
        Some(Seniority::Intern | Seniority::Junior | Seniority::Mid | Seniority::Senior) => true,
    };
    let words = words.iter().enumerate();
    words.filter(|(index, word)| !is_seniority(*index, word)).map(|(_, word)| *word).collect()
}

/// Returns the usual forms of words.
fn forms(words: &[&str]) -> Vec<String> {
    let mut forms = Vec::new();
    let mut rest = words;
    while let [word, after @ ..] = rest {
        let pair = after.first().and_then(|next| usual_form(&format!("{word} {next}")));
        let form = pair.map_or_else(|| form(word, forms.is_empty()), str::to_owned);
        forms.push(form);
        rest = if pair.is_some() { &after[1..] } else { after };
    }
    forms
}

fn usual_form(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    FORMS.iter().find(|(known, _)| *known == word).map(|(_, form)| *form)
}

/// Returns the usual form of a word, or else the word with an upper-case letter at the start.
///
/// Mixed case is kept, as in `LaTeX`.
fn form(word: &str, is_first: bool) -> String {
    let lower = word.to_lowercase();
    if let Some(form) = usual_form(word) {
        return form.to_owned();
    }
    if SMALL_WORDS.contains(&lower.as_str()) && !is_first {
        return lower;
    }
    let is_mixed =
        word.chars().skip(1).any(char::is_uppercase) && word.contains(char::is_lowercase);
    if is_mixed {
        word.to_owned()
    } else {
        lower.split('-').map(capitalized).collect::<Vec<_>>().join("-")
    }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (title, expected) in cases {
            assert_eq!(normalize(title).as_deref(), Some(*expected), "{title}");
        }
    }

    #[test]
    fn seniority_is_removed_unless_it_is_part_of_the_position() {
        check(&[
            ("Sr. Software Engineer", "Software Engineer"),
            ("Junior Data Analyst II", "Data Analyst"),
            ("Principal SWE", "Software Engineer"),
            ("Head of Sales", "Head of Sales"),
            ("Team Lead", "Team Lead"),
            ("Praktikant", "Praktikant"),
        ]);
    }

    #[test]
    fn notes_and_gender_forms_are_removed() {
        check(&[
            ("Softwareentwickler (m/w/d)", "Softwareentwickler"),
            ("Entwickler*in m/w/d", "Entwickler"),
            ("Data Engineer [Remote] - Berlin", "Data Engineer"),
            ("Backend Developer | ACME | 80-100%", "Backend Developer"),
            ("- QA Engineer #4711 (urgent (really)) -", "QA Engineer #4711"),
        ]);
    }

    #[test]
    fn case_and_abbreviations_are_unified() {
        check(&[
            ("SENIOR SOFTWARE ENGINEER (M/W/D)", "Software Engineer"),
            ("full stack dev", "Full-Stack Developer"),
            ("ios developer", "iOS Developer"),
            ("Front-End Eng", "Frontend Engineer"),
            ("head OF customer success", "Head of Customer Success"),
            ("C++ developer", "C++ Developer"),
            (".net entwickler", ".NET Entwickler"),
            ("LaTeX Specialist", "LaTeX Specialist"),
        ]);
    }

    #[test]
    fn a_title_without_a_position_has_no_normal_form() {
        for title in ["", "   ", "(m/w/d)", "--- 123 ---"] {
            assert_eq!(normalize(title), None, "{title}");
        }
    }
}
