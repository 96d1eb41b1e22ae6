//! ONE fast scanner for all presets, driven by a small `Rules` value.
//!
//! Two ways forward that must agree. `Scanner::match_end` reads one pretoken, character by character: the rules
//! spelled out. `window` finds every pretoken start of 64 bytes at once where the text is common enough.

use super::block::{BLOCK, HighMasks, Masks};
use super::classes::{ClassTable, LETTER, LOWER, MARK, NEWLINE, NUMBER, UNCASED, UPPER, WHITE};
use super::ends::Ends;
use super::patterns::{Contractions, Rules, Tail, Words};
use super::window::{Letters, MAY_BE_KNOWN, window_starts};
use crate::memory::prefetch_at;
use crate::utf8::decode_at;

/// How far before it is read text is asked for, in bytes.
const TEXT_AHEAD: usize = 1024;
/// Bytes at the end of a text that are read character by character: that is faster than a window of which little is text.
const FEW: usize = 12;

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
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
        let mut run: fn(&Self, &[u8], usize, &mut Ends) -> usize = run_portable;
        #[cfg(target_arch = "x86_64")]
        {
            let counts_bits = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            if level >= 1 && counts_bits && is_x86_feature_detected!("avx2") {
                // SAFETY: the features that `run_avx2` needs were detected on the lines above.
                run = |s, t, p, e| unsafe { run_avx2(s, t, p, e) };
            }
            if level >= 2
                && counts_bits
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vbmi2")
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
        push: impl Fn(&mut Ends, usize, u64),
    ) -> usize {
        let mut at = start;
        while at < text.len() && !ends.are_nearly_full() {
            // What stands between two batches of text lets the processor forget that it is read in order.
            prefetch_at(text.as_ptr().wrapping_add(at + TEXT_AHEAD));
            // These rules do not part a word at its marks: words of other scripts are long, and one is read faster than a window.
            let next = text.get(at + 1).copied().unwrap_or_default();
            if self.rules.words == Words::Cased
                && !(MAY_BE_KNOWN[usize::from(text[at])] && MAY_BE_KNOWN[usize::from(next)])
            {
                at = self.match_end(text, at);
                ends.push(at);
                continue;
            }
            if text.len() - at < FEW {
                at = self.match_end(text, at);
                ends.push(at);
                continue;
            }
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
                let high = classify_high(block, masks.high);
                letters.add_high(self.rules, masks.high, &high);
                letters.add_rest(self.rules, self.classes, block, high.lead);
            }
            let starts = window_starts(&self.rules, &masks, &letters, limit, &text[at..]);
            if starts == 0 {
                at = self.match_end(text, at);
                ends.push(at);
            } else {
                push(ends, at, starts);
                at += 63 - starts.leading_zeros() as usize;
            }
        }
        at
    }

    /// Class and length of the character at `at`; nothing and 0 behind the end.
    #[inline(always)]
    fn class_at(&self, text: &[u8], at: usize) -> (u8, usize) {
        // Away from the end one load holds the whole character, whatever its length.
        if let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            let (code_point, length) = decode(*bytes);
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
#[must_use]
pub fn contraction_end(text: &[u8], at: usize, any_case: bool) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(b"'")?;
    let fold = |i: usize| rest.get(i).map_or(0, |&b| if any_case { b.to_ascii_lowercase() } else { b });
    match (fold(0), fold(1)) {
        (b's' | b'd' | b'm' | b't', _) => Some(at + 2),
        (b'l', b'l') | (b'v' | b'r', b'e') => Some(at + 3),
        (0xC5, 0xBF) if any_case => Some(at + 3),
        _ => None,
    }
}

/// The code point of valid UTF-8 that begins with `bytes`, and its length.
#[inline(always)]
#[must_use]
pub fn decode(bytes: [u8; 4]) -> (u32, usize) {
    let [a, b, c, d] = bytes.map(|byte| u32::from(byte & 0x3F));
    match bytes[0] {
        lead @ 0x00..=0x7F => (u32::from(lead), 1),
        lead @ 0x80..=0xDF => (u32::from(lead & 0x1F) << 6 | b, 2),
        0xE0..=0xEF => ((a & 0x0F) << 12 | b << 6 | c, 3),
        _ => ((a & 0x07) << 18 | b << 12 | c << 6 | d, 4),
    }
}

fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

fn run_portable(scanner: &Scanner, text: &[u8], start: usize, ends: &mut Ends) -> usize {
    scanner.run(text, start, ends, super::block::portable, super::block::portable_high, Ends::push_bits)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2(scanner: &Scanner, text: &[u8], start: usize, ends: &mut Ends) -> usize {
    let high = |block: &[u8; BLOCK], high| super::block::x86::avx2_high(block, high);
    scanner.run(text, start, ends, |block| super::block::x86::avx2(block), high, Ends::push_bits)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512(scanner: &Scanner, text: &[u8], start: usize, ends: &mut Ends) -> usize {
    let high = |block: &[u8; BLOCK], high| super::block::x86::avx512_high(block, high);
    scanner.run(
        text,
        start,
        ends,
        |block| super::block::x86::avx512(block),
        high,
        |ends, base, bits| ends.push_bits_avx512(base, bits),
    )
}
