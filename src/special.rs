//! Splits text into ordinary stretches and allowed special tokens, nothing else. Where several special tokens
//! begin at the same byte, the longest counts.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::error::{Error, Result};
use crate::ids::{MAX_TOKEN_ID, TokenId};
use crate::threads::{STEP, Steps};

/// The special tokens of a tokenizer.
#[derive(Clone, Debug, Default)]
pub struct Specials {
    /// In the order given.
    tokens: Vec<(String, TokenId)>,
    /// Indices into `tokens`, in the order of their texts.
    sorted: Vec<usize>,
    /// Where in `sorted` the longest other text stands with which the one at the same place begins.
    shorter: Vec<Option<usize>>,
    longest: usize,
    /// One bit for each two bytes with which one, and whatever follows it, may begin.
    begins_with: Vec<u64>,
    /// Which bytes begin one.
    begins: Vec<bool>,
    first_bytes: Vec<u8>,
}

/// Which special tokens a call allows (or forbids).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every one.
    All,
    /// None.
    None,
    /// By index.
    Some(Vec<bool>),
}

impl Choice {
    /// Whether special token number `index` is in.
    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(flags) => flags.get(index).copied().unwrap_or(false),
        }
    }

    /// Every one that is not in `other`.
    #[must_use]
    pub fn all_but(other: &Self, count: usize) -> Self {
        match other {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Some(flags) => Self::Some((0..count).map(|i| !flags.get(i).copied().unwrap_or(false)).collect()),
        }
    }
}

/// A special token found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its number among the special tokens.
    pub index: usize,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A stretch without special tokens, maybe empty.
    Ordinary(Range<usize>),
    /// A special token.
    Special(Found),
}

impl Specials {
    /// Checks and keeps the tokens.
    ///
    /// # Errors
    /// An empty text, a text or an id given twice, an id above the limit.
    pub fn new(tokens: Vec<(String, TokenId)>) -> Result<Self> {
        let mut begins = vec![false; 256];
        let (mut texts, mut ids) = (HashSet::with_capacity(tokens.len()), HashMap::with_capacity(tokens.len()));
        for (text, id) in &tokens {
            let Some(&first) = text.as_bytes().first() else {
                return Err(Error::BadSpecials(
                    "a special token has no text; give it at least one character".to_owned(),
                ));
            };
            begins[usize::from(first)] = true;
            if *id > MAX_TOKEN_ID {
                return Err(Error::IdTooLarge(u64::from(*id)));
            }
            if !texts.insert(text.as_str()) {
                return Err(Error::BadSpecials(format!("special token {text:?} is given twice; give it once")));
            }
            if let Some(other) = ids.insert(*id, text) {
                return Err(Error::BadSpecials(format!(
                    "special tokens {other:?} and {text:?} share the id {id}; give each its own"
                )));
            }
        }
        let mut sorted: Vec<usize> = (0..tokens.len()).collect();
        sorted.sort_unstable_by(|&a, &b| tokens[a].0.cmp(&tokens[b].0));
        let shorter = shorter(&tokens, &sorted);
        let longest = tokens.iter().map(|token| token.0.len()).max().unwrap_or(0);
        let begins_with = begins_with(&tokens);
        let first_bytes = (0..=255u8).filter(|&b| begins[usize::from(b)]).collect();
        Ok(Self { tokens, sorted, shorter, longest, begins_with, begins, first_bytes })
    }

    /// `(text, id)` in the order given.
    #[must_use]
    pub fn tokens(&self) -> &[(String, TokenId)] {
        &self.tokens
    }

    /// Length of the longest text in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The choice that names exactly these texts.
    ///
    /// # Errors
    /// A text that is no special token.
    pub fn choose<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Choice> {
        let mut flags = vec![false; self.tokens.len()];
        for name in names {
            let found = self.sorted.binary_search_by(|&i| self.tokens[i].0.as_str().cmp(name));
            let place = found.map_err(|_| Error::UnknownSpecial {
                token: name.to_owned(),
                known: self.tokens.iter().map(|t| t.0.clone()).collect(),
            })?;
            flags[self.sorted[place]] = true;
        }
        Ok(if flags.iter().any(|&f| f) { Choice::Some(flags) } else { Choice::None })
    }

    /// The first special token of `choice` that starts at or after `from`.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize, choice: &Choice) -> Option<Found> {
        if self.tokens.is_empty() || *choice == Choice::None {
            return None;
        }
        let mut at = from;
        loop {
            at += self.next_candidate(text.get(at..)?)?;
            if let Some(index) = self.longest_at(&text[at..], choice) {
                return Some(Found { start: at, end: at + self.tokens[index].0.len(), index });
            }
            at += 1;
        }
    }

    /// The parts of a text in order: stretches, with a special token of `choice` between each two.
    #[inline]
    pub fn parts<'a>(&'a self, text: &'a [u8], choice: &'a Choice) -> impl Iterator<Item = Part> + 'a {
        // Where the next stretch begins, if there is one, and the special token that comes before.
        let (mut next, mut before) = (Some(0), None);
        std::iter::from_fn(move || {
            if let Some(special) = before.take() {
                return Some(Part::Special(special));
            }
            let start = next?;
            before = self.find(text, start, choice);
            next = before.map(|special| special.end);
            Some(Part::Ordinary(start..before.map_or(text.len(), |special| special.start)))
        })
    }

    /// The longest token of `choice` with which `rest` begins.
    ///
    /// Every text that sorts between one with which `rest` begins and `rest` itself begins with that one too. So the last
    /// that does not sort behind `rest` begins with all that are looked for, the longest first.
    fn longest_at(&self, rest: &[u8], choice: &Choice) -> Option<usize> {
        if let [first, second, ..] = *rest
            && !has_bit(&self.begins_with, two_bytes(first, second))
        {
            return None;
        }
        let text = |place: usize| self.tokens[self.sorted[place]].0.as_bytes();
        let mut place = self.sorted.partition_point(|&i| self.tokens[i].0.as_bytes() <= rest).checked_sub(1)?;
        let common = common(text(place), rest);
        loop {
            if text(place).len() <= common && choice.has(self.sorted[place]) {
                return Some(self.sorted[place]);
            }
            place = self.shorter[place]?;
        }
    }

    fn next_candidate(&self, text: &[u8]) -> Option<usize> {
        match *self.first_bytes.as_slice() {
            [one] => memchr::memchr(one, text),
            [one, two] => memchr::memchr2(one, two, text),
            [one, two, three] => memchr::memchr3(one, two, three, text),
            _ => text.iter().position(|&b| self.begins[usize::from(b)]),
        }
    }

    /// Refuses a text that spells a special token of `forbidden`.
    ///
    /// # Errors
    /// The first such token and its place.
    pub fn refuse(&self, text: &[u8], forbidden: &Choice) -> Result<()> {
        self.refuse_in_steps(text, forbidden, &mut Steps::default())
    }

    /// The same for texts of any length: asks now and then whether to go on.
    ///
    /// # Errors
    /// As there, and that of `steps`.
    pub fn refuse_in_steps(&self, text: &[u8], forbidden: &Choice, steps: &mut Steps<'_>) -> Result<()> {
        if self.tokens.is_empty() || *forbidden == Choice::None {
            return Ok(());
        }
        let step = STEP.max(self.longest);
        for start in (0..text.len()).step_by(step) {
            // What begins in this step may end behind it; what begins behind it may be cut off here, and is for the next.
            let behind = start + step;
            let visible = &text[..(behind + self.longest).min(text.len())];
            if let Some(Found { start: position, index, .. }) = self.find(visible, start, forbidden)
                && position < behind
            {
                return Err(Error::SpecialInText { token: self.tokens[index].0.clone(), position });
            }
            steps.take(step)?;
        }
        Ok(())
    }
}

/// Bytes that two texts begin with alike; many at once, since a special token may be long and all but its last byte be there.
fn common(one: &[u8], other: &[u8]) -> usize {
    const AT_ONCE: usize = 64;
    let steps =
        one.chunks_exact(AT_ONCE).zip(other.chunks_exact(AT_ONCE)).take_while(|(one, other)| one == other).count();
    let alike = AT_ONCE * steps;
    alike + one[alike..].iter().zip(&other[alike..]).take_while(|(one, other)| one == other).count()
}

/// For each text, in order, the place of the longest other with which it begins: of those open where the text stands, the last.
fn shorter(tokens: &[(String, TokenId)], sorted: &[usize]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut shorter = Vec::with_capacity(sorted.len());
    for (place, &index) in sorted.iter().enumerate() {
        while open.last().is_some_and(|&last| !tokens[index].0.starts_with(&tokens[sorted[last]].0)) {
            open.pop();
        }
        shorter.push(open.last().copied());
        open.push(place);
    }
    shorter
}

/// The bits of the first two bytes of each token; behind a token of one byte may come any.
fn begins_with(tokens: &[(String, TokenId)]) -> Vec<u64> {
    let mut bits = vec![0; if tokens.is_empty() { 0 } else { (1 << 16) / 64 }];
    for (text, _) in tokens {
        let mut set = |place: usize| bits[place / 64] |= 1u64 << (place % 64);
        match *text.as_bytes() {
            [first, second, ..] => set(two_bytes(first, second)),
            [first] => (0..=255).for_each(|second| set(two_bytes(first, second))),
            [] => {}
        }
    }
    bits
}

fn two_bytes(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn has_bit(bits: &[u64], place: usize) -> bool {
    bits[place / 64] >> (place % 64) & 1 == 1
}
