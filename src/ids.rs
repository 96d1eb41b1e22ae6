//! Names of a token and of two neighbours, and the order in which bytes get their ids.

/// A token's number in its vocabulary.
pub type TokenId = u32;

/// Highest id a vocabulary may use: the tables keep a length or a place beside each id in 32 bits.
pub const MAX_TOKEN_ID: TokenId = (1 << 26) - 2;

/// Two neighbouring tokens; ordered by left id, then right id, which is the trainer's last tie rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The left neighbour.
    pub left: TokenId,
    /// The right neighbour.
    pub right: TokenId,
}

/// The 256 bytes in the order in which GPT-2's byte-to-character map numbers them: the printable ranges
/// `!`..`~`, 0xA1..0xAC, 0xAE..0xFF first, the other 68 after. A trained vocabulary gives byte
/// `BYTE_ORDER[i]` the id `i`, which makes its tie rule agree with trainers that sort by character.
pub const BYTE_ORDER: [u8; 256] = byte_order();

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

const fn byte_order() -> [u8; 256] {
    let mut order = [0; 256];
    let mut filled = 0;
    let mut printable_pass = true;
    loop {
        let mut byte = 0usize;
        while byte < 256 {
            // The loop bound keeps `byte` below 256.
            #[allow(clippy::cast_possible_truncation)]
            let value = byte as u8;
            if is_printable(value) == printable_pass {
                order[filled] = value;
                filled += 1;
            }
            byte += 1;
        }
        if !printable_pass {
            return order;
        }
        printable_pass = false;
    }
}

/// Bits of an id where three stand in one word.
pub const THIRD_BITS: u32 = 21;
