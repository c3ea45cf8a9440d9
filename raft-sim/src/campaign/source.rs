//! Where a single run's plan comes from: a seed, or a file.

use std::fs;
use std::path::Path;

use crate::plan::{Plan, Profile};

/// The largest plan file that is read. Real ones are some kilobytes.
const PLAN_BYTES: u64 = 64 << 20;

/// The plan of a seed, if `what` is a number, or else of the file with that name.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub(crate) fn plan_from(what: &str, profile: Profile) -> Result<Plan, String> {
    if !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_digit()) {
        let seed = what
            .parse()
            .map_err(|_| format!("`{what}` is not a seed: the largest is 18446744073709551615"))?;
        return Ok(Plan::generate(seed, profile));
    }
    read(Path::new(what))
        .map_err(|reason| format!("the plan file `{what}` cannot be used: {reason}"))
}

fn read(path: &Path) -> Result<Plan, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".to_owned());
    }
    if about.len() > PLAN_BYTES {
        return Err(format!("it is larger than {PLAN_BYTES} bytes, so it is no plan"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text =
        String::from_utf8(bytes).map_err(|_| "it is not text, so it is no plan".to_owned())?;
    Plan::from_json(&text).map_err(|error| error.to_string())
}
