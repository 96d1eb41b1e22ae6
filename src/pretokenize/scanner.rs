//! ONE fast scanner for all presets, driven by a small `Rules` value.
//!
//! Two ways forward that must agree. `Scanner::match_end` reads one pretoken, character by character: the rules
//! spelled out. `window_starts` finds every pretoken start of a 64-byte window at once with bit algebra on class
//! masks. A window always begins where a pretoken begins, so no state crosses windows; what a window cannot
//! decide (the pretoken at its end, characters outside the common blocks, a few rare shapes) goes the slow way.

use super::block::{BLOCK, HighMasks, Masks};
use super::classes::{ClassTable, LETTER, LOWER, MARK, NEWLINE, NUMBER, UNCASED, UPPER, WHITE};
use super::patterns::{Contractions, Rules, Tail, Words};
use crate::utf8::decode_at;

/// Most pretokens of one batch: what the encoder keeps for each (88 bytes) stays in the first-level cache.
pub const BATCH: usize = 256;

/// Ends of consecutive pretokens, as byte positions.
pub struct Ends {
    ends: [usize; BATCH],
    len: usize,
}

impl Default for Ends {
    fn default() -> Self {
        Self { ends: [0; BATCH], len: 0 }
    }
}

impl Ends {
    /// The ends found.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[usize] {
        &self.ends[..self.len]
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds one; the caller leaves when [`Ends::room`] is 0.
    #[inline]
    pub fn push(&mut self, end: usize) {
        self.ends[self.len] = end;
        self.len += 1;
    }

    /// How many more fit.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        BATCH - self.len
    }

    /// Adds `base + i` for every bit `i` of `bits`, which are at most 64.
    #[inline(always)]
    fn push_bits(&mut self, base: usize, mut bits: u64) {
        let count = bits.count_ones() as usize;
        let target = &mut self.ends[self.len..self.len + 64];
        let mut written = 0;
        // Eight at a time without asking whether the bit exists: one branch for most windows.
        while written < count {
            for slot in &mut target[written..written + 8] {
                *slot = base + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            written += 8;
        }
        self.len += count;
    }
}

/// The scanner of one pattern.
#[derive(Clone, Copy)]
pub struct Scanner {
    rules: Rules,
    classes: &'static ClassTable,
    run: fn(&Scanner, &[u8], usize, &mut Ends) -> usize,
}

impl Scanner {
    /// A scanner for `rules`, with the widest registers that this processor has.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self::with_level(rules, usize::MAX)
    }

    /// The same with at most `level`: 0 portable, 1 AVX2, 2 AVX-512. For tests that compare them.
    #[must_use]
    pub fn with_level(rules: Rules, level: usize) -> Self {
        let mut run: fn(&Self, &[u8], usize, &mut Ends) -> usize = run_portable;
        #[cfg(target_arch = "x86_64")]
        {
            if level >= 1 && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
                // SAFETY: the features that `run_avx2` needs were detected on the line above.
                run = |s, t, p, e| unsafe { run_avx2(s, t, p, e) };
            }
            if level >= 2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("bmi1")
            {
                // SAFETY: the features that `run_avx512` needs were detected on the lines above.
                run = |s, t, p, e| unsafe { run_avx512(s, t, p, e) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = level;
        Self { rules, classes: ClassTable::get(), run }
    }

    /// Adds the ends of the pretokens of `text` from `start` on until `ends` is nearly full or the text is over;
    /// returns where it stopped. `text` is valid UTF-8 and `start` the beginning of a pretoken.
    #[inline]
    pub fn scan(&self, text: &[u8], start: usize, ends: &mut Ends) -> usize {
        (self.run)(self, text, start, ends)
    }

    #[inline(always)]
    fn run(
        &self,
        text: &[u8],
        start: usize,
        ends: &mut Ends,
        classify: impl Fn(&[u8; BLOCK]) -> Masks,
        classify_high: impl Fn(&[u8; BLOCK], u64) -> HighMasks,
    ) -> usize {
        let mut at = start;
        while at < text.len() && ends.room() >= BLOCK + 8 {
            let next = text.get(at + 1).copied().unwrap_or_default();
            if MAY_BE_KNOWN[usize::from(text[at])] && MAY_BE_KNOWN[usize::from(next)] {
                let padding;
                let (block, limit) = match text[at..].first_chunk::<BLOCK>() {
                    Some(block) => (block, BLOCK),
                    None => {
                        padding = padded(&text[at..]);
                        (&padding, text.len() - at)
                    }
                };
                let masks = classify(block);
                let mut letters = Letters::ascii(&masks);
                if masks.high != 0 {
                    letters.add_high(self.rules, masks.high, &classify_high(block, masks.high));
                }
                let starts = window_starts(&self.rules, &masks, &letters, limit, &text[at..]);
                if starts != 0 {
                    ends.push_bits(at, starts);
                    at += 63 - starts.leading_zeros() as usize;
                    continue;
                }
            }
            at = self.match_end(text, at);
            ends.push(at);
        }
        at
    }

    /// Class and length of the character at `at`; nothing and 0 behind the end.
    #[inline(always)]
    fn class_at(&self, text: &[u8], at: usize) -> (u8, usize) {
        // Away from the end one load holds the whole character, whatever its length.
        if let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            let [a, b, c, d] = bytes.map(|byte| u32::from(byte & 0x3F));
            let (code_point, length) = match bytes[0] {
                lead @ 0x00..=0x7F => (u32::from(lead), 1),
                lead @ 0x80..=0xDF => (u32::from(lead & 0x1F) << 6 | b, 2),
                0xE0..=0xEF => ((a & 0x0F) << 12 | b << 6 | c, 3),
                _ => ((a & 0x07) << 18 | b << 12 | c << 6 | d, 4),
            };
            return (self.classes.class(code_point), length);
        }
        if at >= text.len() {
            return (0, 0);
        }
        let (code_point, length) = decode_at(text, at);
        (self.classes.class(code_point), length)
    }

    /// End of the run of characters with any bit of `wanted`, at most `most` of them.
    #[inline(always)]
    fn run_end(&self, text: &[u8], mut at: usize, wanted: u8, most: usize) -> usize {
        for _ in 0..most {
            let (class, length) = self.class_at(text, at);
            if class & wanted == 0 {
                break;
            }
            at += length;
        }
        at
    }

    /// End of the pretoken that starts at `at`.
    #[must_use]
    pub fn match_end(&self, text: &[u8], at: usize) -> usize {
        let (class, length) = self.class_at(text, at);
        if let Contractions::Own { any_case } = self.rules.contractions
            && let Some(end) = contraction_end(text, at, any_case)
        {
            return end;
        }
        if let Some(end) = self.word_end(text, at, class, length) {
            return end;
        }
        let is_space = text[at] == b' ';
        let (after, after_class) = if is_space { (at + 1, self.class_at(text, at + 1).0) } else { (at, class) };
        if self.rules.digits == 0 {
            if after_class & NUMBER != 0 {
                return self.run_end(text, after, NUMBER, usize::MAX);
            }
        } else if class & NUMBER != 0 {
            return self.run_end(text, at, NUMBER, usize::from(self.rules.digits));
        }
        if after < text.len() && after_class & (LETTER | NUMBER | WHITE) == 0 {
            return self.punctuation_end(text, after);
        }
        self.white_end(text, at)
    }

    fn word_end(&self, text: &[u8], at: usize, class: u8, length: usize) -> Option<usize> {
        match self.rules.words {
            Words::AfterSpace => {
                let first = if text[at] == b' ' { at + 1 } else { at };
                (self.class_at(text, first).0 & LETTER != 0).then(|| self.run_end(text, first, LETTER, usize::MAX))
            }
            Words::AfterAny => {
                let may_lead = class & (NEWLINE | LETTER | NUMBER) == 0;
                let first = if may_lead { at + length } else { at };
                (self.class_at(text, first).0 & LETTER != 0).then(|| self.run_end(text, first, LETTER, usize::MAX))
            }
            Words::Cased => {
                let may_lead = class & (NEWLINE | LETTER | NUMBER) == 0;
                let led = if may_lead { Some(at + length) } else { None };
                let firsts = [led, Some(at)];
                let forms = [Self::lower_word, Self::upper_word];
                let end = forms.iter().find_map(|form| firsts.iter().flatten().find_map(|&i| form(self, text, i)))?;
                Some(contraction_end(text, end, true).unwrap_or(end))
            }
        }
    }

    /// `[upper or both]*[lower or both]+`. The first run is greedy and gives back only what the second needs:
    /// with no lower case letter behind it, everything up to its last character that counts as both.
    fn lower_word(&self, text: &[u8], first: usize) -> Option<usize> {
        let (mut at, mut last_both) = (first, None);
        loop {
            let (class, length) = self.class_at(text, at);
            if class & LOWER != 0 {
                return Some(self.run_end(text, at, LOWER | UNCASED | MARK, usize::MAX));
            }
            if class & (UPPER | UNCASED | MARK) == 0 {
                return last_both;
            }
            at += length;
            if class & (UNCASED | MARK) != 0 {
                last_both = Some(at);
            }
        }
    }

    /// `[upper or both]+[lower or both]*`, tried only where `lower_word` failed: no lower case letter follows.
    fn upper_word(&self, text: &[u8], first: usize) -> Option<usize> {
        let end = self.run_end(text, first, UPPER | UNCASED | MARK, usize::MAX);
        (end > first).then_some(end)
    }

    fn punctuation_end(&self, text: &[u8], mut at: usize) -> usize {
        while at < text.len() {
            let (class, length) = self.class_at(text, at);
            if class & (LETTER | NUMBER | WHITE) != 0 {
                break;
            }
            at += length;
        }
        let is_tail = |byte: u8| match self.rules.tail {
            Tail::None => false,
            Tail::Newlines => byte == b'\r' || byte == b'\n',
            Tail::NewlinesSlashes => byte == b'\r' || byte == b'\n' || byte == b'/',
        };
        at + text[at..].iter().take_while(|&&b| is_tail(b)).count()
    }

    fn white_end(&self, text: &[u8], start: usize) -> usize {
        let (mut at, mut last_start, mut line_end) = (start, start, None);
        loop {
            let (class, length) = self.class_at(text, at);
            if class & WHITE == 0 {
                break;
            }
            last_start = at;
            at += length;
            if class & NEWLINE != 0 {
                line_end = Some(at);
            }
        }
        let at_text_end = at == text.len();
        if at_text_end && self.rules.whole_end {
            return at;
        }
        match line_end {
            Some(end) if self.rules.lines => end,
            _ if at_text_end || last_start == start => at,
            _ => last_start,
        }
    }
}

/// End of the contraction at `at`, apostrophe included. In either case, `s` has a third form, U+017F.
fn contraction_end(text: &[u8], at: usize, any_case: bool) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(b"'")?;
    let fold = |i: usize| rest.get(i).map_or(0, |&b| if any_case { b.to_ascii_lowercase() } else { b });
    match (fold(0), fold(1)) {
        (b's' | b'd' | b'm' | b't', _) => Some(at + 2),
        (b'l', b'l') | (b'v' | b'r', b'e') => Some(at + 3),
        (0xC5, 0xBF) if any_case => Some(at + 3),
        _ => None,
    }
}

fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// Bytes with which a window may begin: ASCII, bytes inside a character, and those that lead to a block of characters
/// that [`Letters::add_high`] knows. A window that begins otherwise would be given up at once.
static MAY_BE_KNOWN: [bool; 256] = {
    let mut known = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        known[byte] = matches!(byte, 0x00..=0xBF | 0xC3..=0xC9 | 0xD0 | 0xD1 | 0xE2 | 0xE4..=0xE9 | 0xEB | 0xEC);
        byte += 1;
    }
    known
};

/// Which bytes of a window belong to letters, of which case, and to punctuation beyond ASCII.
struct Letters {
    letter: u64,
    upper: u64,
    /// Letters without case.
    uncased: u64,
    /// First bytes of quotation marks, dashes and the like, U+2010 to U+2027: each has three bytes.
    marks: u64,
    /// Bytes of characters that only the slow way knows.
    unknown: u64,
}

impl Letters {
    #[inline(always)]
    fn ascii(masks: &Masks) -> Self {
        Self { letter: masks.letter, upper: masks.upper, uncased: 0, marks: 0, unknown: masks.high }
    }

    /// Adds the common blocks beyond ASCII in which nearly all characters are letters; case matters only to some
    /// rules. A character that the window cuts off after its first byte stays unknown where its second decides.
    #[inline(always)]
    fn add_high(&mut self, rules: Rules, high: u64, bytes: &HighMasks) {
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
        self.marks = bytes.e2 & second(bytes.is_80) & bytes.from_90_to_a7 >> 2;
        self.unknown = high & !(two(cased) | self.uncased | three(self.marks));
    }
}

/// Pretoken starts after the first in a window that itself begins with a start. `limit` bytes are text. Only
/// starts that no byte outside the window can change are given.
#[inline(always)]
fn window_starts(rules: &Rules, masks: &Masks, letters: &Letters, limit: usize, text: &[u8]) -> u64 {
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
    let mut safe = if edge_white == 0 { known } else { low_bits(limit - edge_white + 1) };

    let alone = other & !after(other) & !after(space);
    // Where a character of punctuation that stands alone ends.
    let alone_end = alone & !letters.marks | (alone & letters.marks) << 2;
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

    let eaten = match rules.tail {
        Tail::None => 0,
        Tail::Newlines => run_from(newline, newline & after(other)),
        Tail::NewlinesSlashes => {
            let tail = newline | (masks.slash & known);
            let eaten = run_from(tail, newline & after(other));
            // A slash behind an eaten newline changes what the rest of the run is: rare, left to the slow way.
            safe &= below_lowest(eaten & !newline);
            eaten & newline
        }
    };
    let white = white & !eaten;
    starts |= white & !after(white);
    let gap = if rules.lines {
        let gap = white & !newline;
        let after_line = gap & after(newline & white);
        // Blanks after one newline and before another end in the middle of a longer pretoken: rare as well.
        if (gap.wrapping_add(after_line) & !gap & newline) != 0 {
            safe &= below_lowest(after_line);
        }
        starts |= after_line;
        gap
    } else {
        white
    };
    starts |= gap & !(white >> 1);

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

fn run_portable(scanner: &Scanner, text: &[u8], start: usize, ends: &mut Ends) -> usize {
    scanner.run(text, start, ends, super::block::portable, super::block::portable_high)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2(scanner: &Scanner, text: &[u8], start: usize, ends: &mut Ends) -> usize {
    let high = |block: &[u8; BLOCK], high| super::block::x86::avx2_high(block, high);
    scanner.run(text, start, ends, |block| super::block::x86::avx2(block), high)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512(scanner: &Scanner, text: &[u8], start: usize, ends: &mut Ends) -> usize {
    let high = |block: &[u8; BLOCK], high| super::block::x86::avx512_high(block, high);
    scanner.run(text, start, ends, |block| super::block::x86::avx512(block), high)
}
