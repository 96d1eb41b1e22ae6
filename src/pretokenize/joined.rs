//! Short texts one behind another, to be looked up and merged together: of a few pretokens at a time, neither is what the
//! processor waits for fetched ahead, nor do new words come in crowds.

use crate::ids::TokenId;

/// The bytes of a mark. They fit no key, so that whoever looks pretokens up stops there, whatever was met before.
pub(super) const FILLER: &str = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// What a mark is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A document ends here.
    End,
    /// A special token stands here.
    Special(TokenId),
}

/// Texts with a mark behind each.
#[derive(Default)]
pub struct Joined {
    text: String,
    /// Where each text ends and its mark begins.
    ends: Vec<(usize, Mark)>,
}

impl Joined {
    /// Adds a text and what stands behind it.
    pub fn push(&mut self, text: &str, mark: Mark) {
        self.text.push_str(text);
        self.ends.push((self.text.len(), mark));
        self.text.push_str(FILLER);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Everything, marks included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The texts in order: where each begins, what it is, and what stands behind it.
    pub(super) fn texts(&self) -> impl Iterator<Item = (usize, &str, Mark)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| end + FILLER.len()));
        starts.zip(&self.ends).map(|(start, &(end, mark))| (start, &self.text[start..end], mark))
    }
}
