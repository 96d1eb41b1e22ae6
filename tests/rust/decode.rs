//! Ids -> bytes, beside the tokens joined one behind another.

use bpetok::error::Error;
use proptest::prelude::*;

use crate::tokenizer;

/// Tokens of 2 to 40 bytes: those of 15 and more stand elsewhere than the others.
fn tokens() -> Vec<Vec<u8>> {
    (2..=40u8).map(|length| (0..length).map(|i| length ^ i.wrapping_mul(37)).collect()).collect()
}

proptest! {
    #[test]
    fn tokens_of_all_lengths_stand_one_behind_another(
        ids in prop::collection::vec(0u32..300, 0..200),
        before in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        // A gap from 295 on, and special tokens on both sides of where a token is long.
        let specials = [("<fifteen bytes>", 297), ("<sixteen  bytes>", 298), ("<seventeen  bytes>", 299)];
        let tokenizer = tokenizer("gpt2", &tokens(), &specials);
        let all: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).chain(tokens()).collect();
        let bytes = |id: u32| match id {
            297.. => specials[id as usize - 297].0.as_bytes(),
            _ => all.get(id as usize).map_or(&[][..], Vec::as_slice),
        };
        let mut out = before.clone();
        let result = tokenizer.decoder().decode(&ids, &mut out);
        match ids.iter().position(|&id| bytes(id).is_empty()) {
            None => {
                prop_assert!(result.is_ok());
                prop_assert_eq!(out, ids.iter().fold(before, |mut all, &id| { all.extend(bytes(id)); all }));
            }
            Some(at) => {
                let is_named = matches!(result, Err(Error::UnknownId { id, index, .. }) if id == u64::from(ids[at]) && index == at);
                prop_assert!(is_named);
                prop_assert_eq!(out, before);
            }
        }
        for id in 0..300 {
            prop_assert_eq!(tokenizer.decoder().get(id).unwrap_or_default(), bytes(id));
            prop_assert_eq!(tokenizer.decoder().lengths()[id as usize] as usize, bytes(id).len());
        }
    }
}
