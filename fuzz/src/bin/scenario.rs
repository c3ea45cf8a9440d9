//! Prints the plan that an input of the target `cluster` is, as a scenario.

use std::env;
use std::path::Path;

use raft_fuzz::plan::plan;
use raft_fuzz::target::read;
use raft_sim::kv::Kv;
use raft_sim::scenario::Scenario;

fn main() {
    let Some(file) = env::args_os().nth(1) else {
        eprintln!("name an input of the target `cluster`: scenario FILE > found.scenario");
        std::process::exit(2);
    };
    match plan(&read(Path::new(&file))) {
        Some(plan) => print!("{}", Scenario::of(plan).write::<Kv>()),
        None => eprintln!("{} is no plan that can be run", Path::new(&file).display()),
    }
}
