//! One posting.

use super::json;
use super::market::{Language, MARKETS, Market};
use super::random::Random;
use super::role::{LEVELS, Level, ROLES, Role};
use super::salary;

/// A posting. All fields are texts.
#[derive(Debug)]
pub(super) struct Posting {
    id: String,
    title: String,
    company: Option<&'static str>,
    description: String,
    location: &'static str,
    salary: Option<String>,
    #[cfg(test)]
    fault: Option<Fault>,
}

/// The fault of a faulty posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    MalformedSalary,
    EmptyTitle,
    NoCompany,
}

/// The parts that a posting is drawn from.
struct Draw<'a> {
    market: &'a Market,
    role: &'a Role,
    level: &'a Level,
}

/// Returns the next posting.
pub(super) fn posting(number: u64, random: &mut Random) -> Posting {
    let draw = Draw {
        market: random.weighted(&MARKETS, |market| market.weight),
        role: random.weighted(&ROLES, |role| role.weight),
        level: random.weighted(&LEVELS, |level| level.weight),
    };
    let mut posting = Posting {
        id: format!("posting-{number:05}"),
        title: draw.title(random),
        company: Some(random.pick(draw.market.companies)),
        description: draw.description(random),
        location: random.pick(draw.market.places),
        salary: draw.salary(random),
        #[cfg(test)]
        fault: None,
    };
    if let Some(fault) = fault(random) {
        posting.break_with(fault, random);
    }
    posting
}

/// Returns the fault of a posting, if it has one.
fn fault(random: &mut Random) -> Option<Fault> {
    match random.below(1_000) {
        0..15 => Some(Fault::MalformedSalary),
        15..25 => Some(Fault::EmptyTitle),
        25..30 => Some(Fault::NoCompany),
        _ => None,
    }
}

impl Draw<'_> {
    fn title(&self, random: &mut Random) -> String {
        let level = random.pick(self.level.prefixes);
        let title = format!("{level}{}", self.role.title(self.market.language));
        let title = match random.below(100) {
            0..5 => title.to_uppercase(),
            5..8 => title.to_lowercase(),
            _ => title,
        };
        format!("{title}{}", self.note(random))
    }

    /// Returns the note after a title, or an empty text.
    fn note(&self, random: &mut Random) -> &'static str {
        match self.market.language {
            Language::German if random.chance(850) => " (m/w/d)",
            Language::French if random.chance(900) => " (H/F)",
            Language::English if random.chance(300) => {
                random.pick(&[" - Remote", " [Remote]", " (Contract)", " | Hybrid"])
            }
            Language::English | Language::German | Language::French => "",
        }
    }

    fn description(&self, random: &mut Random) -> String {
        let (skills, years) = (self.skills(random), self.years(random));
        match self.market.language {
            Language::English => format!("Join our team. Skills: {skills}.{years}"),
            Language::German => format!("Werde Teil unseres Teams. Kenntnisse: {skills}.{years}"),
            Language::French => format!("Rejoignez-nous. Compétences : {skills}.{years}"),
        }
    }

    /// Returns 2 to 6 skills of the role, in their order.
    fn skills(&self, random: &mut Random) -> String {
        let mut skills = self.role.skills.to_vec();
        let count = random.between(2, skills.len().min(6) + 1);
        while skills.len() > count {
            skills.remove(random.below(skills.len()));
        }
        skills.join(", ")
    }

    /// Returns a sentence about the years of experience, or an empty text.
    fn years(&self, random: &mut Random) -> String {
        let (first, last) = self.level.years;
        let years = random.between(first, last + 1);
        match self.market.language {
            _ if !random.chance(400) => String::new(),
            Language::English => format!(" You have {years}+ years of experience."),
            Language::German => format!(" Mindestens {years} Jahre Berufserfahrung."),
            Language::French => format!(" Au moins {years} ans d'expérience."),
        }
    }

    fn salary(&self, random: &mut Random) -> Option<String> {
        let pay = self.role.pay * self.market.pay / 100 * self.level.pay / 100;
        match random.below(100) {
            0..15 => None,
            15..27 => Some(random.pick(self.market.open).to_owned()),
            _ => {
                let notation = random.weighted(self.market.notations, |notation| notation.weight);
                let pay = pay * random.between(85, 116) / 100;
                Some(notation.text(pay, &self.market.style, random))
            }
        }
    }
}

impl Posting {
    /// Returns the posting as a line of JSON.
    pub(super) fn to_line(&self) -> String {
        let fields = [
            ("_id", Some(self.id.as_str())),
            ("title", Some(&self.title)),
            ("company", self.company),
            ("description", Some(&self.description)),
            ("location", Some(self.location)),
            ("salary", self.salary.as_deref()),
        ];
        json::line(fields.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }

    fn break_with(&mut self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::MalformedSalary => self.salary = Some(salary::malformed(random).to_owned()),
            Fault::EmptyTitle => random.pick(&["", "   ", "(m/w/d)"]).clone_into(&mut self.title),
            Fault::NoCompany => self.company = None,
        }
        #[cfg(test)]
        {
            self.fault = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_and_salaries_have_the_documented_rates() {
        let mut random = Random::new(2);
        let postings: Vec<_> = (0..20_000).map(|number| posting(number, &mut random)).collect();
        let permille = |is_counted: &dyn Fn(&Posting) -> bool| {
            postings.iter().filter(|posting| is_counted(posting)).count() / 20
        };
        let faulty = |fault| permille(&|posting| posting.fault == Some(fault));
        assert!((13..=17).contains(&faulty(Fault::MalformedSalary)));
        assert!((8..=12).contains(&faulty(Fault::EmptyTitle)));
        assert!((3..=7).contains(&faulty(Fault::NoCompany)));
        assert!((142..=154).contains(&permille(&|posting| posting.salary.is_none())));
    }

    #[test]
    fn weights_are_per_cent() {
        assert_eq!(MARKETS.iter().map(|market| market.weight).sum::<usize>(), 100);
        assert_eq!(ROLES.iter().map(|role| role.weight).sum::<usize>(), 100);
        assert_eq!(LEVELS.iter().map(|level| level.weight).sum::<usize>(), 100);
        for market in &MARKETS {
            let notations = market.notations.iter().map(|notation| notation.weight);
            assert_eq!(notations.sum::<usize>(), 100, "{:?}", market.places);
        }
    }
}
