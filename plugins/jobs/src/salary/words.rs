//! The words and symbols of salaries.

use super::Period;
use super::token::Token;

/// Currency symbols. `$` can be any dollar, so that a code beside it takes precedence.
const SYMBOLS: [(char, Token); 5] = [
    ('€', Token::Currency("EUR")),
    ('£', Token::Currency("GBP")),
    ('$', Token::LikelyCurrency("USD")),
    ('¥', Token::Currency("JPY")),
    ('₹', Token::Currency("INR")),
];

/// Letters before `$` and the currency that they make of it.
const DOLLARS: [(&str, &str); 6] =
    [("us", "USD"), ("c", "CAD"), ("ca", "CAD"), ("a", "AUD"), ("au", "AUD"), ("nz", "NZD")];

/// Currency codes and names in lower case.
const CURRENCIES: [(&str, &str); 21] = [
    ("usd", "USD"),
    ("dollar", "USD"),
    ("dollars", "USD"),
    ("eur", "EUR"),
    ("euro", "EUR"),
    ("euros", "EUR"),
    ("gbp", "GBP"),
    ("pounds", "GBP"),
    ("chf", "CHF"),
    ("fr", "CHF"),
    ("franken", "CHF"),
    ("pln", "PLN"),
    ("zł", "PLN"),
    ("sek", "SEK"),
    ("nok", "NOK"),
    ("dkk", "DKK"),
    ("cad", "CAD"),
    ("aud", "AUD"),
    ("nzd", "NZD"),
    ("inr", "INR"),
    ("jpy", "JPY"),
];

/// Words of each period, without dots.
const PERIODS: [(Period, &[&str]); 4] = [
    (
        Period::Hour,
        &[
            "h",
            "hr",
            "hrs",
            "hour",
            "hours",
            "hourly",
            "ph",
            "std",
            "stunde",
            "stundenlohn",
            "heure",
        ],
    ),
    (Period::Day, &["day", "daily", "diem", "pd", "tag", "tagessatz", "täglich", "jour"]),
    (
        Period::Month,
        &["mo", "month", "monthly", "pm", "pcm", "monat", "monatlich", "mtl", "mois", "mensuel"],
    ),
    (
        Period::Year,
        &[
            "yr",
            "year",
            "yearly",
            "annum",
            "annual",
            "annually",
            "pa",
            "jahr",
            "jährlich",
            "jahresgehalt",
            "annuel",
        ],
    ),
];

/// Words of other periods.
const UNSUPPORTED_PERIODS: [&str; 7] =
    ["week", "weekly", "wk", "woche", "wöchentlich", "semaine", "minute"];

/// Words of an open salary.
const OPEN: [&str; 15] = [
    "competitive",
    "negotiable",
    "attractive",
    "market",
    "doe",
    "tbd",
    "disclosed",
    "confidential",
    "vereinbarung",
    "verhandlungsbasis",
    "vb",
    "attraktiv",
    "attraktives",
    "négocier",
    "profil",
];

/// Returns the token of a symbol.
pub(super) fn symbol(c: char) -> Token {
    if matches!(c, '-' | '\u{2013}' | '\u{2014}') {
        return Token::Range;
    }
    let known = SYMBOLS.iter().find(|(symbol, _)| *symbol == c);
    known.map_or(Token::Other, |(_, token)| token.clone())
}

/// Returns the currency of `$` after these letters.
pub(super) fn dollar(prefix: &str) -> Option<&'static str> {
    DOLLARS.iter().find(|(letters, _)| *letters == prefix).map(|(_, code)| *code)
}

/// Returns the token of a word in lower case.
pub(super) fn word(word: &str) -> Token {
    match word {
        "to" | "à" | "and" | "und" | "et" => Token::Range,
        "bis" => Token::RangeOrAtMost,
        "up" | "zu" | "max" | "maximum" | "jusqu" => Token::AtMost,
        "from" | "ab" | "starting" | "min" | "minimum" | "mindestens" | "dès" => Token::AtLeast,
        // French `par an`, but also the English article.
        "an" => Token::LikelyPeriod(Period::Year),
        _ => currency(word).or_else(|| period(word)).unwrap_or_else(|| other(word)),
    }
}

fn currency(word: &str) -> Option<Token> {
    let (_, code) = CURRENCIES.iter().find(|(name, _)| *name == word)?;
    Some(Token::Currency(code))
}

fn period(word: &str) -> Option<Token> {
    let (period, _) = PERIODS.iter().find(|(_, words)| words.contains(&word))?;
    Some(Token::Period(*period))
}

fn other(word: &str) -> Token {
    match word {
        word if UNSUPPORTED_PERIODS.contains(&word) => Token::UnsupportedPeriod(word.to_owned()),
        word if OPEN.contains(&word) => Token::Open,
        _ => Token::Other,
    }
}
