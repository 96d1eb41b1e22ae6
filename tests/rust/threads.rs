//! Work in parallel gives what a loop gives, and stops wherever it is when it is told to.

use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use bpetok::batch::{Options, in_parallel, in_parallel_with};
use bpetok::count::Counts;
use bpetok::digits::Digits;
use bpetok::encode_files::{BLOCK, Input};
use bpetok::error::{Error, Result};
use bpetok::special::Choice;
use bpetok::threads::Ask;
use bpetok::utf8::Text;

use crate::tokenizer;

const CUSTOM: &str = r"\w+|\s+|[^\w\s]+";

fn counts(pattern: &str) -> Counts {
    Counts::new(pattern, &[], Digits::None).unwrap()
}

/// Says stop when it is asked for the `last`th time.
fn until(last: usize) -> impl FnMut() -> Result<()> {
    let mut asked = 0;
    move || {
        asked += 1;
        if asked < last { Ok(()) } else { Err(Error::Interrupted) }
    }
}

#[test]
fn results_are_those_of_a_loop() {
    let items: Vec<u64> = (0..1000).collect();
    let expected: Vec<u64> = items.iter().map(|item| item * item).collect();
    for threads in [1, 2, 7, 5000] {
        assert_eq!(in_parallel(&items, threads, |item, _| Ok(item * item), &mut || Ok(())).unwrap(), expected);
    }
}

#[test]
fn the_earliest_error_counts_even_if_it_comes_late() {
    let fails = |item: &u64, _: Ask<'_>| -> Result<()> {
        match item {
            0 => sleep(Duration::from_millis(30)),
            1 => {}
            _ => return Ok(()),
        }
        Err(Error::Argument(item.to_string()))
    };
    let error = in_parallel(&[0, 1, 2, 3], 2, fails, &mut || Ok(())).unwrap_err();
    assert_eq!(error.to_string(), "0");
}

#[test]
fn a_long_item_of_any_thread_is_left() {
    // The calling thread is soon through with its own, whichever it gets, and waits for the other.
    let job = |(): &mut (), item: &u64, ask: Ask<'_>| -> Result<()> {
        for _ in 0..30_000 * item {
            ask()?;
            sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    for items in [[0, 1], [1, 0], [1, 1]] {
        let stopped = in_parallel_with(&items, 2, || (), job, &mut until(5));
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }
}

#[test]
fn one_long_document_asks_again_and_again() {
    let text = "The cat in the hat, 12 times! ".repeat(4_000_000 / 30);
    // Nothing is known of where a custom pattern may be cut: one share of work.
    let tokenizer = tokenizer(CUSTOM, &[b"th".to_vec()], &[]);
    for threads in [1, 2] {
        let mut asked = 0;
        let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads };
        let mut ask = || {
            asked += 1;
            Ok(())
        };
        tokenizer.encode_batch(&[Text::Valid(&text)], &options, &mut ask).unwrap();
        assert!(asked >= 8, "encoding 4 MB asked {asked} times");
        let stopped = tokenizer.encode_batch(&[Text::Valid(&text)], &options, &mut until(4));
        assert!(matches!(stopped, Err(Error::Interrupted)));
        for pattern in [CUSTOM, "cl100k"] {
            let mut asked = 0;
            let mut told = |_| {
                asked += 1;
                Ok(())
            };
            counts(pattern).add_documents(&[Text::Valid(&text)], threads, &mut told).unwrap();
            assert!(asked >= 8, "counting 4 MB asked {asked} times: {pattern}");
        }
    }
}

/// A pipe that nobody writes to or reads from: a signal ends the waiting, again and again. In the end it gives up, so that a
/// test fails instead of hanging.
struct Silent(usize);

impl Silent {
    fn wait(&mut self) -> std::io::Result<usize> {
        self.0 += 1;
        Err(if self.0 < 100 { ErrorKind::Interrupted } else { ErrorKind::TimedOut }.into())
    }
}

impl Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.wait()
    }
}

impl Write for Silent {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        self.wait()
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Takes three bytes at a time, and every other time none because a signal came.
struct Narrow(Vec<u8>, bool);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(IoError::from(ErrorKind::Interrupted));
        }
        let count = bytes.len().min(3);
        self.0.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn waiting_for_a_pipe_ends_when_told() {
    let tokenizer = tokenizer("cl100k", &[b"th".to_vec()], &[]);
    for threads in [1, 2, 8] {
        let mut stop = until(3);
        let stopped = counts("cl100k").add_reader(Silent(0), threads, &mut |_| stop());
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");

        let options = Options { allowed: &Choice::None, forbidden: &Choice::None, threads };
        let encode = |output: &mut dyn Write, ask: &mut dyn FnMut(u64) -> Result<()>| {
            let input = Input::Reader("t".into(), Box::new(&b"the cat in the hat"[..]));
            tokenizer.encode_files(vec![input], (output, Path::new("ids.bin")), &options, BLOCK, ask)
        };
        let mut stop = until(6);
        let stopped = encode(&mut Silent(0), &mut |_| stop());
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        let (mut narrow, mut wide) = (Narrow(Vec::new(), false), Vec::new());
        encode(&mut narrow, &mut |_| Ok(())).unwrap();
        encode(&mut wide, &mut |_| Ok(())).unwrap();
        assert_eq!(narrow.0, wide);
    }
}

#[test]
fn whoever_says_stop_finds_the_counts_as_they_were() {
    let text = "The cat in the hat. ".repeat(3_000_000 / 20);
    for threads in [1, 2, 8] {
        let count = |counts: &mut Counts, from_file: bool, told: &mut dyn FnMut(u64) -> Result<()>| {
            if from_file {
                counts.add_reader(text.as_bytes(), threads, told)
            } else {
                counts.add_documents(&[Text::Valid(&text)], threads, told)
            }
        };
        for from_file in [true, false] {
            let mut kept = counts("cl100k");
            kept.add_documents(&[Text::Valid("before")], 1, &mut |_| Ok(())).unwrap();
            let (before, all) = (kept.table().sorted(), text.len() as u64 + 6);
            // At the last report all is counted, and nothing is added yet.
            let mut is_last = |done| if done < all { Ok(()) } else { Err(Error::Interrupted) };
            let stopped = count(&mut kept, from_file, &mut is_last);
            assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
            assert_eq!((kept.table().sorted(), kept.bytes()), (before, 6));
        }
    }
}

#[test]
fn many_short_documents_count_as_each_alone() {
    let texts: Vec<String> = (0..2000).map(|n| format!("cat {n}, it's {} hat\n\n  {n}!", n * 7)).collect();
    let documents: Vec<Text<'_>> = texts.iter().map(|text| Text::Valid(text)).collect();
    for pattern in [CUSTOM, r"\p{N}{1,2}|\p{L}+|\s+(?!\S)|\s+|.", "gpt2"] {
        let (mut together, mut alone) = (counts(pattern), counts(pattern));
        together.add_documents(&documents, 2, &mut |_| Ok(())).unwrap();
        for document in &documents {
            alone.add_documents(&[*document], 1, &mut |_| Ok(())).unwrap();
        }
        assert_eq!(together.table().sorted(), alone.table().sorted(), "{pattern}");
    }
}
