//! Patterns under which the pretokens of a prefix are those of the text, but for the last.
//!
//! Suppose a pattern looks at nothing but what it matches. Where it matches in the text and the match ends within the prefix, it
//! matches the same in the prefix: any match there that is to be preferred would be one in the text too. So the pretokens differ
//! only from the one on that does not end within the prefix.
//!
//! White space not followed by other text (`\s+(?!\S)`, `\s+$`) is an exception that nearly all patterns make. It can match in the
//! prefix and not in the text, but what it then matches ends with the prefix: the white space at its end. Rules for digits make
//! another: groups are counted from the end of a run. So pretokens that end before such a run are safe.
//!
//! What lies between matches is a pretoken too, and the next match decides where it ends: the last that is safe may be one, and is
//! read again.

use fancy_regex::{Assertion, Expr};

use crate::batch::may_ever_cut;
use crate::digits::Digits;
use crate::pretokenize::Pretokenizer;
use crate::pretokenize::classes::{ClassTable, LETTER, MARK, NUMBER, WHITE};
use crate::pretokenize::regex::{RegexCache, is_space_lookahead, is_space_run};
use crate::tokenizer::Tokenizer;
use crate::utf8::decode_at;

/// Bytes of the longest character.
const LONGEST_CHARACTER: usize = 4;

/// Whether the pattern is one of those.
pub fn is_steady(pretokenizer: &Pretokenizer) -> bool {
    // The presets are; what else looks around, gives nothing back or repeats what it matched may be slow.
    may_ever_cut(pretokenizer)
        || !pretokenizer.may_be_slow()
            && Expr::parse_tree(pretokenizer.pattern()).is_ok_and(|tree| looks_at_white_space(&tree.expr))
}

/// Whether no alternative looks around but for the end of white space.
fn looks_at_white_space(tree: &Expr) -> bool {
    match tree {
        Expr::Group(inner) => looks_at_white_space(inner),
        Expr::Alt(alternatives) => alternatives.iter().all(looks_at_white_space),
        other => {
            let looks = |expr: &Expr| matches!(expr, Expr::Assertion(_) | Expr::LookAround(..));
            is_white_space_end(other) || !other.has_descendant_or_self(looks)
        }
    }
}

/// `\s+(?!\S)`, `\s+$` or `\s++$`.
fn is_white_space_end(expr: &Expr) -> bool {
    let Expr::Concat(parts) = expr else { return false };
    let [run, Expr::Assertion(Assertion::EndText)] = parts.as_slice() else { return is_space_lookahead(expr) };
    is_space_run(if let Expr::AtomicGroup(inner) = run { inner } else { run })
}

/// The pretokens of a text, from a place on.
pub struct Steady<'a> {
    pretokenizer: &'a Pretokenizer,
    classes: &'static ClassTable,
    has_digits: bool,
    is_preset: bool,
    /// Where each ends and how many tokens there are up to there; the first two are where they begin.
    ends: Vec<(usize, usize)>,
    /// The run at the end of the last prefix that was asked for.
    run: (usize, usize),
    /// Where the pretoken begins that was last asked for, and up to where it is alike.
    alike: (usize, usize),
    /// The same under another pattern: where it begins, and after which of its tokens a match might end.
    matches: (usize, Vec<bool>),
}

impl<'a> Steady<'a> {
    /// None yet.
    pub fn new(tokenizer: &'a Tokenizer, base: usize, base_tokens: usize) -> Self {
        let pretokenizer = tokenizer.pretokenizer();
        let has_digits = pretokenizer.digits() != Digits::None;
        let is_preset = may_ever_cut(pretokenizer);
        let (ends, run) = (vec![(base, base_tokens); 2], (0, 0));
        let (alike, matches) = ((usize::MAX, 0), (usize::MAX, Vec::new()));
        Self { pretokenizer, classes: ClassTable::get(), has_digits, is_preset, ends, run, alike, matches }
    }

    /// Adds one that ends at `end`, where a token of those that end at `token_ends` does; returns `end`.
    pub fn add(&mut self, end: usize, token_ends: &[usize]) -> usize {
        let before = self.ends.last().map_or(0, |last| last.1);
        let tokens = token_ends[before..].iter().take_while(|&&token_end| token_end <= end).count();
        self.ends.push((end, before + tokens));
        end
    }

    /// A place up to which the prefix that ends at `end` has the pretokens of the text, and how many tokens there are up to there.
    /// Quick if the prefix before ended in the same run or farther on.
    pub fn start(&mut self, text: &[u8], end: usize) -> (usize, usize) {
        // The last that ends before the run is read again.
        let safe = self.safe(text, end);
        self.ends[safe - 2]
    }

    /// The number of pretokens that end before the run at the end of a prefix, with the two in front, which always do.
    fn safe(&mut self, text: &[u8], end: usize) -> usize {
        if !(self.run.0 < end && end <= self.run.1) {
            self.run = (self.run_start(text, end), end);
        }
        self.ends.partition_point(|&(safe, _)| safe <= self.run.0)
    }

    /// The number of tokens of the prefix that ends at `end`, which is one of `token_ends`, if it can be told without encoding the
    /// pretoken that is cut there, which may be most of the text.
    ///
    /// Nothing was merged across the end of a token. So where what is left of a pretoken is a pretoken too, its tokens are those of
    /// the text, unless it is a token as it stands.
    pub fn count(
        &mut self,
        text: &[u8],
        end: usize,
        token_ends: &[usize],
        is_token: impl Fn(&[u8]) -> bool,
    ) -> Option<usize> {
        let safe = self.safe(text, end);
        let (start, before) = self.ends[safe - 1];
        let next = self.ends.get(safe)?.0;
        // Another pretoken may end within the run, if one does in the text.
        if next < end {
            return None;
        }
        let tokens = token_ends.partition_point(|&token_end| token_end <= end);
        let is_pretoken = if self.is_preset {
            self.is_alike(text, start, end)
        } else {
            let cut = &token_ends[before..token_ends.partition_point(|&token_end| token_end <= next)];
            self.is_match(text, start, cut, tokens - before)
        };
        is_pretoken.then(|| if is_token(&text[start..end]) { before + 1 } else { tokens })
    }

    /// Whether a preset makes one pretoken of what is left of one: its characters are of one class (but for the first).
    fn is_alike(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        if self.alike.0 != start {
            self.alike = (start, self.alike_until(text, start));
        }
        let (at_least, until) = (start + 2 * LONGEST_CHARACTER, self.alike.1);
        (at_least..=until).contains(&end)
    }

    /// Whether the first `count` tokens of those that end at `cut`, all of one pretoken, are a match of another pattern.
    fn is_match(&mut self, text: &[u8], start: usize, cut: &[usize], count: usize) -> bool {
        if self.has_digits || count == 0 {
            return false;
        }
        if self.matches.0 != start {
            let mut cache = RegexCache::default();
            let reached = self.pretokenizer.reaches(&mut cache, text, start, cut);
            self.matches = (start, reached.unwrap_or_default());
        }
        self.matches.1.get(count - 1).is_some_and(|is_match| *is_match)
    }

    /// Up to where the characters from `start` on, but for the first, are of one class.
    fn alike_until(&self, text: &[u8], start: usize) -> usize {
        let next =
            |at: usize| text[at..].first().map(|_| decode_at(text, at)).filter(|(_, length)| at + length <= text.len());
        let Some((first, length)) = next(start) else { return start };
        let first = self.classes.class(first);
        // A letter in front is no lead but part of the word, and rules that mind upper case may part it there.
        let (mut at, mut class) = (start + length, Some(first).filter(|first| first & (LETTER | MARK) != 0));
        while let Some((character, length)) = next(at) {
            let this = self.classes.class(character);
            if *class.get_or_insert(this) != this {
                break;
            }
            at += length;
        }
        at
    }

    /// Where the run of white space, or of digits under a rule, begins with which a prefix ends. None begins before the pretokens do.
    fn run_start(&self, text: &[u8], end: usize) -> usize {
        let (mut start, mut wanted) = (end, WHITE);
        let character = |end: usize| {
            let first = end.saturating_sub(LONGEST_CHARACTER).max(self.ends[0].0);
            (first..end).rev().find(|&at| text[at] & 0xC0 != 0x80)
        };
        while let Some(at) = character(start) {
            let class = self.classes.class(decode_at(text, at).0);
            if start == end && self.has_digits && class & NUMBER != 0 {
                wanted = NUMBER;
            }
            if class & wanted == 0 {
                break;
            }
            start = at;
        }
        start
    }
}
