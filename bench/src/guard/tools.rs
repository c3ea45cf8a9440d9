//! With what instructions were counted: whatever of this changes may change the counts.

use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};
use std::process::{Command, Stdio};

/// The names and versions of tools.
pub(crate) type Tools = BTreeMap<String, String>;

/// Those of this program and this machine.
pub(crate) fn present(valgrind: String) -> Tools {
    let tools = [
        ("compiler", env!("RUSTC_VERSION").to_owned()),
        ("target", format!("{ARCH} {OS}")),
        ("valgrind", valgrind),
        // It allocates, copies and compares.
        ("C library", c_library().unwrap_or_else(|| "unknown".to_owned())),
    ];
    tools.into_iter().map(|(tool, version)| (tool.to_owned(), version)).collect()
}

fn c_library() -> Option<String> {
    let mut command = Command::new("getconf");
    let output = command.arg("GNU_LIBC_VERSION").stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !version.is_empty()).then_some(version)
}

/// What differs, in words.
pub(crate) fn differences(before: &Tools, now: &Tools) -> Vec<String> {
    let differs = |(tool, version): (&String, &String)| {
        let before = before.get(tool).map_or("unknown", String::as_str);
        (before != version).then(|| format!("the {tool} was {before}, and is {version}"))
    };
    now.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tools, differences, present};

    #[test]
    fn another_compiler_is_named() {
        let now = present("valgrind-3.19.0".to_owned());
        assert!(now["compiler"].starts_with("rustc 1."), "{now:?}");
        assert!(differences(&now, &now).is_empty());
        let mut before = now.clone();
        before.insert("compiler".to_owned(), "rustc 1.85.0".to_owned());
        let expected = format!("the compiler was rustc 1.85.0, and is {}", now["compiler"]);
        assert_eq!(differences(&before, &now), [expected]);
        assert_eq!(differences(&Tools::new(), &now).len(), 4);
    }
}
