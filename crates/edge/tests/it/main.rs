//! The edge from outside: whole apps on loopback, with stubs or supervised shells behind them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod admin;
mod case;
mod chains;
mod components;
mod drain;
mod fallback;
mod front;
mod guests;
mod logging;
mod many;
mod process;
mod prometheus;
mod raw;
mod reload;
mod requests;
mod rollout;
mod slow;
mod start;
mod static_files;
mod supervise;
mod telemetry;
mod upgrade;
mod upstream;
