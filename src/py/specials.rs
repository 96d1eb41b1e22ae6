//! Special tokens as Python gives them: those that a call allows, and new ones.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyMapping, PySet, PyString};

use super::convert::{is_text, items, text_named, type_name};
use super::errors::SpecialTokenError;
use super::numbers;
use crate::error::Error;
use crate::ids::{MAX_TOKEN_ID, TokenId};
use crate::special::{Choice, Specials};

/// Most bytes of a special token: files and `token_byte_lengths` have 32 bits for them.
const LONGEST: usize = u32::MAX as usize;

/// `allowed_special` and `disallowed_special`: "all" or a collection of special tokens. Without either, nothing is
/// allowed and all is disallowed; "all" disallowed means all that is not allowed.
pub fn choices(
    specials: &Specials,
    allowed: Option<&Bound<'_, PyAny>>,
    disallowed: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Choice, Choice)> {
    let allowed = match allowed {
        None => Choice::None,
        Some(value) => choice(specials, value, "allowed_special")?.unwrap_or(Choice::All),
    };
    let disallowed = match disallowed {
        None => None,
        Some(value) => choice(specials, value, "disallowed_special")?,
    };
    let forbidden = disallowed.unwrap_or_else(|| Choice::all_but(&allowed, specials.tokens().len()));
    Ok((allowed, forbidden))
}

/// `None` for "all".
fn choice(specials: &Specials, value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Option<Choice>> {
    if let Ok(word) = value.cast::<PyString>()
        && text_named(word, || argument.to_owned())? == "all"
    {
        return Ok(None);
    }
    let names = names(value, argument, "\"all\" or a collection of str")?;
    Ok(Some(specials.choose(names.iter().map(String::as_str))?))
}

/// Special tokens that have their ids: `{text: id}`.
pub fn placed(tokens: &Bound<'_, PyMapping>) -> PyResult<Vec<(String, TokenId)>> {
    let token = |(index, item): (usize, Bound<'_, PyAny>)| {
        let (text, id): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let text = name(&text, index, "special_tokens")?;
        let id = special_id(&text, &id)?;
        Ok((text, id))
    };
    tokens.items()?.iter().enumerate().map(token).collect()
}

fn special_id(text: &str, id: &Bound<'_, PyAny>) -> PyResult<TokenId> {
    let int = numbers::int(id, format_args!("the id of special token {text:?}"))?;
    int.extract().ok().filter(|&id| id <= MAX_TOKEN_ID).ok_or_else(|| {
        let id = numbers::shown(&int);
        SpecialTokenError::new_err(format!("special token {text:?} has the id {id}; give one of 0 to {MAX_TOKEN_ID}"))
    })
}

/// Special tokens without ids.
pub fn unplaced(tokens: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    names(tokens, "special_tokens", "a dict of str to int or a collection of str")
}

/// Special tokens that need no ids, as they only bound what is counted.
pub fn bounds(tokens: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    names(tokens, "special_tokens", "a collection of str")
}

/// Gives the ids from `next` on to those that have none.
pub fn numbered(names: Vec<String>, next: usize) -> Result<Vec<(String, TokenId)>, Error> {
    let id = |id: usize| TokenId::try_from(id).map_err(|_| Error::IdTooLarge(id as u64));
    names.into_iter().zip(next..).map(|(name, next)| Ok((name, id(next)?))).collect()
}

/// The items of a collection of `str`, those of a set sorted: its own order is another in each process, and the order
/// decides ids.
fn names(value: &Bound<'_, PyAny>, argument: &str, wanted: &str) -> PyResult<Vec<String>> {
    if is_text(value) {
        let (kind, shown) = (type_name(value), value.repr()?);
        let message = format!("{argument} is the bare {kind} {shown}; give {wanted}, as in [{shown}]");
        return Err(PyTypeError::new_err(message));
    }
    let items = items(value, argument, wanted)?.enumerate();
    let mut names = items.map(|(index, item)| name(&item?, index, argument)).collect::<PyResult<Vec<_>>>()?;
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        names.sort_unstable();
    }
    Ok(names)
}

fn name(item: &Bound<'_, PyAny>, index: usize, argument: &str) -> PyResult<String> {
    let Ok(item) = item.cast::<PyString>() else {
        let kind = type_name(item);
        return Err(PyTypeError::new_err(format!("{argument} must hold str, not {kind} (at index {index})")));
    };
    let text = text_named(item, || format!("special token {index} of {argument}"))?;
    if text.len() > LONGEST {
        let message = format!("special token {index} of {argument} has {} bytes; the limit is {LONGEST}", text.len());
        return Err(SpecialTokenError::new_err(message));
    }
    Ok(text.to_owned())
}
