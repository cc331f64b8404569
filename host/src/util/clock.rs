//! Times and ids of now, for any clock and any duration.
//!
//! A clock may be wrong, even before 1970, and durations come from settings and flags. Where a
//! time cannot be represented the nearest one is used; the standard library, chrono and uuid
//! panic.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use uuid::{Timestamp, Uuid};

/// The longest that anything is waited for: thirty years.
const MAX_WAIT: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Returns the time; 1970 for a clock that is before it.
pub fn now() -> DateTime<Utc> {
    utc(SystemTime::now())
}

fn utc(time: SystemTime) -> DateTime<Utc> {
    let since = since_1970(time);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, since.subsec_nanos()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns the time since 1970; zero for a time before it.
pub fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns when a duration that begins now is over.
pub fn deadline(after: Duration) -> Instant {
    Instant::now() + after.min(MAX_WAIT)
}

/// Returns the time of the clock at which a duration that begins now is over.
pub fn time_after(after: Duration) -> SystemTime {
    let now = SystemTime::now();
    now.checked_add(after.min(MAX_WAIT)).unwrap_or(now)
}

/// Returns a UUID whose order is roughly that of time.
pub fn uuid() -> Uuid {
    uuid_at(SystemTime::now())
}

fn uuid_at(now: SystemTime) -> Uuid {
    if now < SystemTime::UNIX_EPOCH {
        return Uuid::new_v7(Timestamp::from_unix_time(0, 0, 0, 0));
    }
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_has_a_time_and_gives_ids() {
        let epoch = SystemTime::UNIX_EPOCH;
        let early = epoch - Duration::from_secs(10_000_000_000);
        let late = epoch + Duration::from_secs(u64::MAX >> 1);
        assert_eq!(utc(early), DateTime::UNIX_EPOCH);
        assert_eq!(utc(epoch + Duration::new(1, 5)).timestamp_nanos_opt(), Some(1_000_000_005));
        assert_eq!(utc(late), DateTime::<Utc>::MAX_UTC);
        assert_eq!(since_1970(early), Duration::ZERO);
        let ids = [early, early, SystemTime::now()].map(uuid_at);
        assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn every_duration_ends() {
        let now = Instant::now();
        assert!(deadline(Duration::from_secs(5)) - now < Duration::from_secs(60));
        assert!(deadline(Duration::MAX) > now + MAX_WAIT / 2);
        assert!(time_after(Duration::MAX) > SystemTime::now() + MAX_WAIT / 2);
    }
}
