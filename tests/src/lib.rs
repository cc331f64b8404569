//! Common code of the tests and of the benchmarks in `bench/`.
//!
//! - [`guest`]: guests as WebAssembly text.
//! - [`instructions`]: the instructions of a cold command.
//!
//! The tests are in `tests/`: `e2e` drives the built command and the library with real
//! components, `guests` checks the guests of this crate, and `ledger` checks that concurrent
//! runs are serialisable. `bench/` compares the host with the libraries below it. `README.md`
//! describes how to add a guest.

pub mod guest;
pub mod instructions;
