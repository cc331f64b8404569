//! The markets: their languages, places, companies and salaries.

use super::salary::{Notation, Style};

/// The language of titles and descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
}

/// A country.
#[derive(Debug)]
pub(super) struct Market {
    /// Per cent of the postings.
    pub(super) weight: usize,
    pub(super) language: Language,
    pub(super) places: &'static [&'static str],
    pub(super) companies: &'static [&'static str],
    /// Pay in per cent of the pay of the role.
    pub(super) pay: usize,
    pub(super) style: Style,
    pub(super) notations: &'static [Notation],
    /// Texts of an open salary.
    pub(super) open: &'static [&'static str],
}

const ENGLISH: Style = Style { group: ",", decimal: "." };
const GERMAN: Style = Style { group: ".", decimal: "," };
const FRENCH: Style = Style { group: " ", decimal: "," };
const SWISS: Style = Style { group: "'", decimal: "." };

/// The markets.
pub(super) const MARKETS: [Market; 6] = [
    Market {
        weight: 35,
        language: Language::English,
        places: &[
            "Austin, TX",
            "Boston, MA",
            "Chicago, IL",
            "New York, NY",
            "Remote",
            "Seattle, WA",
        ],
        companies: &[
            "Acme Robotics",
            "Blue Harbor Health",
            "Northwind Traders",
            "Summit Analytics",
        ],
        pay: 170,
        style: ENGLISH,
        notations: &[
            Notation::yearly(30, "${lk}k - ${hk}k / yr"),
            Notation::yearly(15, "${l} - ${h} a year"),
            Notation::yearly(10, "USD {l} to {h} annually"),
            Notation::yearly(10, "${lk}-{hk}k DOE"),
            Notation::yearly(10, "${l} per year"),
            Notation::yearly(5, "up to ${hk}k"),
            Notation::hourly(15, "${l} - ${h} an hour"),
            Notation::hourly(5, "${l}/hour"),
        ],
        open: &["competitive", "DOE", "Competitive salary and benefits", "negotiable"],
    },
    Market {
        weight: 25,
        language: Language::German,
        places: &["Berlin", "Hamburg", "Köln", "München", "Leipzig", "Homeoffice"],
        companies: &[
            "Backwerk Digital GmbH",
            "Hansa Logistik AG",
            "Nordlicht Energie SE",
            "Talblick Software GmbH",
        ],
        pay: 100,
        style: GERMAN,
        notations: &[
            Notation::yearly(25, "€ {l}–{h} pro Jahr"),
            Notation::yearly(20, "{l} € - {h} € brutto p.a."),
            Notation::yearly(15, "{lk}-{hk} k€"),
            Notation::yearly(10, "bis zu {h} €"),
            Notation::monthly(15, "ab {l} € monatlich"),
            Notation::hourly(10, "{l} € pro Stunde"),
            Notation::daily(5, "Tagessatz {l} EUR"),
        ],
        open: &["nach Vereinbarung", "VB", "attraktives Gehalt"],
    },
    Market {
        weight: 20,
        language: Language::English,
        places: &["London", "Manchester", "Edinburgh", "Bristol", "Leeds", "Hybrid"],
        companies: &["Albion Insurance", "Kestrel Media", "Thistle Bank", "Wharf & Sons"],
        pay: 105,
        style: ENGLISH,
        notations: &[
            Notation::yearly(30, "£{l} - £{h} per annum"),
            Notation::yearly(25, "£{lk}k-£{hk}k"),
            Notation::yearly(10, "up to £{hk}k"),
            Notation::yearly(10, "from £{l} p.a."),
            Notation::hourly(15, "£{l} per hour"),
            Notation::daily(10, "£{l} per day"),
        ],
        open: &["Competitive", "competitive + bonus", "n/a"],
    },
    Market {
        weight: 8,
        language: Language::French,
        places: &["Paris", "Lyon", "Nantes", "Toulouse"],
        companies: &["Atelier Lumière", "Banque du Midi", "Réseau Vert"],
        pay: 85,
        style: FRENCH,
        notations: &[
            Notation::yearly(40, "{l} € à {h} € brut par an"),
            Notation::yearly(40, "{lk}-{hk} k€ / an"),
            Notation::monthly(20, "{l} €/mois"),
        ],
        open: &["à négocier", "selon profil"],
    },
    Market {
        weight: 7,
        language: Language::German,
        places: &["Zürich", "Basel", "Bern", "Zug"],
        companies: &["Alpina Versicherung AG", "Gotthard Pharma AG"],
        pay: 190,
        style: SWISS,
        notations: &[
            Notation::yearly(50, "CHF {l}–{h}"),
            Notation::monthly(30, "CHF {l} monatlich"),
            Notation::monthly(20, "Fr. {l} pro Monat"),
        ],
        open: &["nach Vereinbarung"],
    },
    Market {
        weight: 5,
        language: Language::English,
        places: &["Toronto, ON", "Vancouver, BC", "Montréal, QC"],
        companies: &["Maple Freight", "Polar Games"],
        pay: 135,
        style: ENGLISH,
        notations: &[
            Notation::yearly(50, "C${l} - C${h} per year"),
            Notation::yearly(30, "${l} CAD per annum"),
            Notation::hourly(20, "C${l} per hour"),
        ],
        open: &["competitive"],
    },
];
