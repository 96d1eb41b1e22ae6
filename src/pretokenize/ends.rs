//! Where pretokens end: what a scanner hands to those who look pretokens up or count them.

use super::block::BLOCK;
use super::joined::Mark;

/// Most pretokens of one batch: new words come in crowds large enough to merge side by side.
pub const BATCH: usize = 4096;
/// So many where many of them are new or rare, which are crowd enough then: what is noted of each should stay in the nearest cache.
const FEWER: usize = 2048;

/// Ends of consecutive pretokens, as byte positions in a text. Who adds them may know only a part of it.
pub struct Ends {
    found: [usize; BATCH],
    len: usize,
    /// Most that are added before they are handed over.
    most: usize,
    /// Numbers of those that end no pretoken but a mark behind a text, and what it is for.
    marks: Vec<(usize, Mark)>,
    /// Where that part begins.
    first: usize,
}

impl Default for Ends {
    #[allow(clippy::large_stack_arrays, reason = "made once for many texts")]
    fn default() -> Self {
        Self { found: [0; BATCH], len: 0, most: FEWER, marks: Vec::new(), first: 0 }
    }
}

impl Ends {
    /// The ends found.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[usize] {
        &self.found[..self.len]
    }

    /// Which of them are marks behind a text, and what for.
    #[inline]
    #[must_use]
    pub fn marks(&self) -> &[(usize, Mark)] {
        &self.marks
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.len = 0;
        self.marks.clear();
    }

    /// Says whether few of those that come now will be new or rare.
    #[inline]
    pub fn expect_known(&mut self, are_known: bool) {
        self.most = if are_known { BATCH } else { FEWER };
    }

    /// What is added from now on is counted from byte `first` of the text.
    #[inline]
    pub fn count_from(&mut self, first: usize) {
        self.first = first;
    }

    /// From which byte of the text what is added is counted.
    #[inline]
    #[must_use]
    pub fn counted_from(&self) -> usize {
        self.first
    }

    /// Adds one; the caller leaves when [`Ends::room`] is 0.
    #[inline]
    pub fn push(&mut self, end: usize) {
        self.found[self.len] = self.first + end;
        self.len += 1;
    }

    /// Adds the end of a mark, as [`Ends::push`] does that of a pretoken.
    #[inline]
    pub fn push_mark(&mut self, end: usize, mark: Mark) {
        self.marks.push((self.len, mark));
        self.push(end);
    }

    /// How many more fit.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.len)
    }

    /// Whether there may be too little room for what a window adds.
    #[inline]
    #[must_use]
    pub fn are_nearly_full(&self) -> bool {
        self.room() < BLOCK + 8
    }

    /// Adds the end `base + i` for every bit `i` of `bits`. There must be room for [`BLOCK`] of them.
    #[inline(always)]
    pub(super) fn push_bits(&mut self, base: usize, mut bits: u64) {
        let (base, count) = (self.first + base, bits.count_ones() as usize);
        let target = &mut self.found[self.len..self.len + BLOCK];
        let mut written = 0;
        // Eight at a time without asking whether the bit exists: one branch for most windows.
        while written < count {
            for slot in &mut target[written..written + 8] {
                *slot = base + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            written += 8;
        }
        self.len += count;
    }

    /// The same with AVX-512: the numbers of the bits are packed together, then widened eight at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
    #[inline]
    pub(super) fn push_bits_avx512(&mut self, base: usize, bits: u64) {
        use std::arch::x86_64::{
            __m512i, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_castsi512_si128, _mm512_cvtepu8_epi64,
            _mm512_maskz_compress_epi8, _mm512_set1_epi64, _mm512_storeu_si512,
        };
        // SAFETY: both types are 64 bytes of plain data, and every bit pattern is a value of each.
        let numbers: __m512i = unsafe { std::mem::transmute(NUMBERS) };
        let base = _mm512_set1_epi64((self.first + base).cast_signed() as i64);
        let count = bits.count_ones() as usize;
        let mut numbers = _mm512_maskz_compress_epi8(bits, numbers);
        // Sixteen at a time: more are rare in text.
        for target in self.found[self.len..self.len + BLOCK].as_chunks_mut::<16>().0.iter_mut().take(count.div_ceil(16))
        {
            for target in target.as_chunks_mut::<8>().0 {
                let ends = _mm512_add_epi64(base, _mm512_cvtepu8_epi64(_mm512_castsi512_si128(numbers)));
                // SAFETY: eight ends are the 64 bytes that are written.
                unsafe { _mm512_storeu_si512(target.as_mut_ptr().cast(), ends) };
                numbers = _mm512_alignr_epi64::<1>(numbers, numbers);
            }
        }
        self.len += count;
    }
}

/// 0, 1, 2, ...
#[cfg(target_arch = "x86_64")]
static NUMBERS: [u8; BLOCK] = {
    let mut numbers = [0; BLOCK];
    let mut number = 0;
    while number < BLOCK {
        numbers[number] = number as u8;
        number += 1;
    }
    numbers
};
