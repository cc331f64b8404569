//! The roles and the levels of seniority.

use super::market::Language;

/// A role.
#[derive(Debug)]
pub(super) struct Role {
    /// Per cent of the postings.
    pub(super) weight: usize,
    english: &'static str,
    german: &'static str,
    /// Pay per year in euros, for the level `mid` in Germany.
    pub(super) pay: usize,
    pub(super) skills: &'static [&'static str],
}

impl Role {
    /// Returns the title in a language. French postings have English titles.
    pub(super) fn title(&self, language: Language) -> &'static str {
        match language {
            Language::English | Language::French => self.english,
            Language::German => self.german,
        }
    }
}

/// Returns a role, whose weight, titles, pay and skills are in this order.
const fn role(
    weight: usize,
    english: &'static str,
    german: &'static str,
    pay: usize,
    skills: &'static [&'static str],
) -> Role {
    Role { weight, english, german, pay, skills }
}

/// The roles.
pub(super) const ROLES: [Role; 14] = [
    role(
        20,
        "Software Engineer",
        "Softwareentwickler",
        65_000,
        &["Java", "Python", "Go", "Rust", "SQL", "Docker", "Kubernetes", "Git", "REST"],
    ),
    role(
        10,
        "Frontend Developer",
        "Frontend-Entwickler",
        58_000,
        &["JavaScript", "TypeScript", "React", "Angular", "CSS", "HTML5", "GraphQL"],
    ),
    role(
        8,
        "Backend Developer",
        "Backend-Entwickler",
        64_000,
        &["Java", "Spring Boot", "Node.js", "PostgreSQL", "Kafka", "Redis", "Microservices"],
    ),
    role(
        6,
        "Full Stack Developer",
        "Full-Stack-Entwickler",
        62_000,
        &["JavaScript", "Node.js", "React", "MongoDB", "Docker", "CI/CD"],
    ),
    role(
        8,
        "Data Engineer",
        "Data Engineer",
        66_000,
        &["Python", "SQL", "Airflow", "Spark", "dbt", "Snowflake", "BigQuery"],
    ),
    role(
        7,
        "Data Scientist",
        "Data Scientist",
        67_000,
        &["Python", "R", "Machine Learning", "PyTorch", "Pandas", "NLP", "SQL"],
    ),
    role(
        7,
        "Data Analyst",
        "Datenanalyst",
        52_000,
        &["SQL", "Excel", "Tableau", "Power BI", "Python", "Looker"],
    ),
    role(
        7,
        "DevOps Engineer",
        "DevOps Engineer",
        68_000,
        &["AWS", "Terraform", "Kubernetes", "Ansible", "Linux", "Prometheus", "CI/CD"],
    ),
    role(5, "QA Engineer", "Testingenieur", 54_000, &["Python", "Jira", "Jenkins", "SQL", "Agile"]),
    role(
        6,
        "Product Manager",
        "Produktmanager",
        70_000,
        &["Jira", "Scrum", "Agile", "Figma", "SQL"],
    ),
    role(4, "UX Designer", "UX-Designer", 55_000, &["Figma", "HTML", "CSS", "Photoshop"]),
    role(
        4,
        "IT Support Specialist",
        "IT-Administrator",
        45_000,
        &["Linux", "Azure", "Bash", "Jira"],
    ),
    role(4, "Accountant", "Buchhalter", 48_000, &["Excel", "SAP", "Power BI"]),
    role(
        4,
        "Marketing Manager",
        "Marketing-Manager",
        53_000,
        &["Google Analytics", "Salesforce", "Excel", "Photoshop"],
    ),
];

/// A level of seniority.
#[derive(Debug)]
pub(super) struct Level {
    /// Per cent of the postings.
    pub(super) weight: usize,
    /// Forms before the title, with the space after them.
    pub(super) prefixes: &'static [&'static str],
    /// Pay in per cent of the pay of the role.
    pub(super) pay: usize,
    /// The first and the last number of years of experience.
    pub(super) years: (usize, usize),
}

/// The levels. The first one is not in the title.
pub(super) const LEVELS: [Level; 6] = [
    Level { weight: 40, prefixes: &[""], pay: 100, years: (1, 7) },
    Level { weight: 5, prefixes: &["Intern ", "Trainee "], pay: 40, years: (0, 1) },
    Level { weight: 12, prefixes: &["Junior ", "Jr. ", "Graduate "], pay: 75, years: (0, 2) },
    Level { weight: 8, prefixes: &["Mid-Level ", "Intermediate "], pay: 100, years: (2, 4) },
    Level { weight: 27, prefixes: &["Senior ", "Sr. ", "Experienced "], pay: 130, years: (5, 9) },
    Level { weight: 8, prefixes: &["Lead ", "Principal ", "Staff "], pay: 160, years: (7, 12) },
];
