//! What of a pattern the linear engine takes: alternatives without look-around, but for `\s+(?!\S)`, and without atomic groups
//! that change what matches.

use fancy_regex::{Expr, LookAround};
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};

/// The alternatives as `(pattern, gives back)` for the linear engine; `None` where one of them needs the other.
pub fn linear_alternatives(tree: &Expr) -> Option<Vec<(String, bool)>> {
    let alternatives = match tree {
        Expr::Group(inner) => return linear_alternatives(inner),
        Expr::Alt(alternatives) => alternatives.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut found = Vec::with_capacity(alternatives.len() + 1);
    for alternative in alternatives {
        if is_space_lookahead(alternative) {
            found.push((r"\s+$".to_owned(), false));
            found.push((r"\s+\s".to_owned(), true));
        } else {
            found.push((linear_text(alternative)?, false));
        }
    }
    Some(found)
}

/// Whether `expr` is `\s+(?!\S)`.
pub fn is_space_lookahead(expr: &Expr) -> bool {
    let Expr::Concat(parts) = expr else { return false };
    let [run, Expr::LookAround(ahead, LookAround::LookAheadNeg)] = parts.as_slice() else { return false };
    is_space_run(run) && is_class(ahead, r"\S")
}

/// Whether `expr` is `\s+`.
pub fn is_space_run(expr: &Expr) -> bool {
    matches!(expr, Expr::Repeat { child, lo: 1, hi: usize::MAX, greedy: true } if is_class(child, r"\s"))
}

fn is_class(expr: &Expr, class: &str) -> bool {
    matches!(expr, Expr::Delegate { inner, .. } if inner == class)
}

/// One alternative in the syntax of the linear engine. Atomic groups are dropped where they change nothing.
fn linear_text(alternative: &Expr) -> Option<String> {
    let parts = match alternative {
        Expr::Concat(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts.iter().rev() {
        // From the last to the first, so that `texts` holds what follows.
        let text = match part {
            Expr::AtomicGroup(inner) => {
                let text = simple_text(inner)?;
                let rest: String = texts.iter().rev().map(String::as_str).collect();
                never_gives_back(&text, &rest).then_some(text)?
            }
            other => simple_text(other)?,
        };
        texts.push(text);
    }
    texts.reverse();
    Some(texts.concat())
}

/// The text of an expression that the linear engine knows.
fn simple_text(expr: &Expr) -> Option<String> {
    let known = |e: &Expr| {
        matches!(
            e,
            Expr::Empty
                | Expr::Any { .. }
                | Expr::Literal { .. }
                | Expr::Assertion(_)
                | Expr::Concat(_)
                | Expr::Alt(_)
                | Expr::Group(_)
                | Expr::Repeat { .. }
                | Expr::Delegate { .. }
        )
    };
    let hard = |e: &Expr| {
        !known(e)
            || matches!(
                e,
                Expr::Assertion(
                    fancy_regex::Assertion::EndTextIgnoreTrailingNewlines { .. }
                        | fancy_regex::Assertion::StartLineOniguruma { .. }
                )
            )
    };
    if expr.has_descendant_or_self(hard) {
        return None;
    }
    let mut text = String::new();
    // 3: the text stands beside others, so alternatives come in a group.
    expr.to_str(&mut text, 3);
    regex_syntax::Parser::new().parse(&text).ok().map(|_| text)
}

/// Whether the greedy run `part` would never be asked to give characters back to `rest`: either `rest` matches
/// whatever comes, or it begins with a character that `part` cannot contain.
fn never_gives_back(part: &str, rest: &str) -> bool {
    let parse = |text: &str| regex_syntax::Parser::new().parse(text).ok();
    let (Some(part), Some(rest)) = (parse(part), parse(rest)) else { return false };
    let HirKind::Repetition(run) = part.kind() else { return false };
    let Some(members) = one_character(&run.sub) else { return false };
    if !run.greedy {
        return false;
    }
    let Some((mut firsts, may_be_empty)) = first_characters(&rest) else { return false };
    if may_be_empty && rest.properties().look_set().is_empty() {
        return true;
    }
    firsts.intersect(&members);
    !may_be_empty && firsts.ranges().is_empty()
}

/// What a match can be, where that is a single character.
fn one_character(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class.clone()),
        HirKind::Literal(literal) => {
            let mut characters = std::str::from_utf8(&literal.0).ok()?.chars();
            let (first, None) = (characters.next()?, characters.next()) else { return None };
            Some(ClassUnicode::new([ClassUnicodeRange::new(first, first)]))
        }
        _ => None,
    }
}

/// Which characters a match can begin with, and whether it can be empty. The end of the text counts as a
/// character that no class contains.
fn first_characters(hir: &Hir) -> Option<(ClassUnicode, bool)> {
    match hir.kind() {
        HirKind::Empty => Some((ClassUnicode::empty(), true)),
        HirKind::Look(regex_syntax::hir::Look::End) => Some((ClassUnicode::empty(), false)),
        HirKind::Literal(literal) => {
            let first = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some((ClassUnicode::new([ClassUnicodeRange::new(first, first)]), false))
        }
        HirKind::Class(Class::Unicode(class)) => Some((class.clone(), false)),
        HirKind::Repetition(repetition) => {
            let (firsts, may_be_empty) = first_characters(&repetition.sub)?;
            Some((firsts, may_be_empty || repetition.min == 0))
        }
        HirKind::Capture(capture) => first_characters(&capture.sub),
        HirKind::Concat(parts) => {
            let mut all = ClassUnicode::empty();
            for part in parts {
                let (firsts, may_be_empty) = first_characters(part)?;
                all.union(&firsts);
                if !may_be_empty {
                    return Some((all, false));
                }
            }
            Some((all, true))
        }
        HirKind::Alternation(parts) => {
            let (mut all, mut any_empty) = (ClassUnicode::empty(), false);
            for part in parts {
                let (firsts, may_be_empty) = first_characters(part)?;
                all.union(&firsts);
                any_empty |= may_be_empty;
            }
            Some((all, any_empty))
        }
        _ => None,
    }
}
