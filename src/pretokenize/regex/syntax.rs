//! What a pattern says: what is refused because engines differ in what it means, and whether it may match nothing.

use fancy_regex::{CompileError, Expr};

use crate::error::{Error, Result};

const POSIX: &str =
    "POSIX classes such as [:digit:] are ASCII in some engines and Unicode in others; write \\p{Nd}, \\s or ranges";
const LINE_START: &str =
    "a bare ^ means start of text in some engines and start of line in others; write \\A or (?m:^)";
const COUNT_PLUS: &str =
    "{n}+ is possessive in some engines and a repeated {n} in others; write (?>...{n}) or (?:...{n})+";
const FOLDS: &str =
    "engines disagree whether (?i) folds one character to several here; write both cases out as [Ss][Ss]";

/// The tree of a pattern, or what is wrong with it.
pub fn parse(pattern: &str) -> std::result::Result<Expr, String> {
    Expr::parse_tree(pattern).map(|tree| tree.expr).map_err(told)
}

/// What is wrong with a pattern: the first cause, not which part of the engine it came from.
pub fn told(error: fancy_regex::Error) -> String {
    match error {
        fancy_regex::Error::CompileError(cause) => match *cause {
            CompileError::InnerError(inner) => cause_of(&inner),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

/// The last line of the first cause: what stands above it draws the pattern again.
pub fn cause_of(error: &dyn std::error::Error) -> String {
    if let Some(cause) = error.source() {
        return cause_of(cause);
    }
    let message = error.to_string();
    let last = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Why a construct is refused rather than guessed: common engines read it in different ways.
pub fn ambiguous(pattern: &str) -> Option<&'static str> {
    let bytes = pattern.as_bytes();
    let (mut at, mut depth, mut folding) = (0, 0usize, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' if pattern[at..].starts_with("[:") && depth > 0 => return Some(POSIX),
            b'[' => {
                depth += 1;
                at += usize::from(bytes.get(at + 1) == Some(&b'^'));
                // A bracket that comes first does not end the class.
                at += usize::from(bytes.get(at + 1) == Some(&b']'));
            }
            b']' => depth = depth.saturating_sub(1),
            b'^' if depth == 0 && !pattern[..at].ends_with("(?m:") => return Some(LINE_START),
            b'}' if depth == 0 && bytes.get(at + 1) == Some(&b'+') => {
                let count = pattern[..at].rsplit('{').next().unwrap_or_default();
                if !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) {
                    return Some(COUNT_PLUS);
                }
            }
            b'i' if pattern[..at].ends_with("(?") => folding = true,
            _ => {}
        }
        at += 1;
    }
    let folded = pattern.to_ascii_lowercase();
    // Under (?i), "ss" is also U+00DF for engines that fold one character to several.
    let folds = folding && ["ss", "ff", "fi", "fl", "st"].iter().any(|pair| folded.contains(&format!("(?i:{pair}")));
    folds.then_some(FOLDS)
}

/// Whether a pattern may match without taking a character; where that is not easily told, it may.
///
/// # Errors
/// A pattern that does not parse.
pub fn may_be_empty(pattern: &str) -> Result<bool> {
    let refuse = |reason: String| Error::Pattern { pattern: pattern.to_owned(), reason };
    parse(pattern).map(|tree| takes_nothing(&tree)).map_err(refuse)
}

fn takes_nothing(tree: &Expr) -> bool {
    match tree {
        Expr::Any { .. } | Expr::GeneralNewline { .. } | Expr::Delegate { .. } => false,
        Expr::Literal { val, .. } => val.is_empty(),
        Expr::Concat(parts) => parts.iter().all(takes_nothing),
        Expr::Alt(ways) => ways.iter().any(takes_nothing),
        Expr::Group(inner) => takes_nothing(inner),
        Expr::AtomicGroup(inner) => takes_nothing(inner),
        Expr::Repeat { child, lo, .. } => *lo == 0 || takes_nothing(child),
        _ => true,
    }
}

/// A repetition that can never be: the engines differ in whether it is an error.
pub fn wrong_repeat(tree: &Expr) -> Option<String> {
    if let Expr::Repeat { lo, hi, .. } = tree
        && lo > hi
    {
        return Some(format!("a repetition of at least {lo} and at most {hi} matches nothing; swap the numbers"));
    }
    tree.children_iter().find_map(wrong_repeat)
}
