//! The tokens so far, by id and by bytes, in flat buffers: a vocabulary of 100,000 as vectors of vectors takes 15 MB.

use crate::encode::key::hash_bytes;
use crate::ids::{Pair, TokenId};

/// id -> bytes, and bytes -> id for tokens of two bytes or more. An id without bytes is a gap.
#[derive(Default)]
pub struct Tokens {
    bytes: Vec<u8>,
    /// Where each id ends in `bytes`.
    ends: Vec<usize>,
    /// Ids by the hash of their bytes, open addressing.
    slots: Vec<TokenId>,
    /// Ids that are in `slots`.
    entered: usize,
    joined: Vec<u8>,
}

const FREE: TokenId = TokenId::MAX;

impl Tokens {
    /// Number of ids, gaps included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of an id that there is.
    pub fn get(&self, id: TokenId) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    /// Bytes of an id that there is.
    pub fn length(&self, id: TokenId) -> usize {
        self.get(id).len()
    }

    /// Whether an id is there and no gap.
    pub fn is_known(&self, id: TokenId) -> bool {
        (id as usize) < self.len() && self.length(id) > 0
    }

    /// Every id with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        (0..).zip(&self.ends).map(|(id, _)| (id, self.get(id)))
    }

    /// Adds a token, or a gap, and gives its id.
    pub fn push(&mut self, token: &[u8]) -> TokenId {
        // Vocabularies end far below 2^32, see `MAX_TOKEN_ID`.
        let id = self.ends.len() as TokenId;
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len());
        if token.len() > 1 {
            if self.entered * 2 >= self.slots.len() {
                self.grow();
            } else {
                self.enter(id);
            }
            self.entered += 1;
        }
        id
    }

    /// The token of a pair. Two pairs may give the same bytes: the second joins the id of the first and takes none.
    pub fn join(&mut self, pair: Pair) -> TokenId {
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        joined.extend_from_slice(self.get(pair.left));
        joined.extend_from_slice(self.get(pair.right));
        let id = self.find(&joined).unwrap_or_else(|| self.push(&joined));
        self.joined = joined;
        id
    }

    fn find(&self, token: &[u8]) -> Option<TokenId> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash_bytes(token) as usize & mask;
        while self.slots[at] != FREE {
            if self.get(self.slots[at]) == token {
                return Some(self.slots[at]);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn enter(&mut self, id: TokenId) {
        let mask = self.slots.len() - 1;
        let mut at = hash_bytes(self.get(id)) as usize & mask;
        while self.slots[at] != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = id;
    }

    #[cold]
    fn grow(&mut self) {
        self.slots = vec![FREE; (self.slots.len() * 2).max(1 << 10)];
        for id in 0..self.ends.len() as TokenId {
            if self.length(id) > 1 {
                self.enter(id);
            }
        }
    }
}
