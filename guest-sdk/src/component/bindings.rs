//! Bindings generated from the WIT contract.

#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code; calls to the host need unsafe code, which stays in this module"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "plugin",
    default_bindings_module: "::ophost_sdk::macro_support::bindings",
    pub_export_macro: true,
});
