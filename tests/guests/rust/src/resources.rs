//! Operations that exhaust time, memory or stack. None of them returns.

use std::hint::black_box;

use ophost_sdk::{log, model, operation};

/// The declared output. No operation returns it.
#[model]
pub(crate) struct Nothing {}

const MIB: usize = 1024 * 1024;

/// Logs `spinning` and loops forever.
#[operation(name = "misbehave.spin", category = "test")]
pub(crate) fn spin() -> Nothing {
    log::info!("spinning");
    let mut iterations: u64 = 0;
    loop {
        iterations = black_box(iterations.wrapping_add(1));
    }
}

/// Allocates and writes 1 MiB at a time until the allocation fails.
#[operation(name = "misbehave.allocate", category = "test")]
pub(crate) fn allocate() -> Nothing {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; MIB]));
    }
}

/// Calls itself until the stack overflows.
#[operation(name = "misbehave.recurse", category = "test")]
pub(crate) fn recurse() -> Nothing {
    black_box(descend(black_box(0)));
    Nothing {}
}

/// Recurses deeper than any stack.
///
/// The operations after the call prevent a tail call. No local variable has its address taken, so
/// the frames are not in the guest's memory, and the host's stack overflows.
fn descend(depth: u64) -> u64 {
    match depth {
        u64::MAX => 0,
        _ => descend(depth + 1).wrapping_mul(31) ^ depth,
    }
}
