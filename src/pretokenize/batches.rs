//! The pretokens of a whole text, many at a time: what the pattern finds in each valid stretch, groups of digits, and runs that are
//! not UTF-8, one behind another in the same batch, however short they are.

use std::time::Instant;

use super::classes::{ClassTable, NUMBER};
use super::joined::{FILLER, Joined, Mark};
use super::regex::RegexCache;
use super::{Ends, Pretokenizer};
use crate::digits::Digits;
use crate::error::Result;
use crate::threads::{LATE, Steps};
use crate::utf8::{Stretch, Text, stretches};

/// Some consecutive pretokens of a text.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'a, 'e> {
    /// The text.
    pub text: Text<'a>,
    /// Where the first begins.
    pub start: usize,
    /// Where each ends.
    pub ends: &'e [usize],
    /// Numbers of those that are marks behind texts that were joined, and what for.
    pub marks: &'e [(usize, Mark)],
    /// Whether it may have taken long to find them.
    pub may_be_slow: bool,
}

impl Pieces<'_, '_> {
    /// Bytes of all of them.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ends.last().map_or(0, |end| end - self.start)
    }

    /// Notes that they come next.
    ///
    /// # Errors
    /// The work is to end.
    #[inline]
    pub fn tell(&self, steps: &mut Steps<'_>) -> Result<()> {
        if self.may_be_slow { steps.take_slowly(self.bytes()) } else { steps.take(self.bytes()) }
    }
}

/// The batch at hand.
struct Batch<'a, 'e, V> {
    text: Text<'a>,
    start: usize,
    ends: &'e mut Ends,
    visit: V,
    /// When the batch was begun, where the pattern may take long.
    begun: Option<Instant>,
}

impl<'a, V: FnMut(Pieces<'a, '_>) -> Result<()>> Batch<'a, '_, V> {
    fn hand_over(&mut self) -> Result<()> {
        if let Some(&end) = self.ends.as_slice().last() {
            let (ends, marks) = (self.ends.as_slice(), self.ends.marks());
            let may_be_slow = self.begun.is_some();
            (self.visit)(Pieces { text: self.text, start: self.start, ends, marks, may_be_slow })?;
            self.start = end;
            self.ends.clear();
            self.begun = self.begun.map(|_| Instant::now());
        }
        Ok(())
    }

    fn is_late(&self) -> bool {
        self.begun.is_some_and(|begun| begun.elapsed() > LATE)
    }

    fn make_room(&mut self) -> Result<()> {
        if self.ends.are_nearly_full() || self.is_late() { self.hand_over() } else { Ok(()) }
    }

    fn add(&mut self, end: usize) -> Result<()> {
        self.make_room()?;
        self.ends.push(end);
        Ok(())
    }

    /// Adds the pretokens of a text that is valid and begins at byte `at` of all.
    #[inline]
    fn add_text(&mut self, pretokenizer: &Pretokenizer, cache: &mut RegexCache, at: usize, text: &str) -> Result<()> {
        self.ends.count_from(at);
        match pretokenizer.digits {
            Digits::None => self.add_between(pretokenizer, cache, text),
            _ => self.add_around_digits(pretokenizer, cache, text),
        }
    }

    /// Adds the pattern's pretokens of a text that digits do not cut.
    #[inline]
    fn add_between(&mut self, pretokenizer: &Pretokenizer, cache: &mut RegexCache, text: &str) -> Result<()> {
        let mut at = 0;
        while at < text.len() {
            self.make_room()?;
            let first = self.ends.counted_from();
            at = pretokenizer.scan(cache, text, at, self.ends).map_err(|error| error.moved(first))?;
        }
        Ok(())
    }

    /// Adds groups of digits, and the pattern's pretokens of what stands between runs of them.
    fn add_around_digits(&mut self, pretokenizer: &Pretokenizer, cache: &mut RegexCache, text: &str) -> Result<()> {
        let classes = ClassTable::get();
        let is_number = |c: char| classes.class(u32::from(c)) & NUMBER != 0;
        let (first, mut rest) = (self.ends.counted_from(), text);
        while !rest.is_empty() {
            let (between, run) = rest.split_at(rest.find(is_number).unwrap_or(rest.len()));
            self.ends.count_from(first + text.len() - rest.len());
            self.add_between(pretokenizer, cache, between)?;
            let (run, after) = run.split_at(run.find(|c| !is_number(c)).unwrap_or(run.len()));
            self.ends.count_from(first + text.len() - after.len() - run.len());
            self.add_groups(pretokenizer.digits, run)?;
            rest = after;
        }
        Ok(())
    }

    fn add_groups(&mut self, digits: Digits, run: &str) -> Result<()> {
        let mut left = run.chars().count();
        let mut group = digits.group(left);
        for (at, digit) in run.char_indices() {
            group -= 1;
            left -= 1;
            if group == 0 {
                group = digits.group(left);
                self.add(at + digit.len_utf8())?;
            }
        }
        Ok(())
    }
}

impl Pretokenizer {
    /// Calls `visit` with every pretoken of `text` in order. A maximal run that is not UTF-8 is one of its own, and the pattern looks
    /// neither across it nor across digits that have a rule.
    ///
    /// # Errors
    /// The step limit of patterns that may backtrack, and the errors of `visit`.
    #[inline]
    pub fn batches<'a>(
        &self,
        cache: &mut RegexCache,
        ends: &mut Ends,
        text: Text<'a>,
        visit: impl FnMut(Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        ends.clear();
        let begun = self.may_be_slow().then(Instant::now);
        let mut batch = Batch { text: text.checked(), start: 0, ends, visit, begun };
        let mut at = 0;
        stretches(batch.text, |stretch| match stretch {
            Stretch::Invalid(run) => {
                batch.ends.count_from(at);
                at += run.len();
                batch.add(run.len())
            }
            Stretch::Valid(text) => {
                let start = at;
                at += text.len();
                batch.add_text(self, cache, start, text)
            }
        })?;
        batch.hand_over()
    }

    /// Calls `visit` with every pretoken of several texts in order, each a text of its own, and the mark behind each of them.
    ///
    /// # Errors
    /// As [`Pretokenizer::batches`].
    pub fn batches_joined<'a>(
        &self,
        cache: &mut RegexCache,
        ends: &mut Ends,
        joined: &'a Joined,
        visit: impl FnMut(Pieces<'a, '_>) -> Result<()>,
    ) -> Result<()> {
        ends.clear();
        let begun = self.may_be_slow().then(Instant::now);
        let mut batch = Batch { text: Text::Valid(joined.text()), start: 0, ends, visit, begun };
        for (start, text, mark) in joined.texts() {
            batch.add_text(self, cache, start, text)?;
            batch.make_room()?;
            batch.ends.count_from(start + text.len());
            batch.ends.push_mark(FILLER.len(), mark);
        }
        batch.hand_over()
    }
}
