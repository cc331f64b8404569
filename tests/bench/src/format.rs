//! Numbers as text, with three significant digits and a unit.

use crate::measure::{Series, Unit, median};

/// Returns the median of a series and its range: `1,406/s (1,300 to 1,500)`.
pub(crate) fn spread(series: &Series) -> String {
    let Series { unit, samples, .. } = series;
    let (least, most) = range(samples);
    let median = quantity(median(samples), *unit);
    match samples.len() {
        1 => median,
        _ => format!("{median} ({} to {})", quantity(least, *unit), quantity(most, *unit)),
    }
}

/// Returns the median of ratios and their range: `1.23 (1.10 to 1.31)`.
pub(crate) fn ratios(ratios: &[f64]) -> String {
    let (least, most) = range(ratios);
    let median = digits(median(ratios));
    match ratios.len() {
        1 => median,
        _ => format!("{median} ({} to {})", digits(least), digits(most)),
    }
}

fn range(samples: &[f64]) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    samples.iter().fold(start, |(least, most), sample| (least.min(*sample), most.max(*sample)))
}

/// Returns a number with its unit.
pub(crate) fn quantity(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => seconds(value),
        Unit::PerSecond => format!("{}/s", digits(value)),
        Unit::Bytes => bytes(value),
        Unit::Number => digits(value),
    }
}

fn seconds(value: f64) -> String {
    match value.abs() {
        size if size >= 1.0 => format!("{} s", digits(value)),
        size if size >= 1e-3 => format!("{} ms", digits(value * 1e3)),
        _ => format!("{} us", digits(value * 1e6)),
    }
}

fn bytes(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{} MB", digits(value / 1e6)),
        size if size >= 1e4 => format!("{} kB", digits(value / 1e3)),
        _ => format!("{} B", digits(value)),
    }
}

/// Returns a number with three significant digits, and commas between thousands.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{} million", digits(value / 1e6)),
        size if size >= 99.95 => thousands(&format!("{value:.0}")),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Returns a count with commas between thousands.
pub(crate) fn count(number: usize) -> String {
    thousands(&number.to_string())
}

fn thousands(number: &str) -> String {
    let (sign, number) = number.split_at(usize::from(number.starts_with('-')));
    let mut text = sign.to_owned();
    for (position, digit) in number.chars().enumerate() {
        if position > 0 && (number.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_significant_digits() {
        let texts = [0.000_123_4, 0.012_34, 1.234].map(|value| quantity(value, Unit::Seconds));
        assert_eq!(texts, ["123 us", "12.3 ms", "1.23 s"]);
        assert_eq!(quantity(1_406.4, Unit::PerSecond), "1,406/s");
        assert_eq!(quantity(16_312_345.0, Unit::Number), "16.3 million");
        assert_eq!(quantity(699.6, Unit::Bytes), "700 B");
        assert_eq!(quantity(-1_234.0, Unit::Number), "-1,234");
    }

    #[test]
    fn spread_has_the_range() {
        let samples = vec![1.0, 3.0, 2.0];
        let series =
            Series { name: "a".to_owned(), unit: Unit::Seconds, samples, fsync: vec![1.0; 3] };
        assert_eq!(spread(&series), "2.00 s (1.00 s to 3.00 s)");
        assert_eq!(ratios(&[0.5]), "0.50");
    }
}
