//! A guest whose operations use documents, for the tests of the host.
//!
//! - `accounts`: moves money, which is neither made nor lost, however a run ends.
//! - `counters`: one document that all runs change.
//! - `entries`: many documents, and some that must not come twice.
//! - `odd`: calls that no host should serve.
//! - `pause`: gives other runs time to get in the way.

mod accounts;
mod counters;
mod entries;
mod odd;
mod pause;

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
    odd::odd_documents,
    odd::reach,
    odd::count_odds,
);
