//! Drives the built command and real components, a module for each thing that users do.

mod build;
mod cache;
mod check;
mod completions;
mod config;
mod csv;
mod describe;
mod doctor;
mod harness;
mod hostile;
mod house;
mod interrupt;
mod limits;
mod list;
mod orchestration;
mod plugins;
mod progress;
mod readme;
mod refusals;
mod registry;
mod reload;
mod run;
mod runs;
mod shim;
mod terminal;
mod trial;
