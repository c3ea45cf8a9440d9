//! Makes the JavaScript around a WebAssembly module that was compiled with wasm-bindgen:
//! `raft-browser-glue MODULE FOLDER`.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, folder] = &arguments[..] else {
        eprintln!("raft-browser-glue needs two arguments: the module, and the folder to write to");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    // The module is loaded from beside the JavaScript when that is not told another place.
    bindgen.input_path(module).typescript(false).omit_default_module_path(false);
    match bindgen.web(true).and_then(|bindgen| bindgen.generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no JavaScript can be made for {module}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
