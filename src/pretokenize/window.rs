//! Every pretoken start of a 64-byte window at once, by bit algebra on class masks. A window always begins where a
//! pretoken begins, so no state crosses windows; what a window cannot decide (the pretoken at its end, characters outside
//! the common blocks, a few rare shapes) is left to `scanner`, which reads it character by character.
//!
//! Shifting a mask left by one gives the bytes behind its members; adding to a run of ones carries to its end.

use super::block::{BLOCK, HighMasks, Masks};
use super::classes::{ClassTable, LETTER, MARK, NUMBER, UNCASED, UPPER, WHITE};
use super::patterns::{Contractions, Rules, Tail, Words};
use super::scanner::{contraction_end, decode};

/// Bytes with which a window may begin where words may be long: ASCII, bytes inside a character, and those that lead to a block
/// of characters that [`Letters::add_high`] knows.
pub static MAY_BE_KNOWN: [bool; 256] = {
    let mut known = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        known[byte] = matches!(byte, 0x00..=0xBF | 0xC3..=0xC9 | 0xD0 | 0xD1 | 0xE2 | 0xE4..=0xE9 | 0xEB | 0xEC);
        byte += 1;
    }
    known
};

/// Which bytes of a window belong to letters, of which case, and to punctuation beyond ASCII.
pub struct Letters {
    letter: u64,
    upper: u64,
    /// Letters without case.
    uncased: u64,
    /// First bytes of the characters beyond ASCII that are neither letters nor numbers nor white, by how many bytes follow: one,
    /// two, three.
    signs: [u64; 3],
    /// Bytes of characters that only the slow way knows.
    unknown: u64,
}

impl Letters {
    /// What the ASCII masks say; all other bytes are unknown.
    #[inline(always)]
    #[must_use]
    pub fn ascii(masks: &Masks) -> Self {
        Self { letter: masks.letter, upper: masks.upper, uncased: 0, signs: [0; 3], unknown: masks.high }
    }

    /// Adds the common blocks beyond ASCII in which nearly all characters are letters; case matters only to some
    /// rules. A character that the window cuts off after its first byte stays unknown where its second decides.
    #[inline(always)]
    pub fn add_high(&mut self, rules: Rules, high: u64, bytes: &HighMasks) {
        let second = |mask: u64| mask >> 1;
        let two = |lead: u64| lead | lead << 1;
        let three = |lead: u64| lead | lead << 1 | lead << 2;
        // A lead in the last byte has no second byte here to look at.
        let whole = u64::MAX >> 1;
        let c3 = bytes.c3 & whole & !second(bytes.is_sign);
        let c3_upper = c3 & second(bytes.from_80) & !second(bytes.is_9f);
        let d0_upper = bytes.d0 & whole & second(bytes.from_80 | bytes.from_a0);
        let uncased = bytes.uncased | bytes.e4 & whole & second(bytes.from_b8);
        let mut cased = c3 | bytes.d0 & whole | bytes.d1 & whole & second(bytes.from_80);
        if rules.words != Words::Cased {
            cased |= bytes.latin | bytes.d0 | bytes.d1;
        }
        self.upper |= two(c3_upper | d0_upper);
        self.uncased = three(uncased);
        self.letter |= two(cased) | self.uncased;
        // Quotation marks, dashes and the like, U+2010 to U+2027.
        let signs = bytes.e2 & second(bytes.is_80) & bytes.from_90_to_a7 >> 2;
        self.signs[1] = signs;
        self.unknown = high & !(two(cased) | self.uncased | three(signs));
    }

    /// Adds the other characters one by one, up to the first that is cut off or that a window cannot deal with: numbers and
    /// white space beyond ASCII, and marks where rules take them for letters, unless they follow one. `leads` are the first
    /// bytes of characters: told by what was just read, each would wait for the one before.
    #[inline(never)]
    pub fn add_rest(&mut self, rules: Rules, classes: &ClassTable, block: &[u8; BLOCK], leads: u64) {
        let mut leads = self.unknown & leads;
        while leads != 0 {
            let at = leads.trailing_zeros() as usize;
            if !self.add(rules, classes, block, at) {
                self.unknown &= u64::MAX << at;
                return;
            }
            leads &= leads - 1;
        }
        self.unknown = 0;
    }

    /// Adds the character at `at`, if it is one that a window can deal with.
    #[inline(always)]
    fn add(&mut self, rules: Rules, classes: &ClassTable, block: &[u8; BLOCK], at: usize) -> bool {
        let Some(bytes) = block[at..].first_chunk::<4>() else { return false };
        let (code_point, length) = decode(*bytes);
        let all = low_bits(length) << at;
        match classes.class(code_point) {
            class if class & (NUMBER | WHITE) != 0 => return false,
            class if class & LETTER != 0 => {
                self.letter |= all;
                self.upper |= if class & UPPER != 0 { all } else { 0 };
                self.uncased |= if class & UNCASED != 0 { all } else { 0 };
            }
            class if class & MARK != 0 && rules.words == Words::Cased => {
                if self.letter << 1 >> at & 1 == 0 {
                    return false;
                }
                self.letter |= all;
                self.uncased |= all;
            }
            _ => self.signs[length - 2] |= 1 << at,
        }
        true
    }
}

/// Pretoken starts after the first in a window that itself begins with a start. `limit` bytes are text. Only
/// starts that no byte outside the window can change are given.
#[inline(always)]
#[must_use]
pub fn window_starts(rules: &Rules, masks: &Masks, letters: &Letters, limit: usize, text: &[u8]) -> u64 {
    let limit = limit.min(letters.unknown.trailing_zeros() as usize);
    if limit == 0 {
        return 0;
    }
    let known = low_bits(limit);
    let (letter, digit) = (letters.letter & known, masks.digit & known);
    let (white, newline, space) = (masks.white & known, masks.newline & known, masks.space & known);
    let other = known & !(letter | digit | white);
    let after = |bits: u64| bits << 1;

    // Starts are decided below this position. White space at the edge may go on, so only its first is known.
    let edge_white = (white << (BLOCK - limit)).leading_ones() as usize;
    let mut safe = low_bits(limit - edge_white + usize::from(edge_white != 0));

    let alone = other & !after(other) & !after(space);
    // Where a character of punctuation that stands alone ends.
    let [two, three, four] = letters.signs.map(|signs| alone & signs);
    let alone_end = alone & !(two | three | four) | two << 1 | three << 2 | four << 3;
    let (leads, joins_other) = match rules.words {
        Words::AfterSpace => (space, 0),
        Words::AfterAny | Words::Cased => (white & !newline, alone_end),
    };
    let mut starts = letter & !after(letter | leads | joins_other);
    if rules.words == Words::Cased {
        let upper = letters.upper & known;
        starts |= upper & after(letter & !upper & !letters.uncased);
        // Whether upper case begins a word after letters without case depends on what follows.
        safe &= below_lowest(upper & after(letters.uncased));
    }
    starts |= alone | digit_starts(rules.digits, digit, space);

    let (among_white, decided) = white_starts(rules, white, newline, other, masks.slash & known);
    starts |= among_white;
    safe &= decided;

    if rules.contractions == Contractions::WithWord {
        // An apostrophe at the edge may still turn out to belong to the word before it.
        safe &= !(masks.quote & 1 << (limit - 1));
    }
    let quotes = masks.quote & known & (letter >> 1);
    if quotes != 0 {
        starts = contraction_starts(*rules, quotes, starts, letter, text);
    }
    starts & safe & !1
}

/// Starts among white space, behind what punctuation takes of it; and the positions up to which all starts are decided.
#[inline(always)]
fn white_starts(rules: &Rules, white: u64, newline: u64, other: u64, slash: u64) -> (u64, u64) {
    let after = |bits: u64| bits << 1;
    let mut decided = u64::MAX;
    let eaten = match rules.tail {
        Tail::None => 0,
        Tail::Newlines => run_from(newline, newline & after(other)),
        Tail::NewlinesSlashes => {
            let tail = newline | slash;
            let eaten = run_from(tail, newline & after(other));
            // A slash behind an eaten newline changes what the rest of the run is: rare, left to the slow way.
            decided &= below_lowest(eaten & !newline);
            eaten & newline
        }
    };
    let white = white & !eaten;
    let mut starts = white & !after(white);
    let gap = if rules.lines {
        let gap = white & !newline;
        let after_line = gap & after(newline & white);
        // Blanks after one newline and before another end in the middle of a longer pretoken: rare as well.
        if (gap.wrapping_add(after_line) & !gap & newline) != 0 {
            decided &= below_lowest(after_line);
        }
        starts |= after_line;
        gap
    } else {
        white
    };
    (starts | gap & !(white >> 1), decided)
}

/// Starts among digits: a run is cut after every `longest` digits.
#[inline(always)]
fn digit_starts(longest: u8, digit: u64, space: u64) -> u64 {
    let first = digit & !(digit << 1);
    match longest {
        0 => first & !(space << 1),
        1 => digit,
        _ => {
            // Positions with three digits before them in the same run.
            let longer = digit & (digit << 1) & (digit << 2) & (digit << 3);
            let (mut starts, mut newest) = (first, first);
            while newest != 0 {
                newest = (newest << 3) & longer;
                starts |= newest;
            }
            starts
        }
    }
}

/// Corrects the starts around each apostrophe of `quotes`, which all stand before a letter.
#[inline]
fn contraction_starts(rules: Rules, mut quotes: u64, mut starts: u64, letter: u64, text: &[u8]) -> u64 {
    let mut previous_end = 0;
    // The window begins with a start, which `starts` need not show.
    let is_start = |starts: u64, at: usize| at == 0 || starts >> at & 1 == 1;
    while quotes != 0 {
        let at = quotes.trailing_zeros() as usize;
        quotes &= quotes - 1;
        let (applies, any_case) = match rules.contractions {
            Contractions::Own { any_case } => (is_start(starts, at), any_case),
            Contractions::WithWord => (at > previous_end && letter << 1 >> at & 1 == 1, true),
        };
        let Some(end) = contraction_end(text, at, any_case).filter(|_| applies) else { continue };
        previous_end = end;
        // No start inside the contraction; with a word, none at its apostrophe either.
        let inside = low_bits(end.min(BLOCK)) & !low_bits(at + 1);
        starts &= !inside;
        if rules.contractions == Contractions::WithWord {
            starts &= !(1 << at);
        }
        if end < BLOCK {
            starts |= letter & 1 << end;
        }
    }
    starts
}

/// The first `count` bits, up to 64.
#[inline(always)]
fn low_bits(count: usize) -> u64 {
    if count >= BLOCK { u64::MAX } else { (1 << count) - 1 }
}

/// All bits below the lowest set one; every bit where none is set.
#[inline(always)]
fn below_lowest(bits: u64) -> u64 {
    (bits & bits.wrapping_neg()).wrapping_sub(1)
}

/// The runs of `bits` that begin at `first`, whose bits are each the first of a run: an addition carries
/// through the whole run and clears it.
#[inline(always)]
fn run_from(bits: u64, first: u64) -> u64 {
    bits & !bits.wrapping_add(first)
}
