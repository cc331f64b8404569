//! Amounts of salaries and their notations.

use super::random::Random;

/// Separators of digit groups and decimals.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) group: &'static str,
    pub(super) decimal: &'static str,
}

/// The period of a notation.
#[derive(Clone, Copy, Debug)]
enum Period {
    Hour,
    Day,
    Month,
    Year,
}

/// A form of a salary text.
#[derive(Debug)]
pub(super) struct Notation {
    /// Per cent of the stated salaries of the market.
    pub(super) weight: usize,
    period: Period,
    /// The text. `{l}` and `{h}` stand for the lowest and the highest amount, `{lk}` and `{hk}` for
    /// thousands of them.
    template: &'static str,
}

impl Notation {
    /// Returns a notation with amounts per year.
    pub(super) const fn yearly(weight: usize, template: &'static str) -> Self {
        Self { weight, period: Period::Year, template }
    }

    /// Returns a notation with amounts per month.
    pub(super) const fn monthly(weight: usize, template: &'static str) -> Self {
        Self { weight, period: Period::Month, template }
    }

    /// Returns a notation with amounts per day.
    pub(super) const fn daily(weight: usize, template: &'static str) -> Self {
        Self { weight, period: Period::Day, template }
    }

    /// Returns a notation with amounts per hour.
    pub(super) const fn hourly(weight: usize, template: &'static str) -> Self {
        Self { weight, period: Period::Hour, template }
    }

    /// Returns the text for a pay per year. The range is up to 10 % below and above the pay.
    pub(super) fn text(&self, yearly: usize, style: &Style, random: &mut Random) -> String {
        let spread = random.between(3, 11);
        let low = self.period.hundredths(yearly * (100 - spread) / 100);
        let high = self.period.hundredths(yearly * (100 + spread) / 100);
        let thousands = |hundredths: usize| (hundredths / 100_000).to_string();
        self.template
            .replace("{lk}", &thousands(low))
            .replace("{hk}", &thousands(high))
            .replace("{l}", &style.format(low))
            .replace("{h}", &style.format(high))
    }
}

impl Period {
    /// Returns the pay of one period in hundredths, rounded down to an amount as postings state it.
    fn hundredths(self, yearly: usize) -> usize {
        let (periods, step) = match self {
            Self::Hour => (1_800, 25),
            Self::Day => (220, 1_000),
            Self::Month => (12, 5_000),
            Self::Year => (1, 50_000),
        };
        yearly * 100 / periods / step * step
    }
}

impl Style {
    /// Returns an amount in hundredths as text. Zero decimals are omitted.
    fn format(&self, hundredths: usize) -> String {
        let digits = (hundredths / 100).to_string();
        let grouped = digits.bytes().enumerate().map(|(index, digit)| {
            let starts_group = index > 0 && (digits.len() - index).is_multiple_of(3);
            format!("{}{}", if starts_group { self.group } else { "" }, char::from(digit))
        });
        let grouped: String = grouped.collect();
        match hundredths % 100 {
            0 => grouped,
            rest => format!("{grouped}{}{rest:02}", self.decimal),
        }
    }
}

/// Returns a text that is not a salary.
pub(super) fn malformed(random: &mut Random) -> &'static str {
    random.pick(&[
        "50000 per year",
        "see attachment",
        "€ 45.00.0 pro Jahr",
        "$900 per week",
        "$150k - $120k",
        "£30k, £2k bonus, 25 days",
    ])
}
