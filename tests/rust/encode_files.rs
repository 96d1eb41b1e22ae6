//! Blocks of any size, read in any portions and encoded by any number of threads, give the ids of the whole text.

use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bpetok::batch::Options;
use bpetok::blocks::{Blocks, Cuts};
use bpetok::digits::Digits;
use bpetok::encode_files::{BLOCK, Input, Totals};
use bpetok::error::{Error, Result};
use bpetok::special::Choice;
use bpetok::tokenizer::Tokenizer;
use bpetok::utf8::Text;
use proptest::prelude::*;

use crate::tokenizer;

/// Gives a few bytes at a time, and now and then nothing because a signal came.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(5) {
            return Err(IoError::from(ErrorKind::Interrupted));
        }
        let count = (self.1 % 7 + 1).min(buffer.len()).min(self.0.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn reader<'a>(name: &str, text: &'a [u8]) -> Input<'a> {
    Input::Reader(PathBuf::from(name), Box::new(Drops(text, 0)))
}

fn ids_of(
    tokenizer: &Tokenizer,
    inputs: Vec<Input<'_>>,
    options: &Options<'_>,
    block: usize,
) -> Result<(Vec<u32>, Totals)> {
    let mut written = Vec::new();
    let output: (&mut dyn Write, &Path) = (&mut written, Path::new("ids.bin"));
    let totals = tokenizer.encode_files(inputs, output, options, block, &mut |_| Ok(()))?;
    Ok((written.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect(), totals))
}

fn whole(tokenizer: &Tokenizer, text: &[u8], allowed: &Choice) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.with_work(|work| tokenizer.encode_into(work, Text::Raw(text), allowed, &mut ids)).unwrap();
    ids
}

/// Overlapping special tokens, one with a place in it where the pretokenizer splits.
const SPECIALS: [(&str, u32); 4] = [("<|end|>", 400), ("d|>a", 401), ("the end.", 402), ("\u{e9} \u{e9}", 403)];

fn tokens() -> Vec<Vec<u8>> {
    vec![
        b"th".to_vec(),
        b" t".to_vec(),
        b" the".to_vec(),
        "\u{44b}".into(),
        b"\r\n".to_vec(),
        b"\xC3".to_vec(),
        b"12".to_vec(),
    ]
    .into_iter()
    .filter(|token| token.len() > 1)
    .collect()
}

const HOSTILE: [&[u8]; 16] = [
    b"",
    b"a",
    b"\xEF\xBB\xBFBOM, then the text",
    b"a\xEF\xBB\xBF b",
    b"the <|end|>a the end.the end. <|end <|end|><|end|>",
    b"\xC3\xA9 \xC3\xA9 \xC3\xA9\xC3 \xA9",
    b"a\xC3",
    b"ab \xE4\xB8 cd \xF0\x9F\x98 e\xF0\x9F\x98\x80f \xFF\xFE\xFD g\x80\x80\x80 h",
    b"it's I'LL don't 'tis o'\xC3\xA9",
    b"one\r\ntwo\r\n\r\n  three\n   \t four    ",
    b"1234567890 a12345b 3.14159 x1",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"                                                                            b ",
    "e\u{301}a\u{301} \u{93a}\u{93f}\u{928}\u{94d}\u{926}\u{940} \u{e1a}\u{e49}\u{e32}\u{e19}".as_bytes(),
    "\u{4e16}\u{754c}\u{3002}\u{4e2d}\u{6587}, \u{44b}\u{44b} \u{44b}!".as_bytes(),
    b"CamelCaseWORDSAndMore snake_case_words kebab-case a.b.c",
];

#[test]
fn blocks_and_threads_change_nothing() {
    for pattern in ["gpt2", "cl100k", "llama3", "o200k", r"\w+|\s+|[^\w\s]+"] {
        let tokenizer = tokenizer(pattern, &tokens(), &SPECIALS);
        let joined = HOSTILE.concat();
        for text in HOSTILE.into_iter().chain([joined.as_slice()]) {
            for allowed in [Choice::None, Choice::All] {
                let expected = whole(&tokenizer, text, &allowed);
                for threads in [1, 2, 8] {
                    let options = Options { allowed: &allowed, forbidden: &Choice::None, threads };
                    for block in [1, 2, 3, 5, 8, 13, 50, BLOCK] {
                        let (ids, totals) = ids_of(&tokenizer, vec![reader("t", text)], &options, block).unwrap();
                        assert_eq!(ids, expected, "{pattern}, {threads} threads, blocks of {block}: {text:?}");
                        assert_eq!(totals, Totals { bytes: text.len() as u64, tokens: ids.len() as u64 });
                    }
                }
            }
        }
    }
}

#[test]
fn any_pattern_is_cut_behind_special_tokens_that_are_allowed() {
    let tokenizer = tokenizer(r"\w+|\s+|[^\w\s]+", &tokens(), &SPECIALS);
    let text = b"one two<|end|>three".repeat(100);
    let allowed = tokenizer.specials().choose(["<|end|>"]).unwrap();
    for (bounds, longest) in [(&allowed, 100), (&Choice::None, text.len())] {
        let cuts = Cuts { pretokenizer: tokenizer.pretokenizer(), specials: tokenizer.specials(), bounds };
        let (mut blocks, mut block, mut read) = (Blocks::new(Drops(&text, 0)), Vec::new(), Vec::new());
        while let Some(start) = blocks.next(cuts, 100, &mut block, &mut || Ok(()), |_| Ok(())).unwrap() {
            assert_eq!(start, read.len());
            read.extend_from_slice(&block);
            assert!(block.len() <= longest && (block.ends_with(b"<|end|>") || read.len() == text.len()));
        }
        assert_eq!(read, text);
    }
    // One that is refused is seen where it begins within one that is allowed.
    let text = [b"one two<|end|>three ".repeat(20), b"<|end|>a".to_vec(), b" and on".repeat(20)].concat();
    let forbidden = tokenizer.specials().choose(["d|>a"]).unwrap();
    let options = Options { allowed: &allowed, forbidden: &forbidden, threads: 1 };
    for block in [1, 8, 50, 100, BLOCK] {
        let refused = ids_of(&tokenizer, vec![reader("t", &text)], &options, block).unwrap_err().to_string();
        assert!(refused.contains("\"d|>a\" at byte 404"), "blocks of {block}: {refused}");
    }
}

#[test]
fn runs_of_digits_are_grouped_over_block_borders() {
    for digits in [Digits::Ones, Digits::Threes, Digits::RightThrees] {
        let plain = tokenizer("gpt2", &tokens(), &SPECIALS);
        let tokenizer = Tokenizer::new(bpetok::tokenizer::Parts { digits: digits.name(), ..plain.parts() }).unwrap();
        let text = b"x1234567 12345678 a1 b22 c333 d4444444444444444444444444444 e".repeat(3);
        let expected = whole(&tokenizer, &text, &Choice::None);
        let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads: 2 };
        for block in 1..20 {
            assert_eq!(ids_of(&tokenizer, vec![reader("t", &text)], &options, block).unwrap().0, expected);
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_too(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "the", " ", "  ", "\n", "\r\n", "'", "s", "1", ".", "<|end|>", "<|e", "nd|>", "d|>a", "the end.", "\u{e9}", "\u{301}", "\u{4e16}", "\u{3002}",
        ]), 0..60),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        block in 1usize..40,
        threads in 1usize..4,
    ) {
        let mut text = pieces.concat().into_bytes();
        for (place, byte) in wrong {
            if !text.is_empty() {
                let place = place.index(text.len());
                text[place] = byte;
            }
        }
        for pattern in ["gpt2", "cl100k", "o200k"] {
            let tokenizer = tokenizer(pattern, &tokens(), &SPECIALS);
            for allowed in [Choice::None, Choice::All] {
                let options = Options { allowed: &allowed, forbidden: &Choice::None, threads };
                let (ids, _) = ids_of(&tokenizer, vec![reader("t", &text)], &options, block).unwrap();
                prop_assert_eq!(ids, whole(&tokenizer, &text, &allowed));
            }
        }
    }
}

#[test]
fn each_file_is_a_text_of_its_own() {
    let tokenizer = tokenizer("cl100k", &tokens(), &SPECIALS);
    let texts: [&[u8]; 4] = [b"t", b"", b"h\xE4\xB8", b"\x96 the"];
    let expected: Vec<u32> = texts.iter().flat_map(|text| whole(&tokenizer, text, &Choice::None)).collect();
    let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads: 3 };
    let inputs = texts.iter().map(|text| reader("t", text)).collect();
    let (ids, totals) = ids_of(&tokenizer, inputs, &options, 2).unwrap();
    assert_eq!(ids, expected);
    assert_eq!(totals.bytes, 9);
}

/// A disk that is full after a few bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(IoError::from(ErrorKind::StorageFull))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A disk that breaks.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(IoError::other("broken"))
    }
}

#[test]
fn errors_name_the_file_and_the_place() {
    let tokenizer = tokenizer("cl100k", &tokens(), &SPECIALS);
    let text = [b"word ".repeat(100), b"<|end|>".to_vec()].concat();
    for threads in [1, 2, 8] {
        let options = Options { allowed: &Choice::None, forbidden: &Choice::All, threads };
        let run = |inputs, output: &mut dyn Write, pause: &mut dyn FnMut(u64) -> Result<()>| {
            tokenizer.encode_files(inputs, (output, Path::new("ids.bin")), &options, 10, pause).unwrap_err()
        };
        let (mut kept, mut never) = (Vec::new(), |_| Ok(()));
        let error = run(vec![reader("a", b"fine"), reader("b", &text)], &mut kept, &mut never).to_string();
        assert!(error.starts_with("b: ") && error.contains("at byte 500"), "{error}");
        let error = run(vec![Input::File("no/such".into())], &mut kept, &mut never);
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("no/such")), "{error}");
        let error = run(vec![Input::Reader("in".into(), Box::new(Broken))], &mut kept, &mut never);
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("in")), "{error}");
        let error = run(vec![reader("b", &text[..500])], &mut Full(300), &mut never);
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("ids.bin")), "{error}");
        let error = run(vec![reader("b", &text[..500])], &mut kept, &mut |done| {
            if done > 100 { Err(Error::Interrupted) } else { Ok(()) }
        });
        assert!(matches!(error, Error::Interrupted), "{error}");
    }
}

/// Its ids are written in pieces: all of them as bytes would take their memory once more.
#[test]
fn a_text_that_is_held_whole_is_written_whole() {
    let tokenizer = tokenizer(r"(?s:.)+", &tokens(), &SPECIALS);
    let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads: 2 };
    for length in [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7] {
        let text: Vec<u8> = b"xyz,".iter().copied().cycle().take(length).collect();
        let inputs = vec![Input::Reader("x".into(), Box::new(text.as_slice())), reader("a", b"the 12")];
        let (ids, totals) = ids_of(&tokenizer, inputs, &options, BLOCK).unwrap();
        let mut wanted = whole(&tokenizer, &text, &Choice::None);
        wanted.extend(whole(&tokenizer, b"the 12", &Choice::None));
        assert!(ids == wanted && totals.tokens == wanted.len() as u64, "{length}");
    }
}
