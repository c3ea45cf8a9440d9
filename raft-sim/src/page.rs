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

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use bytes::Bytes;
    use raft_core::{Instant, LogPosition, Node};

    use super::*;
    use crate::campaign::{self, SEED_LIMIT};
    use crate::draw::Draw;
    use crate::kv::Kv;
    use crate::machine::Machine;
    use crate::plan::Profile;
    use crate::story::Narrator;

    /// The most a page of ten thousand events may have.
    const LIMIT: usize = 2_000_000;

    /// Runs a plan and writes its page, of so many events at most.
    fn page<M: Machine + 'static>(plan: &Plan, events: usize) -> (String, usize) {
        let (narrator, story) = Narrator::<M>::new(plan);
        let verdict = campaign::replay::<Node, M, _>(plan.clone(), narrator, SEED_LIMIT).verdict;
        let mut story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
        story.events.truncate(events);
        let page = Page { story: &story, plan, verdict: &verdict, again: "it, again" };
        (write(&page), story.events.len())
    }

    /// Says what would end the script, and characters that do things.
    #[derive(Clone, Default)]
    struct Hostile;

    impl Machine for Hostile {
        fn apply(&mut self, _position: LogPosition, _command: &Bytes) -> Bytes {
            Bytes::new()
        }

        fn digest(&self) -> u64 {
            0
        }

        fn snapshot(&self) -> Bytes {
            Bytes::new()
        }

        fn restore(_snapshot: &Bytes) -> Result<Self, String> {
            Ok(Self)
        }

        fn command(draw: &mut Draw) -> Bytes {
            Bytes::copy_from_slice(&draw.bits().to_le_bytes())
        }

        fn describe(_command: &Bytes, _output: Option<&Bytes>) -> String {
            "</script><!-- <script> \u{0}\u{1}\u{1b}[31m".to_owned()
        }
    }

    /// The data of a page.
    fn data(page: &str) -> &str {
        let (_, rest) = page.split_once("id=\"data\">\n").expect("the data has a beginning");
        rest.split_once("\n</script>").expect("the data has an end").0
    }

    /// Goal: a page of ten thousand events is small enough to be sent to somebody, of a busy run and of a quiet one.
    #[test]
    fn ten_thousand_events_are_a_small_page() {
        for (seed, profile) in [(1, Profile::Bench), (4711, Profile::Default)] {
            let plan = Plan::generate(seed, profile);
            let (page, events) = page::<Kv>(&plan, 10_000);
            assert_eq!(events, 10_000, "the run is long enough");
            assert!(page.len() < LIMIT, "seed {seed} makes a page of {} bytes", page.len());
        }
    }

    /// Goal: nothing on the page is loaded from anywhere, and its policy forbids it.
    #[test]
    fn nothing_is_loaded() {
        let (page, _) = page::<Kv>(&Plan::generate(1, Profile::Calm), 100);
        for loading in ["http://", "https://", " src=", "url(", "@import", "fetch(", "import("] {
            assert!(!page.contains(loading), "the page has `{loading}`");
        }
        assert!(page.contains("default-src 'none'"));
    }

    /// Goal: a machine's words are data, whatever they are.
    #[test]
    fn hostile_words_do_no_harm() {
        let mut plan = Plan::generate(1, Profile::Calm);
        plan.heal_at = Instant(500_000);
        let (page, _) = page::<Hostile>(&plan, 20_000);
        let data = data(&page);
        assert!(!data.contains('<') && !data.contains(char::is_control), "the data is text");
        assert!(data.contains("\\u003c/script>"), "the machine has spoken");
        let read: serde_json::Value = serde_json::from_str(data).expect("the data is JSON");
        assert!(read["patterns"].to_string().contains("</script>"));
        let scripts = page.matches("</script").count();
        assert_eq!(scripts, 2, "one script of data, one of code");
    }

    /// Goal: every part of the document's frame is put in.
    #[test]
    fn the_frame_is_filled() {
        let (page, _) = page::<Kv>(&Plan::generate(1, Profile::Calm), 10);
        assert!(
            !page.contains("<!-- style")
                && !page.contains("<!-- scripts")
                && !page.contains("<!-- data")
        );
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page");
        let scripts = std::fs::read_dir(folder).expect("the sources are here");
        let names = scripts.map(|entry| entry.expect("it is readable").file_name());
        let scripts = names.filter(|name| name.to_string_lossy().contains(".js"));
        assert_eq!(scripts.count(), SCRIPTS.len(), "each script is put in");
    }
}
