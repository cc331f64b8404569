//! Interface `context`: properties of the run, the time and random numbers.

use std::time::SystemTime;

use super::GuestState;
use crate::model::outcome::{Actor, Flags};
use crate::sandbox::bindings::ophost::plugin::context::Host;
use crate::util::clock;

/// Values that the interface `context` returns.
pub(in crate::sandbox) struct RunContext {
    /// Id of the run record, if the run is recorded.
    pub(in crate::sandbox) run_id: Option<String>,
    /// Idempotency key of the request.
    pub(in crate::sandbox) idempotency_key: Option<String>,
    /// User and channel of the request.
    pub(in crate::sandbox) actor: Actor,
    /// Flags of the request.
    pub(in crate::sandbox) flags: Flags,
    /// Time at which the host interrupts the guest.
    pub(in crate::sandbox) deadline: SystemTime,
}

/// Returns milliseconds since 1970, or 0 for an earlier time.
fn timestamp(time: SystemTime) -> u64 {
    u64::try_from(clock::since_1970(time).as_millis()).unwrap_or(u64::MAX)
}

impl Host for GuestState {
    fn run_id(&mut self) -> Option<String> {
        self.context.run_id.clone()
    }

    fn user_id(&mut self) -> Option<String> {
        self.context.actor.user_id.clone()
    }

    fn channel(&mut self) -> String {
        self.context.actor.channel.clone()
    }

    fn dry_run(&mut self) -> bool {
        self.context.flags.dry_run
    }

    fn test_mode(&mut self) -> bool {
        self.context.flags.test_mode
    }

    fn verbose(&mut self) -> bool {
        self.context.flags.verbose
    }

    fn attempt(&mut self) -> u32 {
        1
    }

    fn deadline(&mut self) -> u64 {
        timestamp(self.context.deadline)
    }

    fn idempotency_key(&mut self) -> Option<String> {
        self.context.idempotency_key.clone()
    }

    fn now(&mut self) -> u64 {
        timestamp(SystemTime::now())
    }

    fn random(&mut self) -> wasmtime::Result<u64> {
        Ok(getrandom::u64()?)
    }
}
