//! Characters of two bytes that merging always makes before it joins anything across their edges: a piece may start
//! from them instead of from its bytes, which halves the work in Cyrillic, Greek, Hebrew or Arabic.
//!
//! Let `r` be the id that the two bytes of a character make. If every other token that could hold one of these two
//! bytes in this place has an id above `r` (those that end after the first byte, begin with the second, or hold both and
//! more), then rank merging, which takes the lowest id first, joins the two before it can touch either in another way.
//! Until it does, everything else proceeds as if they were joined already, since no pair with the joined character
//! has an id below `r` either. So the result is the same.

use crate::ids::TokenId;
use crate::vocab::Vocabulary;

const LEADS: usize = 32;

/// The lowest ids that could get in the way.
pub struct Units {
    /// By lead (minus C0) and continuation (minus 80): the id the two make, if no token that holds both and more is
    /// below it; else 0, which nothing is below.
    made: Vec<TokenId>,
    /// By the byte before and the lead: the lowest id of a token that ends with these two.
    ends_inside: Vec<TokenId>,
    /// By the continuation byte and the byte behind: the lowest id of a token that begins with these two.
    starts_inside: Vec<TokenId>,
}

fn is_lead(byte: u8) -> bool {
    (0xC2..0xE0).contains(&byte)
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

fn place(lead: u8, continuation: u8) -> usize {
    usize::from(lead & 0x1F) << 6 | usize::from(continuation & 0x3F)
}

impl Units {
    /// Reads every token once.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let mut units = Self {
            made: vec![TokenId::MAX; LEADS << 6],
            ends_inside: vec![TokenId::MAX; LEADS << 8],
            starts_inside: vec![TokenId::MAX; 1 << 14],
        };
        let mut longer = vec![TokenId::MAX; LEADS << 6];
        for (id, token) in vocabulary.iter().filter(|t| t.1.len() > 1 && !t.1.is_ascii()) {
            if let [lead, continuation] = *token
                && is_lead(lead)
                && is_continuation(continuation)
            {
                units.made[place(lead, continuation)] = id;
                continue;
            }
            for pair in token.windows(2).filter(|pair| is_lead(pair[0]) && is_continuation(pair[1])) {
                let lowest = &mut longer[place(pair[0], pair[1])];
                *lowest = id.min(*lowest);
            }
            let [.., before, last] = *token else { continue };
            if is_lead(last) {
                let lowest = &mut units.ends_inside[usize::from(last & 0x1F) << 8 | usize::from(before)];
                *lowest = id.min(*lowest);
            }
            if is_continuation(token[0]) {
                let lowest = &mut units.starts_inside[usize::from(token[0] & 0x3F) << 8 | usize::from(token[1])];
                *lowest = id.min(*lowest);
            }
        }
        for (made, longer) in units.made.iter_mut().zip(longer) {
            // Also where no token is these two bytes: `TokenId::MAX` is not below anything.
            if *made >= longer {
                *made = 0;
            }
        }
        units
    }

    /// The id of the character of two bytes at `at`, if the piece `text[..length]` may start from it.
    #[inline]
    #[must_use]
    pub fn at(&self, text: &[u8], at: usize, length: usize) -> Option<TokenId> {
        let (lead, continuation) = (text[at], text[at + 1]);
        if !is_lead(lead) || !is_continuation(continuation) || at + 1 >= length {
            return None;
        }
        let made = self.made[place(lead, continuation)];
        let before = at == 0 || made < self.ends_inside[usize::from(lead & 0x1F) << 8 | usize::from(text[at - 1])];
        let behind = at + 2 == length
            || made < self.starts_inside[usize::from(continuation & 0x3F) << 8 | usize::from(text[at + 2])];
        (made > 0 && before && behind).then_some(made)
    }
}
