//! How many pretokens there are and what training on them takes, known before the first merge.

use super::table::CountTable;
use crate::encode::key::KEY_BYTES;
use crate::error::{Error, Result};

/// Counts below which pruning is worth a look: the powers of two.
const STEPS: usize = 64;

/// Pretokens by how often they occur.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    short: u64,
    long: u64,
    long_bytes: u64,
    bytes: u64,
    occurrences: u128,
}

/// Sums over counts.
#[derive(Clone, Debug)]
pub struct Summary {
    /// `groups[k]` holds counts of at least `2^k` and below `2^(k + 1)`.
    groups: [Group; STEPS],
}

impl Default for Summary {
    fn default() -> Self {
        Self { groups: [Group::default(); STEPS] }
    }
}

impl Summary {
    /// Adds a pretoken; its count is not 0.
    pub fn add(&mut self, text: &[u8], count: u64) {
        let group = &mut self.groups[count.max(1).ilog2() as usize];
        let bytes = text.len() as u64;
        group.bytes += bytes;
        group.occurrences += u128::from(count);
        if text.len() <= KEY_BYTES {
            group.short += 1;
        } else {
            group.long += 1;
            group.long_bytes += bytes;
        }
    }

    /// Different pretokens.
    #[must_use]
    pub fn pretokens(&self) -> u64 {
        self.groups.iter().map(|g| g.short + g.long).sum()
    }

    /// Sum of all counts.
    #[must_use]
    pub fn occurrences(&self) -> u128 {
        self.groups.iter().map(|g| g.occurrences).sum()
    }

    /// What [`CountTable::with_room`] wants.
    #[must_use]
    pub fn room(&self) -> (usize, usize, usize) {
        let all = self.from(0);
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX / 64);
        (size(all.short), size(all.long), size(all.long_bytes))
    }

    /// Sum of the groups from `step` on.
    fn from(&self, step: usize) -> Group {
        self.groups[step..].iter().fold(Group::default(), |sum, group| Group {
            short: sum.short + group.short,
            long: sum.long + group.long,
            long_bytes: sum.long_bytes + group.long_bytes,
            bytes: sum.bytes + group.bytes,
            occurrences: sum.occurrences + group.occurrences,
        })
    }

    /// Refuses training that would take more than `limit` bytes, and says which pruning would make it fit.
    ///
    /// # Errors
    /// It would.
    pub fn check_training(&self, limit: u64) -> Result<()> {
        let all = self.from(0);
        let needed = training_bytes(&all);
        if needed <= limit {
            return Ok(());
        }
        let fits = (1..STEPS).map(|step| (step, self.from(step))).find(|(_, kept)| training_bytes(kept) <= limit);
        let cure = match fits {
            Some((step, kept)) if kept.short + kept.long > 0 => format!(
                "or call counts.prune({}), which drops {} of them, {} of {} occurrences",
                1u128 << step,
                all.short + all.long - kept.short - kept.long,
                all.occurrences - kept.occurrences,
                all.occurrences
            ),
            _ => "no pruning of rare pretokens would make it fit".to_owned(),
        };
        Err(Error::Train(format!(
            "training on {} different pretokens needs about {} MiB, above max_memory={limit} ({} MiB): raise max_memory, {cure}",
            all.short + all.long,
            needed.div_ceil(1 << 20),
            limit >> 20
        )))
    }
}

/// Most bytes in use while a vocabulary is trained, the interpreter included. Measured with `benches/scale.py --training`;
/// see `docs/scale.md`.
fn training_bytes(kept: &Group) -> u64 {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX / 64);
    let table = CountTable::room(size(kept.short), size(kept.long), size(kept.long_bytes)) as u64;
    let words = (kept.short + kept.long) * BYTES_A_PRETOKEN;
    table + words + kept.bytes * BYTES_A_BYTE + INTERPRETER
}

/// The head of a word's record (16 with its padding), and one pair that nothing has merged when the last floor is reached:
/// its entry, its slots, its place in the queue.
const BYTES_A_PRETOKEN: u64 = 88;
/// A symbol, and its places in the lists of pairs: one when they are sifted, one more while merges move it.
const BYTES_A_BYTE: u64 = 12;
const INTERPRETER: u64 = 48 << 20;
