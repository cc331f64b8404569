//! Interface `log`: log entries of the guest.

use super::GuestState;
use crate::model::outcome::{LogLevel, LogSource};
use crate::sandbox::bindings::ophost::plugin::log::{Host, Level};

impl Host for GuestState {
    fn write(&mut self, level: Level, message: String, data: Option<String>) {
        self.output.log(level.into(), LogSource::Guest, message, data.as_deref());
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
