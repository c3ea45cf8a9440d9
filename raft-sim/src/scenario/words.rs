//! A line as words, taken one after another by whoever reads it.
//!
//! Invariants: a comment begins at the first `#` of a line, whatever stands before it; a refusal points at the word that
//! does not fit, or just behind the last one, and lists every word that was tried there.

use super::error::{Problem, ScenarioError, closest};

/// How much of a word is repeated in a refusal.
const SHOWN: usize = 40;

/// A word and the byte at which it begins.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    start: usize,
}

/// The words of a line, and which comes next.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    line: usize,
    /// Without its comment.
    text: &'a str,
    all: Vec<Word<'a>>,
    next: usize,
    /// Words that would fit here, but are not there.
    tried: Vec<&'static str>,
}

/// What a line says, and the comment behind it.
pub(super) fn split_comment(line: &str) -> (&str, Option<&str>) {
    match line.find('#') {
        Some(at) => (line[..at].trim_end(), Some(line[at..].trim_end())),
        None => (line.trim_end(), None),
    }
}

impl<'a> Words<'a> {
    /// The words of a line without its comment.
    pub(super) fn new(line: usize, text: &'a str) -> Self {
        Self { line, text, all: split(text), next: 0, tried: Vec::new() }
    }

    /// The word that comes next.
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.all.get(self.next).map(|word| word.text)
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Where the next word is; behind the last one if there is none.
    pub(super) fn column(&self) -> usize {
        let start = self.all.get(self.next).map_or(self.text.len(), |word| word.start);
        self.text[..start].chars().count() + 1
    }

    fn advance(&mut self) {
        self.next += 1;
        self.tried.clear();
    }

    /// Takes the next word if it is this one.
    pub(super) fn accept(&mut self, word: &'static str) -> bool {
        if self.peek() == Some(word) {
            self.advance();
            return true;
        }
        self.tried.push(word);
        false
    }

    /// Takes the next word, which must be this one.
    pub(super) fn require(&mut self, word: &'static str) -> Result<(), ScenarioError> {
        if self.accept(word) { Ok(()) } else { Err(self.refuse("")) }
    }

    /// Takes the next word, which must be one of these.
    pub(super) fn choose<T: Copy>(
        &mut self,
        table: impl IntoIterator<Item = (&'static str, T)>,
    ) -> Result<T, ScenarioError> {
        for (word, value) in table {
            if self.accept(word) {
                return Ok(value);
            }
        }
        Err(self.refuse(""))
    }

    /// Takes the next word, of which something must be made.
    pub(super) fn parse<T>(
        &mut self,
        expected: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, ScenarioError> {
        match self.peek().and_then(parse) {
            Some(value) => {
                self.advance();
                Ok(value)
            }
            None => Err(self.refuse(expected)),
        }
    }

    /// Everything that is left of the line, as it is.
    pub(super) fn rest(&self) -> &'a str {
        self.all.get(self.next).map_or("", |word| &self.text[word.start..])
    }

    /// Takes everything that is left of the line.
    pub(super) fn skip_rest(&mut self) {
        self.next = self.all.len();
        self.tried.clear();
    }

    /// The line must have ended.
    pub(super) fn finish(&self) -> Result<(), ScenarioError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.refuse("the end of the line")),
        }
    }

    /// The next word does not fit; what was tried, and `expected` if it is not empty, would.
    pub(super) fn refuse(&self, expected: &str) -> ScenarioError {
        let mut fitting: Vec<String> = self.tried.iter().map(|word| format!("`{word}`")).collect();
        fitting.extend((!expected.is_empty()).then(|| expected.to_owned()));
        let expected = listed(&fitting);
        self.wrong(match self.peek() {
            None => Problem::Missing { expected },
            Some(found) => Problem::Unexpected {
                found: shortened(found),
                expected,
                meant: closest(found, &self.tried),
            },
        })
    }

    /// A refusal of the next word.
    pub(super) fn wrong(&self, problem: Problem) -> ScenarioError {
        ScenarioError { line: self.line, column: self.column(), problem }
    }

    /// A refusal of the last word that was taken.
    pub(super) fn wrong_before(&self, problem: Problem) -> ScenarioError {
        let start = self.all.get(self.next.saturating_sub(1)).map_or(0, |word| word.start);
        let column = self.text[..start].chars().count() + 1;
        ScenarioError { line: self.line, column, problem }
    }
}

/// Words are apart by white space; `:`, `,` and `|` are words of their own.
fn split(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut begun = None;
    for (at, character) in text.char_indices() {
        let is_mark = matches!(character, ':' | ',' | '|');
        if is_mark || character.is_whitespace() {
            if let Some(start) = begun.take() {
                words.push(Word { text: &text[start..at], start });
            }
            if is_mark {
                words.push(Word { text: &text[at..=at], start: at });
            }
        } else {
            begun.get_or_insert(at);
        }
    }
    words.extend(begun.map(|start| Word { text: &text[start..], start }));
    words
}

/// `a`, `b` or `c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => "the end of the line".to_owned(),
        [word] => word.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The beginning of a word, without what would do something to a terminal.
fn shortened(word: &str) -> String {
    let mut shown: String = word.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if word.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: marks are words, a comment is none, and what is left can be had as it is.
    #[test]
    fn lines_are_split() {
        let (text, comment) = split_comment("  client 1 asks n2: put k3 = a|b   # why ");
        assert_eq!(comment, Some("# why"));
        let mut words = Words::new(7, text);
        for word in ["client", "1", "asks", "n2", ":"] {
            assert_eq!(words.peek(), Some(word));
            words.advance();
        }
        assert_eq!((words.line(), words.column()), (7, 21));
        assert_eq!(words.rest(), "put k3 = a|b");
        words.skip_rest();
        assert_eq!(words.finish(), Ok(()));
    }

    /// Goal: a refusal names the word, its place, whatever would fit, and what was probably meant.
    #[test]
    fn refusals_say_what_would_fit() {
        let mut words = Words::new(3, "crash n1 fro 3ms");
        assert!(words.accept("crash") && !words.accept("n2"));
        words.parse("a node", Some).expect("it is there");
        assert!(!words.accept("at"));
        let error = words.require("for").expect_err("it is misspelt").to_string();
        let told = "line 3, column 10: found `fro`, expected `at` or `for`; did you mean `for`?";
        assert_eq!(error, told);
        let mut words = Words::new(3, "é n1");
        words.parse("a letter", Some).expect("it is there");
        words.parse("a node", Some).expect("it is there");
        let error = words.require("for").expect_err("it is missing").to_string();
        assert_eq!(error, "line 3, column 5: the line ends here, expected `for`");
    }
}
