//! The table that leads here from the tests of other Rafts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every test that `docs/PROTOCOL_TESTS.md` names is there.
#[test]
fn the_table_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).expect("the repository is readable");
    let mut tests = BTreeSet::new();
    for file in fs::read_dir(root.join("tests/paper")).expect("the folder is there") {
        let path = file.expect("the folder is readable").path();
        let module = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
        let text = read(&path);
        for (attribute, function) in text.lines().zip(text.lines().skip(1)) {
            let name = function.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let (true, Some(name)) = (attribute == "#[test]", name) {
                tests.insert(format!("{module}::{name}"));
            }
        }
    }
    let table = read(&root.join("docs/PROTOCOL_TESTS.md"));
    let is_test = |word: &&str| word.contains("::") && !word.contains([' ', '…']);
    let named: Vec<&str> = table.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 80, "only {} tests are named", named.len());
    let missing: Vec<_> = named.into_iter().filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "the table names tests that are not there: {missing:?}");
}
