//! Digit rules: how runs of numbers are cut before the pattern sees the text. `12345` is `12|345` by `right-1-3`.
//!
//! Each maximal run of `\p{N}` falls into groups, and each group is a pretoken. What stands between runs is pretokenized as
//! a text of its own, so a pattern never looks across a number. Where runs lie is for the caller to say.

use crate::error::{Error, Result};

/// A rule for runs of digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digits {
    /// Digits are left to the pattern.
    #[default]
    None,
    /// Each digit on its own: `1|2|3|4|5`.
    Ones,
    /// Threes from the left: `123|45`.
    Threes,
    /// Threes from the right, so that place values line up: `12|345`.
    RightThrees,
}

/// Every rule and its name.
pub const RULES: [(&str, Digits); 4] =
    [("none", Digits::None), ("1", Digits::Ones), ("1-3", Digits::Threes), ("right-1-3", Digits::RightThrees)];

impl Digits {
    /// The rule of a name; `None` for a name that is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        RULES.iter().find(|rule| rule.0 == name).map(|rule| rule.1)
    }

    /// The same for an argument.
    ///
    /// # Errors
    /// A name that is none.
    pub fn parse(name: &str) -> Result<Self> {
        Self::named(name).ok_or_else(|| Error::Argument(format!("digits is {name:?}; give one of {}", names())))
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        RULES.iter().find(|rule| rule.1 == self).map_or("none", |rule| rule.0)
    }

    /// Digits in the first group of a run of which `left` remain.
    #[inline]
    #[must_use]
    pub fn group(self, left: usize) -> usize {
        match self {
            Self::None => left,
            Self::Ones => left.min(1),
            Self::Threes => left.min(3),
            Self::RightThrees if left == 0 => 0,
            Self::RightThrees => (left - 1) % 3 + 1,
        }
    }
}

/// All names, for messages.
#[must_use]
pub fn names() -> String {
    RULES.map(|rule| format!("{:?}", rule.0)).join(", ")
}
