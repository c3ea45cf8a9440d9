//! The command line.

mod ask;
mod files;
mod make;
mod run;
mod serve;
mod settings;
mod text;

pub use run::{Faults, main};
