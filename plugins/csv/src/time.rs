//! Parses dates and times in ISO 8601 format.

/// A point in time: seconds since 1970-01-01 in UTC, and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Moment(i64, u32);

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Parses `2024-02-29` or `2024/02/29` as the start of the day.
pub(crate) fn date(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let (year, month, day) = (text.get(..4)?, text.get(5..7)?, text.get(8..)?);
    let separator = bytes[4];
    if bytes.len() != 10 || bytes[7] != separator || !matches!(separator, b'-' | b'/') {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let exists = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    exists.then(|| Moment(days_since_1970(year, month, day) * DAY, 0))
}

/// Parses a date, `T` or a space, and a time: `12:30`, `12:30:59` or `12:30:59.123`.
///
/// An offset can follow: `Z`, `+01:00` or `+0100`. The default is UTC.
pub(crate) fn datetime(text: &str) -> Option<Moment> {
    let Moment(midnight, _) = date(text.get(..10)?)?;
    let time = text.get(10..)?.strip_prefix(['T', ' '])?;
    let (time, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], offset(&time[at..])?),
        None => (time, 0),
    };
    let (seconds, nanoseconds) = time_of_day(time)?;
    Some(Moment(midnight + seconds - offset, nanoseconds))
}

fn time_of_day(text: &str) -> Option<(i64, u32)> {
    let (text, nanoseconds) = match text.split_once('.') {
        // Only seconds can have a fraction.
        Some((whole, fraction)) if whole.len() == 8 => (whole, fraction_of_second(fraction)?),
        Some(_) => return None,
        None => (text, 0),
    };
    let mut parts = text.split(':');
    let (hour, minute) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    let second = parts.next().map_or(Some(0), two_digits)?;
    // A leap second has the number 60.
    let exists = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    exists.then_some((hour * HOUR + minute * MINUTE + second, nanoseconds))
}

fn fraction_of_second(digits: &str) -> Option<u32> {
    let value = number(digits)?;
    let missing = 9_usize.checked_sub(digits.len())?;
    let nanoseconds = value * 10_i64.pow(u32::try_from(missing).ok()?);
    u32::try_from(nanoseconds).ok()
}

/// Parses the offset from UTC and returns the seconds.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let text = text.get(1..)?;
    let (hours, minutes) = text.split_once(':').or_else(|| text.split_at_checked(2))?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then(|| sign * (hours * HOUR + minutes * MINUTE))
}

fn two_digits(text: &str) -> Option<i64> {
    number(text).filter(|_| text.len() == 2)
}

/// Parses one to nine digits. Rejects a sign, which `parse` accepts.
fn number(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days since 1970-01-01.
///
/// The calculation uses years that begin in March, so that a leap day is the last day of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let days_before_month = (153 * ((month + 9) % 12) + 2) / 5;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_in_days_since_1970() {
        assert_eq!(date("1970-01-01"), Some(Moment(0, 0)));
        assert_eq!(date("1969/12/31"), Some(Moment(-DAY, 0)));
        assert_eq!(date("2000-03-01"), Some(Moment(11_017 * DAY, 0)));
        assert_eq!(date("2024-02-29"), Some(Moment(19_782 * DAY, 0)));
        assert_eq!(date("0000-01-01"), Some(Moment(-719_528 * DAY, 0)));
    }

    #[test]
    fn invalid_dates_are_rejected() {
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-04-31",
            "2024-01-00",
            "2024-1-1",
            "2024-01/01",
            "20240101",
            "01/02/2024",
            "2024-01-01x",
            "+024-01-01",
            "2024.01.01",
            "\u{e9}\u{e9}-01-01",
            "",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_and_fractions_are_parsed() {
        assert_eq!(datetime("1970-01-01T00:01"), Some(Moment(60, 0)));
        assert_eq!(datetime("1970-01-01 01:00:05"), Some(Moment(3_605, 0)));
        assert_eq!(datetime("1970-01-01T01:00:00+01:00"), Some(Moment(0, 0)));
        assert_eq!(datetime("1970-01-01T00:00:00-0130"), Some(Moment(5_400, 0)));
        assert_eq!(datetime("1970-01-01T00:00:00.25Z"), Some(Moment(0, 250_000_000)));
        assert!(datetime("2024-01-01T00:00:00.1") < datetime("2024-01-01T00:00:00.11"));
    }

    #[test]
    fn invalid_times_are_rejected() {
        for text in [
            "1970-01-01",
            "1970-01-01T",
            "1970-01-01T24:00",
            "1970-01-01T12:60",
            "1970-01-01T12",
            "1970-01-01T1:00",
            "1970-01-01T12:00:00:00",
            "1970-01-01T12:00.5",
            "1970-01-01T12:00:00.",
            "1970-01-01T12:00:00.1234567890",
            "1970-01-01T12:00:00+1",
            "1970-01-01T12:00:00+25:00",
            "1970-01-01x12:00",
        ] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }
}
