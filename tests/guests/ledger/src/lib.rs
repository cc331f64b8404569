//! A guest whose operations use documents, for the tests of the host.
//!
//! - `accounts`: transfers between accounts, whose total must not change.
//! - `counters`: one document that all runs change.
//! - `entries`: many documents, and documents with unique names.
//! - `invalid_calls`: calls that the host must reject.
//! - `stocks`: documents with fields that the models do not have.
//! - `pause`: pauses, so that other runs cause conflicts.

mod accounts;
mod counters;
mod entries;
mod invalid_calls;
mod pause;
mod stocks;

use ophost_sdk::plugin;

plugin!(
    accounts::open_account,
    accounts::transfer,
    accounts::transfer_then,
    accounts::audit,
    accounts::read_then_spin,
    accounts::discard_and_return,
    counters::bump,
    entries::add_if_none,
    entries::bulk_insert,
    entries::bulk_delete,
    invalid_calls::invalid_calls,
    invalid_calls::read_undeclared,
    invalid_calls::count_samples,
    stocks::take_stock,
    stocks::take_strict_stock,
);
