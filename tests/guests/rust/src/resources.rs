//! Operations that take more time, memory or stack than there is. None of them returns.

use std::hint::black_box;

use ophost_sdk::{log, model, operation};

/// What these operations would return if they came to it.
#[model]
pub(crate) struct Nothing {}

const MIB: usize = 1024 * 1024;

/// Says `spinning` and loops forever.
#[operation(name = "misbehave.spin", category = "test")]
pub(crate) fn spin() -> Nothing {
    log::info!("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes memory, a mebibyte at a time, and touches it, until there is no more.
#[operation(name = "misbehave.allocate", category = "test")]
pub(crate) fn allocate() -> Nothing {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; MIB]));
    }
}

/// Calls itself until there is no more stack.
#[operation(name = "misbehave.recurse", category = "test")]
pub(crate) fn recurse() -> Nothing {
    black_box(descend(black_box(0)));
    Nothing {}
}

/// Goes deeper than any stack. What remains to be done after the call keeps it from
/// becoming a loop, and without an address taken the frames stay out of the guest's
/// memory: it is the host's stack that overflows.
fn descend(depth: u64) -> u64 {
    match depth {
        u64::MAX => 0,
        _ => descend(depth + 1).wrapping_mul(31) ^ depth,
    }
}
