//! Times and durations: parsing of `--since` and `--until`, printing of durations.

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use ophost::clock;

use crate::output::EscapedLine;

/// Formats a duration in whole milliseconds, or in microseconds below one millisecond.
pub(super) fn format_duration(duration: Duration) -> String {
    match u64::try_from(duration.as_millis()) {
        Ok(0) if !duration.is_zero() => format!("{} µs", duration.as_micros()),
        Ok(milliseconds) => {
            humantime::format_duration(Duration::from_millis(milliseconds)).to_string()
        }
        Err(_) => humantime::format_duration(duration).to_string(),
    }
}

/// Examples of times, for errors.
const EXAMPLES: &str = "2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00Z, or 2h for an age";
/// Formats of a date with a time.
const FORMATS: [&str; 4] =
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];

/// Parses a time: a date, a date with a time, or an age. Without a zone, the local zone applies.
pub(crate) fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    if let Ok(span) = humantime::parse_duration(ago) {
        return chrono::Duration::from_std(span)
            .ok()
            .and_then(|span| clock::now().checked_sub_signed(span))
            .ok_or_else(|| "the age is out of range".to_owned());
    }
    if let Some(time) = zoned(text) {
        return Ok(time);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return start_of(date, &Local)
            .ok_or_else(|| format!("the day {date} does not exist in the local time zone"));
    }
    match FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
        Some(time) => local(time, &Local),
        None => Err(format!("`{}` is not a time; expected {EXAMPLES}", EscapedLine(text))),
    }
}

/// Parses a date with a time and a zone, with or without seconds.
fn zoned(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok().or_else(|| {
        let formats = ["%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"];
        formats.iter().find_map(|format| DateTime::parse_from_str(text, format).ok())
    });
    time.map(|time| time.with_timezone(&Utc))
}

/// Returns the start of a day in a zone. If clocks are set forward at midnight, the day starts
/// later. Returns `None` if the zone skipped the whole day.
fn start_of(date: NaiveDate, zone: &impl TimeZone) -> Option<DateTime<Utc>> {
    let quarters = (0..24 * 4).map(|quarter| chrono::Duration::minutes(15 * quarter));
    let midnight = date.and_time(NaiveTime::MIN);
    let mut moments = quarters.filter_map(|late| {
        midnight.checked_add_signed(late)?.and_local_timezone(zone.clone()).earliest()
    });
    moments.next().map(|time| time.with_timezone(&Utc))
}

/// Returns the time in a zone: the earlier one if clocks are set back and the time occurs twice.
fn local<Z: TimeZone<Offset: Display>>(
    time: NaiveDateTime,
    zone: &Z,
) -> Result<DateTime<Utc>, String> {
    let moment = |time: NaiveDateTime| time.and_local_timezone(zone.clone()).earliest();
    if let Some(moment) = moment(time) {
        return Ok(moment.with_timezone(&Utc));
    }
    let before = time.checked_sub_signed(chrono::Duration::days(1)).and_then(moment);
    let offset = before.map_or_else(|| "Z".to_owned(), |before| before.offset().to_string());
    let (shown, whole) = (time.format("%Y-%m-%dT%H:%M"), time.format("%Y-%m-%dT%H:%M:%S"));
    Err(format!(
        "the local time {shown} does not exist, because clocks are set forward; add an offset, \
         such as {whole}{offset}"
    ))
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, MappedLocalTime};

    use super::*;

    /// A zone whose offset changes once, at a time in UTC.
    #[derive(Clone, Debug)]
    struct Set {
        at: NaiveDateTime,
        /// Hours east of Greenwich.
        from: i32,
        to: i32,
    }

    impl Set {
        fn hours(hours: i32) -> FixedOffset {
            FixedOffset::east_opt(hours * 3600).unwrap()
        }
    }

    impl TimeZone for Set {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            unreachable!("the tests create times from the zone only")
        }

        fn offset_from_local_date(&self, _: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            unreachable!("the tests use dates with times only")
        }

        fn offset_from_local_datetime(&self, time: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            let (from, to) = (Self::hours(self.from), Self::hours(self.to));
            match (*time - from < self.at, *time - to >= self.at) {
                (true, true) => MappedLocalTime::Ambiguous(from, to),
                (true, false) => MappedLocalTime::Single(from),
                (false, true) => MappedLocalTime::Single(to),
                (false, false) => MappedLocalTime::None,
            }
        }

        fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
            unreachable!("the tests use dates with times only")
        }

        fn offset_from_utc_datetime(&self, time: &NaiveDateTime) -> FixedOffset {
            Self::hours(if *time < self.at { self.from } else { self.to })
        }
    }

    fn time(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, FORMATS[1]).unwrap()
    }

    #[test]
    fn an_ambiguous_time_is_the_earlier_one_and_a_skipped_time_is_an_error() {
        let autumn = Set { at: time("2026-10-25T01:00"), from: 2, to: 1 };
        let utc = |it: Result<DateTime<Utc>, String>| it.map(|it| it.naive_utc());
        assert_eq!(utc(local(time("2026-10-25T02:30"), &autumn)), Ok(time("2026-10-25T00:30")));
        assert_eq!(utc(local(time("2026-10-25T03:00"), &autumn)), Ok(time("2026-10-25T02:00")));
        let spring = Set { at: time("2026-03-29T01:00"), from: 1, to: 2 };
        assert_eq!(utc(local(time("2026-03-29T01:59"), &spring)), Ok(time("2026-03-29T00:59")));
        assert_eq!(utc(local(time("2026-03-29T03:00"), &spring)), Ok(time("2026-03-29T01:00")));
        let error = local(time("2026-03-29T02:30"), &spring).unwrap_err();
        assert!(error.ends_with("add an offset, such as 2026-03-29T02:30:00+01:00"), "{error}");
    }

    #[test]
    fn a_day_starts_at_its_first_existing_time() {
        let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
        let start = |date, zone: &Set| start_of(date, zone).map(|it| it.naive_utc());
        let at_midnight = Set { at: time("2026-03-28T22:00"), from: 2, to: 3 };
        assert_eq!(start(day("2026-03-29"), &at_midnight), Some(time("2026-03-28T22:00")));
        assert_eq!(start(day("2026-03-30"), &at_midnight), Some(time("2026-03-29T21:00")));
        // Samoa skipped a day when it crossed the date line.
        let samoa = Set { at: time("2011-12-30T10:00"), from: -10, to: 14 };
        assert_eq!(start(day("2011-12-30"), &samoa), None);
        assert_eq!(start(day("2011-12-31"), &samoa), Some(time("2011-12-30T10:00")));
    }

    #[test]
    fn a_time_is_a_date_a_date_with_a_time_or_an_age() {
        let same = [
            ("2026-01-31", "2026-01-31T00:00:00"),
            ("2026-01-31T12:30", "2026-01-31 12:30:00"),
            ("2026-01-31T12:00:00Z", "2026-01-31T14:00:00+02:00"),
            ("2026-01-31T12:00Z", "2026-01-31 14:00+02:00"),
        ];
        for (one, other) in same {
            assert_eq!(parse_time(one), parse_time(other), "{one}");
            assert!(parse_time(one).is_ok(), "{one}");
        }
        let ago = Utc::now() - parse_time("2h ago").unwrap();
        assert!((7199..7260).contains(&ago.num_seconds()), "{ago}");
        let error = parse_time("yesterday").unwrap_err();
        assert_eq!(error, format!("`yesterday` is not a time; expected {EXAMPLES}"));
        assert!(parse_time("2026-02-30").is_err());
    }

    #[test]
    fn a_duration_below_a_millisecond_is_printed_in_microseconds() {
        let shown = |micros| format_duration(Duration::from_micros(micros));
        assert_eq!([0, 412, 1_000, 1_999].map(shown), ["0s", "412 µs", "1ms", "1ms"]);
        assert_eq!(shown(61_005_000), "1m 1s 5ms");
    }
}
