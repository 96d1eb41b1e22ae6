//! The UTF-8 automaton: which bytes may follow, where a text may end, and how raw bytes fall into valid
//! stretches and invalid runs. Counting, encoding, streaming and generation masks all use it.
//!
//! Table 3-7 of the Unicode standard: after E0 only A0..BF may follow, after ED only 80..9F, after F0
//! only 90..BF, after F4 only 80..8F; elsewhere a continuation byte is 80..BF.

/// What the bytes so far demand of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Between characters: a text may end here.
    Boundary = 0,
    /// One continuation byte is missing.
    One = 1,
    /// Two are missing.
    Two = 2,
    /// Three are missing.
    Three = 3,
    /// After E0.
    AfterE0 = 4,
    /// After ED.
    AfterEd = 5,
    /// After F0.
    AfterF0 = 6,
    /// After F4.
    AfterF4 = 7,
    /// No text continues from here.
    Invalid = 8,
}

impl State {
    /// Every state, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Boundary,
        Self::One,
        Self::Two,
        Self::Three,
        Self::AfterE0,
        Self::AfterEd,
        Self::AfterF0,
        Self::AfterF4,
        Self::Invalid,
    ];

    /// The state after one more byte.
    #[must_use]
    pub fn advance(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Boundary, 0x00..=0x7F) | (Self::One, 0x80..=0xBF) => Self::Boundary,
            (Self::Boundary, 0xC2..=0xDF)
            | (Self::Two, 0x80..=0xBF)
            | (Self::AfterE0, 0xA0..=0xBF)
            | (Self::AfterEd, 0x80..=0x9F) => Self::One,
            (Self::Boundary, 0xE0) => Self::AfterE0,
            (Self::Boundary, 0xED) => Self::AfterEd,
            (Self::Boundary, 0xE1..=0xEF)
            | (Self::Three, 0x80..=0xBF)
            | (Self::AfterF0, 0x90..=0xBF)
            | (Self::AfterF4, 0x80..=0x8F) => Self::Two,
            (Self::Boundary, 0xF0) => Self::AfterF0,
            (Self::Boundary, 0xF4) => Self::AfterF4,
            (Self::Boundary, 0xF1..=0xF3) => Self::Three,
            _ => Self::Invalid,
        }
    }

    /// The state after several bytes.
    #[must_use]
    pub fn advance_all(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |state, &byte| state.advance(byte))
    }
}

/// Most bytes of a character.
const LONGEST_CHARACTER: usize = 4;

/// Text as it came in: `str` is known to be valid, bytes are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Valid UTF-8.
    Valid(&'a str),
    /// Any bytes.
    Raw(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Valid(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    /// The same, known to be valid if it is: one pass in vectors, several GB/s in every script.
    #[must_use]
    pub fn checked(self) -> Self {
        match self {
            Self::Raw(bytes) => valid(bytes).map_or(self, Self::Valid),
            Self::Valid(_) => self,
        }
    }

    /// Whether its bytes `start..end`, a pretoken, are valid.
    #[inline]
    #[must_use]
    pub fn is_valid(self, start: usize, end: usize) -> bool {
        match self {
            Self::Raw(bytes) => std::str::from_utf8(&bytes[start..end]).is_ok(),
            Self::Valid(_) => true,
        }
    }

    /// Whether no character has bytes on both sides of `at`. A stray byte `10xxxxxx` is in none.
    #[must_use]
    pub fn is_boundary(self, at: usize) -> bool {
        let bytes = match self {
            Self::Valid(text) => return text.is_char_boundary(at),
            Self::Raw(bytes) => bytes,
        };
        let is_inside = |back: usize| {
            let Some(start) = at.checked_sub(back) else { return false };
            let (_, length) = decode_at(bytes, start);
            length > back && bytes.get(start..start + length).is_some_and(|all| std::str::from_utf8(all).is_ok())
        };
        bytes.get(at).is_none_or(|byte| byte & 0xC0 != 0x80) || !(1..LONGEST_CHARACTER).any(is_inside)
    }

    /// Part of it, cut at characters where it is valid.
    #[must_use]
    pub fn slice(self, range: std::ops::Range<usize>) -> Self {
        match self {
            Self::Valid(text) => text.get(range.clone()).map_or(Self::Raw(&text.as_bytes()[range]), Self::Valid),
            Self::Raw(bytes) => Self::Raw(&bytes[range]),
        }
    }
}

/// A stretch of raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// Valid UTF-8: a text of its own.
    Valid(&'a str),
    /// A maximal run without a valid character: one pretoken of its own.
    Invalid(&'a [u8]),
}

/// Calls `visit` with the valid stretches and invalid runs of a text, in order: `a\xFF\xFEb` gives `Valid("a")`,
/// `Invalid(FF FE)`, `Valid("b")`.
///
/// # Errors
/// The first error that `visit` returns.
pub fn stretches<'a, E>(text: Text<'a>, mut visit: impl FnMut(Stretch<'a>) -> Result<(), E>) -> Result<(), E> {
    let bytes = match text {
        Text::Valid("") => return Ok(()),
        Text::Valid(text) => return visit(Stretch::Valid(text)),
        Text::Raw(bytes) => bytes,
    };
    let (mut invalid_start, mut position) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        if !valid.is_empty() {
            if invalid_start < position {
                visit(Stretch::Invalid(&bytes[invalid_start..position]))?;
            }
            visit(Stretch::Valid(valid))?;
            invalid_start = position + valid.len();
        }
        position += valid.len() + chunk.invalid().len();
    }
    if invalid_start < position { visit(Stretch::Invalid(&bytes[invalid_start..])) } else { Ok(()) }
}

/// The text that `bytes` are, if they are valid UTF-8. The standard library's own check takes a tenth of a nanosecond a byte for
/// ASCII but nearly two for other scripts, a tenth of the time of encoding them.
///
/// # Errors
/// Bytes that are no text; where they are not is for others to find.
pub fn valid(bytes: &[u8]) -> Result<&str, simdutf8::basic::Utf8Error> {
    simdutf8::basic::from_utf8(bytes)
}

/// The character that starts at `at` and its length in bytes. `text` must be valid UTF-8 there; the result
/// for other bytes is some number, never a panic.
#[inline]
#[must_use]
pub fn decode_at(text: &[u8], at: usize) -> (u32, usize) {
    let byte = |i: usize| u32::from(text.get(at + i).copied().unwrap_or(0) & 0x3F);
    match text.get(at).copied().unwrap_or(0) {
        lead @ 0x00..=0x7F => (u32::from(lead), 1),
        lead @ 0x80..=0xDF => (u32::from(lead & 0x1F) << 6 | byte(1), 2),
        lead @ 0xE0..=0xEF => (u32::from(lead & 0x0F) << 12 | byte(1) << 6 | byte(2), 3),
        lead => (u32::from(lead & 0x07) << 18 | byte(1) << 12 | byte(2) << 6 | byte(3), 4),
    }
}
