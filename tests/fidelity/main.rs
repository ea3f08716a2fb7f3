//! The matrix of hostile inputs and broken surroundings, each row a test of the program itself.
//!
//! Every run must end in one of two ways: complete outputs that are readable again, or one line that says what went
//! wrong, its exit code, and nothing under the final names. `make matrix` runs the rows as often as the README says
//! and prints the table there; without it each row runs a few times only.
#![cfg(unix)]
// The helpers are test code too; clippy only recognises functions marked as tests.
#![allow(clippy::unwrap_used)]

mod batch;
mod captions;
mod clock;
mod damage;
mod faces;
#[allow(dead_code, reason = "other tests need the rest")]
#[path = "../video/support.rs"]
mod fixtures;
mod fuzz;
mod geometry;
mod hear;
mod held;
mod hidden;
mod inputs;
mod interlaced;
mod models;
mod mutate;
mod names;
mod network;
mod odd;
mod outputs;
mod pixels;
mod program;
mod ranges;
mod shards;
mod signals;
mod soak;
mod streams;
mod table;
mod time;
