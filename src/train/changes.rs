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
    touched: Vec<Neighbour>,
    /// (slot, word) in order of word, each once.
    places: Vec<(u32, u32)>,
}

struct Neighbour {
    id: TokenId,
    /// How many words it has; then where the next of them goes.
    size: usize,
    /// The word that came last.
    last: u32,
}

/// For neighbours whose words nobody wants.
const NOWHERE: usize = usize::MAX;
/// Not the place of a word: none begins at the last cell that 32 bits can name.
const NO_WORD: u32 = u32::MAX;

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
            self.touched.push(Neighbour { id: neighbour, size: 0, last: NO_WORD });
        }
        *known += count;
        let slot = self.slots[neighbour as usize];
        // However often it stands in a word: who comes for the words goes through each, and some have a million places.
        let neighbour = &mut self.touched[slot as usize];
        if neighbour.last != word {
            neighbour.last = word;
            neighbour.size += 1;
            self.places.push((slot, word));
        }
    }

    /// `(neighbour, count)` for every neighbour touched.
    pub fn counts(&self) -> impl Iterator<Item = (TokenId, u64)> {
        self.touched.iter().map(|neighbour| (neighbour.id, self.counts[neighbour.id as usize]))
    }

    /// Asks for each neighbour, with its count and number of words, where these words are to stand; `None` for nowhere.
    pub fn assign(&mut self, mut place: impl FnMut(TokenId, u64, usize) -> Option<usize>) {
        for Neighbour { id, size, .. } in &mut self.touched {
            *size = place(*id, self.counts[*id as usize], *size).unwrap_or(NOWHERE);
        }
    }

    /// Puts the words where [`Changes::assign`] was told.
    pub fn write(&mut self, words: &mut [u32]) {
        for &(slot, word) in &self.places {
            let next = &mut self.touched[slot as usize].size;
            if *next != NOWHERE {
                words[*next] = word;
                *next += 1;
            }
        }
    }

    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        for neighbour in &self.touched {
            self.counts[neighbour.id as usize] = 0;
        }
        self.touched.clear();
        self.places.clear();
    }
}
