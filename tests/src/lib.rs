//! Common code of the tests and benchmarks.
//!
//! - [`guest`]: guests as WebAssembly text.
//! - [`disk`]: the cost of a durable write.
//! - [`instructions`]: the instructions of a cold command.
//!
//! The tests are in `tests/`: `e2e` drives the built command and the library with real
//! components, `guests` checks the guests of this crate, and `ledger` checks that concurrent
//! runs are serialisable. `benches/` compares the host with the libraries below it. `README.md`
//! describes how to add a guest.

pub mod disk;
pub mod guest;
pub mod instructions;
