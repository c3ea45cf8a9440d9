//! A run as a page: one file that shows a [`Story`] in a browser, with all that belongs to it.
//!
//! The sources of the page are the readable files in `page/`. They are put together here, with the data beside them as
//! `page/data.rs` writes it.
//!
//! Invariants: the page asks for nothing from anywhere, and its own policy forbids it to; nothing that a machine, a plan
//! or a file name says is part of its markup, styles or scripts.

mod data;

use crate::plan::Plan;
use crate::story::Story;
use crate::verdict::Verdict;

/// The document, with a line for each part that is put in.
const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// The scripts, in the order in which they are put together: each uses those before it.
const SCRIPTS: &[&str] = &[
    include_str!("page/element.js"),
    include_str!("page/run.js"),
    include_str!("page/records.js"),
    include_str!("page/state.js"),
    include_str!("page/filter.js"),
    include_str!("page/cursor.js"),
    include_str!("page/canvas.js"),
    include_str!("page/lanes.js"),
    include_str!("page/rows.js"),
    include_str!("page/verdict.js"),
    include_str!("page/why.js"),
    include_str!("page/nodes.js"),
    include_str!("page/grid.js"),
    include_str!("page/elections.js"),
    include_str!("page/leaders.js"),
    include_str!("page/network.js"),
    include_str!("page/history.js"),
    include_str!("page/search.js"),
    include_str!("page/help.js"),
    include_str!("page/keys.js"),
    include_str!("page/main.js"),
];

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What happened.
    pub story: &'a Story,
    /// The plan that was run.
    pub plan: &'a Plan,
    /// What became of it.
    pub verdict: &'a Verdict,
    /// The command that runs it again.
    pub again: &'a str,
}

/// The page as one HTML document, for a file that a browser opens.
pub fn write(page: &Page<'_>) -> String {
    let mut document = String::new();
    for line in FRAME.lines() {
        match line.trim() {
            "<!-- style -->" => document.push_str(STYLE),
            "<!-- scripts -->" => SCRIPTS.iter().for_each(|script| document.push_str(script)),
            "<!-- data -->" => document.push_str(&data::written(page)),
            _ => document.push_str(line),
        }
        document.push('\n');
    }
    document
}
