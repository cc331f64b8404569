//! `context`: what a guest may know of the run it is in.

use std::time::SystemTime;

use super::GuestState;
use crate::model::outcome::{Actor, Flags};
use crate::sandbox::bindings::ophost::plugin::context::Host;
use crate::util::clock;

/// What `context` answers.
pub(in crate::sandbox) struct RunContext {
    /// The record's id, where one is kept.
    pub(in crate::sandbox) run_id: Option<String>,
    /// What the caller named the request by.
    pub(in crate::sandbox) idempotency_key: Option<String>,
    /// On whose behalf, through which door.
    pub(in crate::sandbox) actor: Actor,
    /// What the caller switched on.
    pub(in crate::sandbox) flags: Flags,
    /// When the host will stop the run.
    pub(in crate::sandbox) deadline: SystemTime,
}

/// Returns milliseconds since 1970; 0 for a clock that is before it.
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
