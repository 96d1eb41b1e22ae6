//! What a merge changed on one side, by the neighbour beside which it changed it. Kept between merges: arrays over
//! all ids, and lists of those touched, so that a merge costs what it touches and nothing is hashed.

use crate::ids::TokenId;

/// Neighbours, how often each was touched, and in which words.
#[derive(Default)]
pub struct Changes {
    /// By id: the sum of the counts of the words concerned; 0 for untouched.
    counts: Vec<u64>,
    /// By id: its index in `touched`.
    slots: Vec<u32>,
    touched: Vec<TokenId>,
    /// How many words each touched neighbour has; then where the next of them goes.
    sizes: Vec<usize>,
    /// (slot, word) in order of word.
    places: Vec<(u32, u32)>,
}

/// For neighbours whose words nobody wants.
const NOWHERE: usize = usize::MAX;

impl Changes {
    /// Makes room for ids up to `id`.
    pub fn admit(&mut self, id: TokenId) {
        let wanted = id as usize + 1;
        if self.counts.len() < wanted {
            self.counts.resize(wanted.next_power_of_two(), 0);
            self.slots.resize(wanted.next_power_of_two(), 0);
        }
    }

    /// Notes that a word of this count was changed beside `neighbour`.
    #[inline]
    pub fn add(&mut self, neighbour: TokenId, count: u64, word: u32) {
        let known = &mut self.counts[neighbour as usize];
        if *known == 0 {
            self.slots[neighbour as usize] = self.touched.len() as u32;
            self.touched.push(neighbour);
            self.sizes.push(0);
        }
        *known += count;
        let slot = self.slots[neighbour as usize];
        if self.places.last() != Some(&(slot, word)) {
            self.sizes[slot as usize] += 1;
            self.places.push((slot, word));
        }
    }

    /// `(neighbour, count)` for every neighbour touched.
    pub fn counts(&self) -> impl Iterator<Item = (TokenId, u64)> {
        self.touched.iter().map(|&id| (id, self.counts[id as usize]))
    }

    /// Asks for each neighbour, with its count and number of words, where these words are to stand; `None` for nowhere.
    pub fn assign(&mut self, mut place: impl FnMut(TokenId, u64, usize) -> Option<usize>) {
        for (&id, size) in self.touched.iter().zip(&mut self.sizes) {
            *size = place(id, self.counts[id as usize], *size).unwrap_or(NOWHERE);
        }
    }

    /// Puts the words where [`Changes::assign`] was told.
    pub fn write(&mut self, words: &mut [u32]) {
        for &(slot, word) in &self.places {
            let next = &mut self.sizes[slot as usize];
            if *next != NOWHERE {
                words[*next] = word;
                *next += 1;
            }
        }
    }

    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        for &id in &self.touched {
            self.counts[id as usize] = 0;
        }
        self.touched.clear();
        self.sizes.clear();
        self.places.clear();
    }
}
