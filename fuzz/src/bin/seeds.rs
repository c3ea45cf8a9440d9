//! Writes the seeds of the targets that are named, or of all, into a folder: `seeds FOLDER [TARGET]...`

use std::env;
use std::path::PathBuf;

use raft_fuzz::seeds::{TARGETS, write};

fn main() {
    let mut arguments = env::args().skip(1);
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        eprintln!("say where: seeds FOLDER [TARGET]...");
        std::process::exit(2);
    };
    let named: Vec<String> = arguments.collect();
    let all = TARGETS.map(str::to_owned);
    for target in if named.is_empty() { &all[..] } else { &named } {
        match write(target, &folder) {
            Ok(count) => println!("{target}: {count} seeds"),
            Err(error) => {
                eprintln!("{}: {error}", folder.join(target).display());
                std::process::exit(1);
            }
        }
    }
}
