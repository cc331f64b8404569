//! The current time, deadlines and time-ordered ids, without panics.
//!
//! The system clock may be wrong, even before 1970, and durations come from settings and flags. A
//! time that cannot be represented is replaced by the nearest one. The standard library, chrono
//! and uuid would panic.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use uuid::{Timestamp, Uuid};

/// The maximum duration of a deadline: 30 years.
const MAX_WAIT: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Returns the current time; 1970 if the clock is before 1970.
pub fn now() -> DateTime<Utc> {
    utc(SystemTime::now())
}

fn utc(time: SystemTime) -> DateTime<Utc> {
    let elapsed = since_1970(time);
    let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, elapsed.subsec_nanos()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns the duration since 1970; zero for a time before 1970.
pub fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns the end of a duration that begins now, at most 30 years ahead.
pub fn deadline(after: Duration) -> Instant {
    Instant::now() + after.min(MAX_WAIT)
}

/// Returns the system time at the end of a duration that begins now, at most 30 years ahead.
pub fn time_after(after: Duration) -> SystemTime {
    let now = SystemTime::now();
    now.checked_add(after.min(MAX_WAIT)).unwrap_or(now)
}

/// Returns a UUID of version 7, which sorts roughly by time.
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
    fn extreme_clocks_give_valid_times_and_ids() {
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
    fn long_durations_are_limited() {
        let now = Instant::now();
        assert!(deadline(Duration::from_secs(5)) - now < Duration::from_secs(60));
        assert!(deadline(Duration::MAX) > now + MAX_WAIT / 2);
        assert!(time_after(Duration::MAX) > SystemTime::now() + MAX_WAIT / 2);
    }
}
