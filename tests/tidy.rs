//! Goal: keep the cheap promises about the sources that the compiler and clippy do not keep.
//!
//! What is promised: files stay below 600 lines and functions below 70; every file opens with what it is
//! for; the module order of each crate is its dependency order; every numbered invariant in
//! `docs/INVARIANTS.md` is named in the code that checks it, and the other way round; so is every mutant in
//! `docs/MUTANTS.md` that has a patch; nothing is left undone, ignored or silently allowed.
//!
//! The scans are of lines, and rely on the sources being formatted by rustfmt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// More than this belongs in two files.
const MAX_FILE_LINES: usize = 600;
/// More than this belongs in two functions.
const MAX_FUNCTION_LINES: usize = 70;

/// A source file with its path from the root of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(offset, line)| (offset + 1, line))
    }

    /// Where something is, as editors understand it.
    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// The text without the unit tests at its end, which may use anything.
    fn without_unit_tests(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        &self.text[..end]
    }

    /// Whether the whole file is unit tests.
    fn is_unit_test(&self) -> bool {
        self.path.with_extension("").components().any(|part| part.as_os_str() == "tests")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source below `folder`, in a fixed order.
fn sources_below(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(folder)];
    while let Some(path) = pending.pop() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                let entries = fs::read_dir(&path).expect("the folder was just listed");
                pending.extend(entries.map(|entry| entry.expect("the entry is readable").path()));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are readable UTF-8");
            let path = path.strip_prefix(root()).expect("the walk began at the root").to_owned();
            found.push(Source { path, text: text.replace("\r\n", "\n") });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every Rust source of the project.
fn all_sources() -> Vec<Source> {
    let folders = ["raft-core", "raft-sim", "tests", "examples", "fuzz", "bench"];
    let sources: Vec<Source> = folders
        .iter()
        .filter(|folder| root().join(folder).exists())
        .flat_map(|folder| sources_below(folder))
        .collect();
    assert!(sources.len() > 10, "only {} sources were found: the walk is broken", sources.len());
    sources
}

/// Fails with every complaint at once.
fn report(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}\n", complaints.join("\n  "));
}

#[test]
fn files_are_short() {
    let complaints: Vec<String> = all_sources()
        .iter()
        .filter(|source| source.text.lines().count() > MAX_FILE_LINES)
        .map(|source| {
            format!("{} has {} lines", source.path.display(), source.text.lines().count())
        })
        .collect();
    report("a file has at most 600 lines: split it by concept", &complaints);
}

#[test]
fn functions_are_short() {
    let mut complaints = Vec::new();
    for source in all_sources() {
        for function in functions(&source.text) {
            let length = function.end - function.start + 1;
            if length > MAX_FUNCTION_LINES {
                complaints.push(format!(
                    "{}: `{}` has {length} lines",
                    source.place(function.start),
                    function.name
                ));
            }
        }
    }
    report("a function has at most 70 lines: split it by concept", &complaints);
}

/// A function's name with its first and last line.
struct Function<'a> {
    name: &'a str,
    start: usize,
    end: usize,
}

/// The functions of a formatted source: the body ends at the first brace in the column of the `fn` line.
fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let ends = |line: &&str| {
            let own_column = line.len() - line.trim_start().len() == indent;
            own_column && (line.trim() == "}" || line.trim_end().ends_with(';'))
        };
        let on_one_line = line.trim_end().ends_with(['}', ';']);
        let end = if on_one_line { Some(0) } else { lines[start..].iter().position(ends) };
        let end = start + end.expect("a function ends");
        found.push(Function { name, start: start + 1, end: end + 1 });
    }
    found
}

/// The name of the function that a line begins to define.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(signature) = rest.strip_prefix("fn ") {
            let end = signature.find(['(', '<'])?;
            return Some(&signature[..end]);
        }
        let (word, after) = rest.split_once(' ')?;
        let qualifies = word.starts_with("pub")
            || ["const", "async", "unsafe", "extern", "\"C\""].contains(&word);
        if !qualifies {
            return None;
        }
        rest = after;
    }
}

#[test]
fn the_scan_for_functions_sees_them() {
    let text = "impl A {\n    pub(crate) const fn one() -> u8 {\n        1\n    }\n}\nfn two() {}\n\
                trait T {\n    fn three(\n        &self,\n    );\n}\n";
    let seen: Vec<(&str, usize, usize)> =
        functions(text).iter().map(|f| (f.name, f.start, f.end)).collect();
    assert_eq!(seen, [("one", 2, 4), ("two", 6, 6), ("three", 8, 10)]);
}

#[test]
fn every_file_opens_with_its_purpose() {
    let mut complaints = Vec::new();
    for source in all_sources() {
        // A crate's root may say it after its attributes, or include it from a text.
        let first =
            source.text.lines().find(|line| !line.starts_with("#![") || line.starts_with("#![doc"));
        let purpose = first.unwrap_or_default();
        if !purpose.starts_with("//! ") && !purpose.starts_with("#![doc = include_str!") {
            complaints.push(source.place(1));
        }
    }
    report("a file opens with `//!` and what it is for", &complaints);
}

#[test]
fn nothing_is_undone_ignored_or_allowed() {
    // Put together here so that this file does not contain them.
    let forbidden = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
    ];
    let mut complaints = Vec::new();
    for source in all_sources() {
        for (number, line) in source.lines() {
            if let Some(found) = forbidden.iter().find(|word| line.contains(*word)) {
                complaints.push(format!("{}: `{found}`", source.place(number)));
            }
        }
    }
    report("finish it, run it, or use `#[expect(..., reason = \"...\")]`", &complaints);
}

/// The modules that `lib.rs` declares, in order, without those for tests.
fn declared_modules(library: &str) -> Vec<&str> {
    let declaration =
        |line: &str| -> bool { line.starts_with("mod ") || line.starts_with("pub mod ") };
    library
        .lines()
        .filter(|line| declaration(line))
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect()
}

/// The names that follow `crate::` in a source, groups included; comments may link to anything.
fn crate_names(text: &str) -> BTreeSet<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code = text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (at, matched) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + matched.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_heads(group)),
            None => names.extend(first_name(rest)),
        }
    }
    names
}

/// The identifier that a path begins with.
fn first_name(path: &str) -> Option<String> {
    let name: String =
        path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first names of the paths in `{a::b, c::{d, e}}`, of which the opening brace was taken.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::from_iter(first_name(group));
    let mut depth = 0_usize;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(first_name(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

#[test]
fn the_scan_for_names_sees_groups() {
    let names = crate_names(
        "use crate::{log::{Log, Run}, types};\nlet x = crate::rng::Rng;\n// crate::not::this\n",
    );
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["log", "rng", "types"]);
}

/// The folders that a file is below, from the sources of its crate on, and its own name.
fn path_of_modules<'a>(path: &'a Path, folder: &str) -> Vec<&'a str> {
    let below = path.strip_prefix(folder).expect("sources were listed below the folder");
    let parts = below.components().filter_map(|part| part.as_os_str().to_str());
    parts.map(|part| part.trim_end_matches(".rs")).collect()
}

/// The names of the crate's modules that a file uses, whichever way it gets to the root.
fn modules_used(source: &Source, depth: usize) -> BTreeSet<String> {
    let to_the_root = "super::".repeat(depth);
    crate_names(&source.without_unit_tests().replace(&to_the_root, "crate::"))
}

/// What is out of order in a crate: who uses a module that `lib.rs` declares further down.
fn out_of_order(folder: &str) -> Vec<String> {
    let sources = sources_below(folder);
    let library = sources.iter().find(|source| source.path.ends_with("src/lib.rs"));
    let library = library.expect("a crate has a root");
    let order: BTreeMap<&str, usize> = declared_modules(&library.text)
        .into_iter()
        .enumerate()
        .map(|(place, module)| (module, place))
        .collect();
    assert!(
        order.len() > 10,
        "only {} modules were found in {folder}: the scan is broken",
        order.len()
    );
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| !source.is_unit_test()) {
        let modules = path_of_modules(&source.path, folder);
        let module = modules[0];
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let file = source.path.display();
        let Some(own) = order.get(module) else {
            complaints.push(format!("{file} is not declared in lib.rs"));
            continue;
        };
        for name in modules_used(source, modules.len()) {
            match order.get(name.as_str()) {
                None => complaints.push(format!("{file} uses crate::{name}: name its module")),
                Some(place) if place > own => complaints
                    .push(format!("{file} uses `{name}`, which is declared after `{module}`")),
                Some(_) => {}
            }
        }
    }
    complaints
}

#[test]
fn modules_are_in_dependency_order() {
    let complaints: Vec<String> =
        ["raft-core/src", "raft-sim/src"].into_iter().flat_map(out_of_order).collect();
    report(
        "`mod` lines in lib.rs are in dependency order, and nobody imports downward",
        &complaints,
    );
}

/// Every `INV-<number>` in a text.
fn invariants_named(text: &str) -> BTreeSet<u32> {
    let tag = concat!("IN", "V-");
    let digits = |rest: &str| -> String { rest.chars().take_while(char::is_ascii_digit).collect() };
    text.match_indices(tag)
        .filter_map(|(at, _)| digits(&text[at + tag.len()..]).parse().ok())
        .collect()
}

#[test]
fn invariants_are_numbered_in_the_document_and_in_the_code() {
    let document =
        fs::read_to_string(root().join("docs/INVARIANTS.md")).expect("docs/INVARIANTS.md exists");
    let written = invariants_named(&document);
    let checked: BTreeSet<u32> =
        all_sources().iter().flat_map(|source| invariants_named(&source.text)).collect();
    let mut complaints: Vec<String> = written
        .difference(&checked)
        .map(|number| format!("number {number} is in docs/INVARIANTS.md, but no code names it"))
        .collect();
    complaints.extend(
        checked
            .difference(&written)
            .map(|number| format!("number {number} is in the code, but not in docs/INVARIANTS.md")),
    );
    assert!(
        !written.is_empty(),
        "docs/INVARIANTS.md names no invariant: write them as its numbers"
    );
    report("every invariant is stated once and checked somewhere", &complaints);
}

/// The patches that the table of results in `docs/MUTANTS.md` links to, each with the mutant's name; and
/// rows that link to none.
fn mutants_listed(document: &str) -> (BTreeMap<&str, &str>, Vec<&str>) {
    let (_, table) = document.split_once("<!-- results").expect("the table has a beginning");
    let (table, _) = table.split_once("<!-- end of results").expect("the table has an end");
    let (mut listed, mut unlinked) = (BTreeMap::new(), Vec::new());
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    for row in rows {
        let cell = row.trim_start_matches("| [").split_once(" |").map_or(row, |(cell, _)| cell);
        match cell.trim_end_matches(')').split_once("](../tests/mutants/") {
            Some((name, patch)) => drop(listed.insert(patch, name)),
            None => unlinked.push(row),
        }
    }
    (listed, unlinked)
}

#[test]
fn every_mutant_has_a_patch_and_a_row() {
    let document =
        fs::read_to_string(root().join("docs/MUTANTS.md")).expect("docs/MUTANTS.md exists");
    let (listed, unlinked) = mutants_listed(&document);
    let folder = fs::read_dir(root().join("tests/mutants")).expect("the folder of mutants exists");
    let names = folder.map(|entry| entry.expect("the entry is readable").file_name());
    let patches: BTreeSet<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.strip_suffix(".patch").is_some())
        .collect();
    assert!(patches.len() > 10, "only {} patches were found: the scan is broken", patches.len());

    let mut complaints: Vec<String> =
        unlinked.iter().map(|row| format!("this row links to no patch: {row}")).collect();
    for (patch, name) in &listed {
        if !patches.contains(*patch) {
            complaints.push(format!("docs/MUTANTS.md lists {name}, but there is no {patch}"));
        }
        if patch.split('-').next() != Some(name) {
            complaints.push(format!("docs/MUTANTS.md calls {patch} {name}"));
        }
    }
    let missing = patches.iter().filter(|patch| !listed.contains_key(patch.as_str()));
    complaints.extend(missing.map(|patch| format!("{patch} has no row in docs/MUTANTS.md")));
    report(
        "every patch in tests/mutants has a row in docs/MUTANTS.md, and every row a patch; \
         `cargo run --release -p raft-mutants` writes the table anew",
        &complaints,
    );
}
