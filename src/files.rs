//! Reads and writes our own file and rank files. `docs/format.md` specifies the first; both load in milliseconds.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::ids::{Pair, TokenId};
use crate::pretokenize::classes::UNICODE_VERSION;
use crate::tokenizer::{Parts, Tokenizer};
use crate::vocab::Vocabulary;

/// First bytes of our own file: not ASCII, not UTF-8, and broken by any conversion of line ends.
pub const MAGIC: &[u8; 8] = b"\x89BPETK\r\n";
/// The version this build writes, and the newest it reads.
pub const VERSION: u32 = 1;
const DIGEST: usize = 32;

/// The bytes of the `.bpetok` file.
#[must_use]
pub fn to_bytes(tokenizer: &Tokenizer) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put_u32(&mut out, VERSION as usize);
    put_body(&mut out, &tokenizer.parts());
    let digest = Sha256::digest(&out);
    out.extend_from_slice(&digest);
    out
}

/// SHA-256 of the body, in hex: two tokenizers with the same fingerprint give the same ids.
#[must_use]
pub fn fingerprint(tokenizer: &Tokenizer) -> String {
    let mut parts = tokenizer.parts();
    parts.specials.sort();
    let mut out = Vec::new();
    put_body(&mut out, &parts);
    Sha256::digest(&out).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Lengths and ids: 32 bits in the format, and no more, as `Vocabulary` has checked.
#[allow(clippy::cast_possible_truncation)]
fn put_u32(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u32).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_body(out: &mut Vec<u8>, parts: &Parts<'_>) {
    put_bytes(out, parts.pattern.as_bytes());
    put_bytes(out, parts.digits.as_bytes());
    put_bytes(out, parts.unicode_version.as_bytes());
    put_u32(out, parts.specials.len());
    for (text, id) in &parts.specials {
        put_u32(out, *id as usize);
        put_bytes(out, text.as_bytes());
    }
    put_u32(out, parts.vocabulary.len());
    for (id, _) in parts.vocabulary.iter() {
        put_u32(out, id as usize);
    }
    for (_, token) in parts.vocabulary.iter() {
        put_u32(out, token.len());
    }
    out.extend_from_slice(parts.vocabulary.flat().0);
    match &parts.merges {
        None => put_u32(out, 0),
        Some(pairs) => {
            put_u32(out, 1);
            put_u32(out, pairs.len());
            for pair in pairs {
                put_u32(out, pair.left as usize);
                put_u32(out, pair.right as usize);
            }
        }
    }
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// Anything else, and a file of a newer version.
pub fn from_bytes(data: &[u8]) -> Result<Tokenizer> {
    let bad = |reason: &str| Error::Format(format!("not a .bpetok file: {reason}"));
    let rest = data.strip_prefix(MAGIC).ok_or_else(|| bad("it does not begin with the .bpetok signature"))?;
    let mut reader = Reader { data: rest, at: 0 };
    let version = reader.number()?;
    if version == 0 {
        return Err(bad("there is no version 0 of it"));
    }
    if version > VERSION as usize {
        return Err(Error::Format(format!(
            "the .bpetok file has version {version}; this bpetok reads versions up to {VERSION}, so a newer bpetok is needed"
        )));
    }
    let Some(body_end) = data.len().checked_sub(DIGEST).filter(|&end| end >= MAGIC.len() + 4) else {
        return Err(bad("it ends too early"));
    };
    if Sha256::digest(&data[..body_end])[..] != data[body_end..] {
        return Err(bad("its checksum does not match, so it was cut off or changed after it was written"));
    }
    reader.data = &rest[..body_end - MAGIC.len()];
    Tokenizer::new(read_body(&mut reader)?)
}

fn read_body<'a>(reader: &mut Reader<'a>) -> Result<Parts<'a>> {
    let (pattern, digits, unicode_version) = (reader.text()?, reader.text()?, reader.text()?);
    let special_count = reader.count(8)?;
    let mut specials = Vec::with_capacity(special_count);
    for _ in 0..special_count {
        let id = reader.id()?;
        specials.push((reader.text()?.to_owned(), id));
    }
    let count = reader.count(8)?;
    let ids = reader.words(count)?;
    let lengths = reader.words(count)?.map(|length| length as usize);
    let texts = reader.take(lengths.clone().fold(0, usize::saturating_add))?;
    let vocabulary = Vocabulary::from_flat(texts.to_vec(), ids.zip(lengths))?;
    let merges = match reader.number()? {
        0 => None,
        1 => {
            let count = reader.count(8)?;
            let numbers: Vec<u32> = reader.words(count * 2)?.collect();
            Some(numbers.as_chunks::<2>().0.iter().map(|&[left, right]| Pair { left, right }).collect())
        }
        kind => return Err(Error::Format(format!("the .bpetok file names merge kind {kind}; 0 and 1 are known"))),
    };
    if reader.at != reader.data.len() {
        return Err(Error::Format("the .bpetok file has bytes after its last part".to_owned()));
    }
    Ok(Parts { vocabulary, merges, pattern, specials, digits, unicode_version })
}

/// Reads little-endian numbers and byte strings; every length is checked against what is there.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let left = self.data.len() - self.at;
        if length > left {
            return Err(Error::Format(format!(
                "the .bpetok file is cut off: {length} bytes wanted at byte {}, {left} there",
                self.at
            )));
        }
        self.at += length;
        Ok(&self.data[self.at - length..self.at])
    }

    fn words(&mut self, count: usize) -> Result<impl Iterator<Item = u32> + Clone + use<'a>> {
        Ok(self.take(count.saturating_mul(4))?.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)))
    }

    fn id(&mut self) -> Result<TokenId> {
        Ok(self.words(1)?.next().unwrap_or_default())
    }

    fn number(&mut self) -> Result<usize> {
        self.id().map(|n| n as usize)
    }

    /// A number of items of at least `size` bytes each: more than fit is refused before memory is asked for.
    fn count(&mut self, size: usize) -> Result<usize> {
        let count = self.number()?;
        let most = (self.data.len() - self.at) / size;
        if count > most {
            return Err(Error::Format(format!("the .bpetok file announces {count} items; at most {most} fit in it")));
        }
        Ok(count)
    }

    fn text(&mut self) -> Result<&'a str> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| Error::Format("the .bpetok file has a text that is not UTF-8".to_owned()))
    }
}

/// Reads a rank file: lines of `base64 rank`. The file holds neither pattern nor special tokens.
///
/// # Errors
/// A line that is not that, with its number; whatever makes no vocabulary.
pub fn from_tiktoken(data: &[u8], pattern: &str, specials: Vec<(String, TokenId)>) -> Result<Tokenizer> {
    let (mut flat, mut tokens) = (Vec::with_capacity(data.len()), Vec::with_capacity(data.len() / 12));
    let (mut rest, mut number) = (data, 0);
    while !rest.is_empty() {
        let before = flat.len();
        number += 1;
        let rank = match plain_line(rest, &mut flat) {
            Some((rank, behind)) => {
                rest = behind;
                Some(rank)
            }
            None => {
                flat.truncate(before);
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let line = &rest[..end];
                rest = rest.get(end + 1..).unwrap_or_default();
                any_line(line.strip_suffix(b"\r").unwrap_or(line), number, &mut flat)?
            }
        };
        tokens.extend(rank.map(|rank| (rank, flat.len() - before)));
    }
    let vocabulary = Vocabulary::from_flat(flat, tokens.into_iter())?;
    let (digits, unicode_version) = ("none", UNICODE_VERSION);
    Tokenizer::new(Parts { vocabulary, merges: None, pattern, specials, digits, unicode_version })
}

/// The line that `text` begins with, if it is one of those that nearly all are: whole groups of four digits, padded or not, a space, a
/// rank of up to nine digits and a line feed. The token goes to `flat`; returns the rank and what is behind the line.
#[inline]
fn plain_line<'a>(text: &'a [u8], flat: &mut Vec<u8>) -> Option<(TokenId, &'a [u8])> {
    let mut rest = text;
    while rest.first()? != &b' ' {
        let (group, behind) = rest.split_first_chunk::<4>()?;
        let values = group.map(|byte| BASE64_VALUES[usize::from(byte)]);
        let padding = usize::from(group[3] == b'=') + usize::from(group[2..] == *b"==");
        let is_digit = |place: usize| values[place] < 64 || place + padding > 3;
        let word = values.iter().fold(0u32, |word, &value| word << 6 | u32::from(value & 63));
        let cut_off = word & ((1 << (8 * padding)) - 1);
        if !(0..4).all(is_digit) || cut_off != 0 || padding > 0 && behind.first() != Some(&b' ') {
            return None;
        }
        // Always three: a copy of just so many would be a call.
        let [_, bytes @ ..] = word.to_be_bytes();
        flat.extend_from_slice(&bytes);
        flat.truncate(flat.len() - padding);
        rest = behind;
    }
    let digits = &rest[1..rest.len().min(11)];
    let count = digits.iter().position(|&byte| byte == b'\n').filter(|&count| count > 0)?;
    let rank = digits[..count].iter().try_fold(0, |rank, byte| Some(rank * 10 + decimal_digit(*byte)?))?;
    (rest.len() < text.len()).then_some((rank, &rest[count + 2..]))
}

/// The rank of a line of a rank file, `None` for an empty one; the token goes to `flat`.
fn any_line(line: &[u8], number: usize, flat: &mut Vec<u8>) -> Result<Option<TokenId>> {
    if line.is_empty() {
        return Ok(None);
    }
    let bad = |what: &str| {
        let shown: String = String::from_utf8_lossy(line).chars().take(40).collect();
        Error::Format(format!("line {number} of the rank file: {what} in {shown:?}; each line is `base64 rank`"))
    };
    let gap = memchr::memchr(b' ', line).ok_or_else(|| bad("no space"))?;
    base64(&line[..gap], flat).ok_or_else(|| bad("bad base64"))?;
    decimal(&line[gap + 1..]).map(Some).ok_or_else(|| bad("bad rank"))
}

/// Writes the ranks of a tokenizer, and only those: neither pattern nor special tokens fit the format.
///
/// # Errors
/// A digit rule, which a reader of the file could not be told.
pub fn to_tiktoken(tokenizer: &Tokenizer) -> Result<Vec<u8>> {
    if tokenizer.digits() != "none" {
        return Err(Error::Format(format!(
            "the tokenizer has digits={:?}, which a rank file and its readers do not know; save as .bpetok or tokenizer.json",
            tokenizer.digits()
        )));
    }
    let mut out = Vec::new();
    for (id, token) in tokenizer.vocabulary().iter() {
        put_base64(token, &mut out);
        out.extend_from_slice(format!(" {id}\n").as_bytes());
    }
    Ok(out)
}

fn decimal(digits: &[u8]) -> Option<u32> {
    let first = digits.first()?;
    first.is_ascii_digit().then_some(())?;
    digits.iter().try_fold(0u32, |number, byte| number.checked_mul(10)?.checked_add(decimal_digit(*byte)?))
}

#[inline]
fn decimal_digit(byte: u8) -> Option<u32> {
    byte.checked_sub(b'0').filter(|&digit| digit <= 9).map(u32::from)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 64 for every byte that is no digit of base64.
const BASE64_VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let mut digit = 0u8;
    while digit < 64 {
        values[BASE64[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
};

/// Appends the bytes that `text` encodes (RFC 4648, padded).
fn base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|&&b| b == b'=').count();
    for (i, group) in text.as_chunks::<4>().0.iter().enumerate() {
        let is_last = (i + 1) * 4 == text.len();
        let digits = if is_last { 4 - padding } else { 4 };
        let mut word = 0u32;
        for (place, &byte) in group.iter().enumerate() {
            let value = if place < digits { BASE64_VALUES[usize::from(byte)] } else { 0 };
            if value == 64 {
                return None;
            }
            word = word << 6 | u32::from(value);
        }
        let [_, first, second, third] = word.to_be_bytes();
        out.extend_from_slice(&[first, second, third][..digits - 1]);
        // Bits that the padding cuts off must be zero, or two texts would mean the same bytes.
        if is_last && word & ((1 << (8 * padding)) - 1) != 0 {
            return None;
        }
    }
    Some(())
}

fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, &b| word << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place) & 0x3F) as usize;
            out.push(if place <= group.len() { BASE64[digit] } else { b'=' });
        }
    }
}
