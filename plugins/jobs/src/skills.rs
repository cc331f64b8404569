//! Extracts the skills that a posting names.

use std::collections::BTreeSet;

/// Maximum number of words of a name in [`NAMES`].
const MAX_WORDS: usize = 2;

/// Names of skills in lower case, sorted, and the skill.
const NAMES: [(&str, &str); 88] = [
    (".net", ".NET"),
    ("agile", "Agile"),
    ("airflow", "Airflow"),
    ("amazon web", "AWS"),
    ("angular", "Angular"),
    ("ansible", "Ansible"),
    ("aws", "AWS"),
    ("azure", "Azure"),
    ("bash", "Bash"),
    ("bigquery", "BigQuery"),
    ("c#", "C#"),
    ("c++", "C++"),
    ("ci/cd", "CI/CD"),
    ("computer vision", "Computer Vision"),
    ("css", "CSS"),
    ("data analysis", "Data Analysis"),
    ("data modeling", "Data Modelling"),
    ("data modelling", "Data Modelling"),
    ("dbt", "dbt"),
    ("deep learning", "Deep Learning"),
    ("django", "Django"),
    ("docker", "Docker"),
    ("elasticsearch", "Elasticsearch"),
    ("excel", "Excel"),
    ("fastapi", "FastAPI"),
    ("figma", "Figma"),
    ("flask", "Flask"),
    ("gcp", "Google Cloud"),
    ("git", "Git"),
    ("go", "Go"),
    ("golang", "Go"),
    ("google analytics", "Google Analytics"),
    ("google cloud", "Google Cloud"),
    ("grafana", "Grafana"),
    ("graphql", "GraphQL"),
    ("html", "HTML"),
    ("html5", "HTML"),
    ("java", "Java"),
    ("javascript", "JavaScript"),
    ("jenkins", "Jenkins"),
    ("jira", "Jira"),
    ("js", "JavaScript"),
    ("k8s", "Kubernetes"),
    ("kafka", "Kafka"),
    ("kanban", "Kanban"),
    ("kotlin", "Kotlin"),
    ("kubernetes", "Kubernetes"),
    ("linux", "Linux"),
    ("looker", "Looker"),
    ("machine learning", "Machine Learning"),
    ("microservices", "Microservices"),
    ("mongodb", "MongoDB"),
    ("mysql", "MySQL"),
    ("next.js", "Next.js"),
    ("nlp", "NLP"),
    ("node", "Node.js"),
    ("node.js", "Node.js"),
    ("nodejs", "Node.js"),
    ("pandas", "Pandas"),
    ("photoshop", "Photoshop"),
    ("php", "PHP"),
    ("postgres", "PostgreSQL"),
    ("postgresql", "PostgreSQL"),
    ("power bi", "Power BI"),
    ("prometheus", "Prometheus"),
    ("python", "Python"),
    ("pytorch", "PyTorch"),
    ("r", "R"),
    ("rails", "Ruby on Rails"),
    ("react", "React"),
    ("react.js", "React"),
    ("redis", "Redis"),
    ("rest", "REST"),
    ("ruby", "Ruby"),
    ("rust", "Rust"),
    ("salesforce", "Salesforce"),
    ("sap", "SAP"),
    ("scala", "Scala"),
    ("scrum", "Scrum"),
    ("snowflake", "Snowflake"),
    ("spark", "Spark"),
    ("spring boot", "Spring Boot"),
    ("sql", "SQL"),
    ("swift", "Swift"),
    ("tableau", "Tableau"),
    ("tensorflow", "TensorFlow"),
    ("terraform", "Terraform"),
    ("typescript", "TypeScript"),
];

/// Names that are also common words. They count in their exact case, and only in an enumeration or
/// before a word of [`CUES`].
const AMBIGUOUS: [&str; 8] = ["Excel", "Go", "Node", "R", "REST", "Rust", "Spark", "Swift"];

/// Words after an ambiguous name that make it a skill.
const CUES: [&str; 7] =
    ["api", "apis", "developer", "engineer", "entwickler", "programming", "services"];

/// Characters that separate the items of an enumeration.
const LIST_SEPARATORS: [char; 8] = [',', ';', '/', '|', '(', ')', ':', '\u{2022}'];

/// A word and the character after it.
struct Word<'a> {
    text: &'a str,
    /// Whether a separator of an enumeration precedes the word.
    is_after_separator: bool,
    /// Whether a separator of an enumeration or the end of a sentence follows the word.
    is_before_separator: bool,
}

/// Returns the skills in a text, sorted and without duplicates.
pub(crate) fn extract(text: &str) -> Vec<String> {
    let words = words(text);
    let skills: BTreeSet<_> = (0..words.len()).filter_map(|index| skill(&words[index..])).collect();
    skills.into_iter().map(str::to_owned).collect()
}

/// Returns the skill whose name is at the start of `words`. A longer name takes precedence.
fn skill(words: &[Word<'_>]) -> Option<&'static str> {
    (1..=MAX_WORDS.min(words.len())).rev().find_map(|count| {
        let name = words[..count].iter().map(|word| word.text.to_lowercase());
        let name = name.collect::<Vec<_>>().join(" ");
        let index = NAMES.binary_search_by(|(known, _)| (*known).cmp(&name)).ok()?;
        is_meant(words).then_some(NAMES[index].1)
    })
}

/// Returns whether the first word is a skill, for a name that is also a common word.
fn is_meant(words: &[Word<'_>]) -> bool {
    let first = &words[0];
    if !AMBIGUOUS.iter().any(|name| name.eq_ignore_ascii_case(first.text)) {
        return true;
    }
    let next = words.get(1).map(|word| word.text.to_lowercase());
    let has_cue = next.is_some_and(|next| CUES.contains(&next.as_str()));
    AMBIGUOUS.contains(&first.text)
        && (first.is_after_separator || first.is_before_separator || has_cue)
}

/// Splits a text into words. A word can contain the characters of names such as `C++` and `CI/CD`.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut is_after_separator = false;
    for piece in text.split_whitespace() {
        let is_ci_cd = piece.to_lowercase().contains("ci/cd");
        let is_end = |c: char| LIST_SEPARATORS.contains(&c) && !(is_ci_cd && c == '/');
        for part in piece.split_inclusive(is_end) {
            let text = part.trim_matches(|c: char| !c.is_alphanumeric() && !"+#.".contains(c));
            let text = text.trim_end_matches('.');
            let is_before_separator = part.ends_with(is_end) || part.ends_with('.');
            if !text.is_empty() {
                words.push(Word { text, is_after_separator, is_before_separator });
            }
            is_after_separator = part.ends_with(is_end);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_synonyms_are_found_once() {
        let text = "Python, k8s/Kubernetes & Postgres. CI/CD with C++ or C#; Node.js (React.js), \
                    .NET, machine learning, Power BI.";
        let expected = [
            ".NET",
            "C#",
            "C++",
            "CI/CD",
            "Kubernetes",
            "Machine Learning",
            "Node.js",
            "PostgreSQL",
            "Power BI",
            "Python",
            "React",
        ];
        assert_eq!(extract(text), expected);
    }

    #[test]
    fn names_within_other_words_are_not_found() {
        assert_eq!(extract("Javanese scripts, gitarist, sqlite-like, rusty"), [""; 0]);
    }

    #[test]
    fn common_words_are_skills_only_in_enumerations_and_before_cues() {
        for (text, expected) in [
            ("Rust, Go and SQL", &["Go", "Rust", "SQL"][..]),
            ("Skills: Go/Python; REST APIs; statistics with R.", &["Go", "Python", "R", "REST"]),
            ("Senior Go Developer", &["Go"]),
            ("Go to market fast, excel at it and get some rest. No Rust here", &[]),
        ] {
            assert_eq!(extract(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
    }
}
