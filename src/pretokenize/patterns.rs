//! The named patterns as data. A row gives the regex, which is the definition, and the `Rules` with which
//! the fast scanner does the same; `tests/rust/scanner.rs` proves each pair equal. A new family is a new row.

use crate::error::{Error, Result};

/// How a pattern treats `'s 't 're 've 'm 'll 'd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contractions {
    /// A pretoken of their own where one starts at the apostrophe.
    Own {
        /// In either case.
        any_case: bool,
    },
    /// Part of the word before them, in either case.
    WithWord,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// ` ?\p{L}+`
    AfterSpace,
    /// `[^\r\n\p{L}\p{N}]?\p{L}+`
    AfterAny,
    /// The same prefix, then upper case before lower case: `[upper]*[lower]+` or `[upper]+[lower]*`,
    /// where letters without case and marks count as both.
    Cased,
}

/// What may follow a run of punctuation inside its pretoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// `[\r\n]*`
    Newlines,
    /// `[\r\n/]*`
    NewlinesSlashes,
}

/// The differences between the patterns that the scanner knows. Common to all: punctuation is
/// ` ?[^\s\p{L}\p{N}]+`, and white space before other text gives its last character back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Contractions.
    pub contractions: Contractions,
    /// Words.
    pub words: Words,
    /// Longest run of digits; 0 for no limit, and then a space may lead it: ` ?\p{N}+`.
    pub digits: u8,
    /// What follows punctuation.
    pub tail: Tail,
    /// `\s*[\r\n]+` comes before other white space.
    pub lines: bool,
    /// `\s+$` comes before that: white space at the end of a text is one pretoken.
    pub whole_end: bool,
}

/// A pattern with a name.
pub struct Preset {
    /// What users call it.
    pub name: &'static str,
    /// The definition.
    pub regex: &'static str,
    /// The same for the scanner.
    pub rules: Rules,
}

const GPT2: Rules = Rules {
    contractions: Contractions::Own { any_case: false },
    words: Words::AfterSpace,
    digits: 0,
    tail: Tail::None,
    lines: false,
    whole_end: false,
};
const CL100K: Rules = Rules {
    contractions: Contractions::Own { any_case: true },
    words: Words::AfterAny,
    digits: 3,
    tail: Tail::Newlines,
    lines: true,
    whole_end: true,
};
const LLAMA3: Rules = Rules { whole_end: false, ..CL100K };
const O200K: Rules =
    Rules { contractions: Contractions::WithWord, words: Words::Cased, tail: Tail::NewlinesSlashes, ..LLAMA3 };

/// The presets.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "gpt2",
        regex: r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        rules: GPT2,
    },
    Preset {
        name: "cl100k",
        regex: r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        rules: CL100K,
    },
    Preset {
        name: "o200k",
        regex: r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        rules: O200K,
    },
    Preset {
        name: "llama3",
        regex: r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        rules: LLAMA3,
    },
    Preset {
        name: "qwen2",
        regex: r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        rules: Rules { digits: 1, ..LLAMA3 },
    },
];

/// Other spellings of a preset that split every text alike.
const SPELLINGS: [(&str, &str); 1] =
    [(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s", "gpt2")];

/// The regex behind a preset's name, or the text itself where it is no name.
///
/// # Errors
/// An empty pattern, or a bare word that is no preset: more likely a typing mistake than a regex.
pub fn expand(pattern: &str) -> Result<&str> {
    if let Some(preset) = PRESETS.iter().find(|p| p.name == pattern) {
        return Ok(preset.regex);
    }
    let is_word = pattern.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_word {
        let names: Vec<&str> = PRESETS.iter().map(|p| p.name).collect();
        let reason = format!("no preset of that name; write a regex or one of {names:?}");
        return Err(Error::Pattern { pattern: pattern.to_owned(), reason });
    }
    Ok(pattern)
}

/// The scanner's rules for a regex that it knows.
#[must_use]
pub fn rules_for(regex: &str) -> Option<Rules> {
    let name = SPELLINGS.iter().find(|s| s.0 == regex).map(|s| s.1);
    PRESETS.iter().find(|p| p.regex == regex || Some(p.name) == name).map(|p| p.rules)
}
