//! What the fuzz targets have in common: how bytes become settings, disks, messages and plans, and what must hold of a node.
//!
//! The targets are in `fuzz_targets/`; `docs/FUZZING.md` says what each of them does, and how they are run.

// In the order of dependence: nobody imports from below.
pub mod dice;
pub mod target;
pub mod settings;
pub mod message;
pub mod recording;
pub mod origin;
pub mod driver;
pub mod life;
mod numbers;
pub mod plan;
pub mod report;
pub mod formats;
pub mod seeds;

/// Makes a fuzz target of `fn run(input: &[u8])`: for the fuzzer where cargo-fuzz builds, and elsewhere a program that
/// runs the files it is given.
#[macro_export]
macro_rules! target {
    ($run:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $run(input));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::target::replay($run);
        }
    };
}
