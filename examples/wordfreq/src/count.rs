//! Counting words.

use std::collections::HashMap;
use std::io::{self, BufRead};

/// The words of one or several texts, with how often each occurs.
#[derive(Debug, Default)]
pub struct Counts {
    words: HashMap<String, u64>,
    /// All words, repeated ones included.
    pub total: u64,
    /// Lines; a last one without a newline counts too.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
}

impl Counts {
    /// Reads `text` to its end, a line at a time, and counts its words. Bytes that are not UTF-8
    /// separate words.
    ///
    /// # Errors
    /// The reader's error; what was read before it stays counted.
    pub fn read(&mut self, mut text: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = text.read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(());
            }
            self.bytes += length as u64;
            self.lines += 1;
            self.line(&String::from_utf8_lossy(&line));
        }
    }

    /// Number of different words.
    pub fn distinct(&self) -> usize {
        self.words.len()
    }

    /// The `count` most frequent words, the most frequent first, equally frequent ones in
    /// alphabetical (code point) order.
    pub fn top(&self, count: usize) -> Vec<(&str, u64)> {
        let mut ranking: Vec<(&str, u64)> = self
            .words
            .iter()
            .map(|(word, &count)| (word.as_str(), count))
            .collect();
        ranking.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        ranking.truncate(count);
        ranking
    }

    fn line(&mut self, line: &str) {
        let words = line
            .split(|c: char| !c.is_alphanumeric() && !is_apostrophe(c))
            .map(|word| word.trim_matches(is_apostrophe))
            .filter(|word| !word.is_empty());
        for word in words {
            *self.words.entry(word.to_lowercase()).or_insert(0) += 1;
            self.total += 1;
        }
    }
}

/// Inside a word an apostrophe is part of it (`don't`), around it a quotation mark.
fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &[u8]) -> Counts {
        let mut counts = Counts::default();
        counts.read(text).expect("a slice can always be read");
        counts
    }

    #[test]
    fn frequent_words_come_first_then_the_alphabet() {
        let counts = counted(b"b a\nc b, A. c; d\n");
        assert_eq!(counts.top(3), [("a", 2), ("b", 2), ("c", 2)]);
        assert_eq!((counts.total, counts.distinct()), (7, 4));
        assert_eq!((counts.lines, counts.bytes), (2, 17));
    }

    #[test]
    fn apostrophes_belong_to_words_only_inside() {
        let counts = counted("'Don't' '' don't \u{2019}tis".as_bytes());
        assert_eq!(counts.top(9), [("don't", 2), ("tis", 1)]);
    }

    #[test]
    fn case_is_folded_beyond_ascii() {
        assert_eq!(
            counted("ÄRGER Ärger ΣΑΣ".as_bytes()).top(2),
            [("ärger", 2), ("σας", 1)]
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_separate_words() {
        assert_eq!(counted(b"one\xfftwo\xc3").top(9), [("one", 1), ("two", 1)]);
    }

    #[test]
    fn an_empty_text_has_no_words() {
        let counts = counted(b"");
        assert_eq!((counts.total, counts.lines, counts.top(5).len()), (0, 0, 0));
    }
}
