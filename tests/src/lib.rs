//! What the tests share: guests written as text, see [`guest`].
//!
//! The tests themselves are in `tests/`: `e2e` drives the built command and the library
//! with real components, `guests` checks the guests of this crate. `benches/` compares the
//! host with what it is built on. How to add a guest is in `README.md`.

pub mod disk;
pub mod guest;
