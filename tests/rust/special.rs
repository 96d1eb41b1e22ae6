//! Special tokens: longest first, allowed or refused.

use bpetok::error::Error;
use bpetok::special::{Choice, Specials};
use bpetok::threads::Steps;
use proptest::prelude::*;

fn specials(names: &[&str]) -> Specials {
    Specials::new(names.iter().map(|n| (*n).to_owned()).zip(0..).collect()).unwrap()
}

#[test]
fn the_longest_at_a_place_counts() {
    let specials = specials(&["<a>", "<a><b>", "x"]);
    let found = specials.find(b"..<a><b>", 0, &Choice::All).unwrap();
    assert_eq!((found.start, found.end, found.index), (2, 8, 1));
    let only_short = specials.choose(["<a>"]).unwrap();
    assert_eq!(specials.find(b"..<a><b>", 0, &only_short).unwrap().index, 0);
}

#[test]
fn what_is_not_allowed_is_refused_with_its_place() {
    let specials = specials(&["<|end|>", "<|pad|>"]);
    let allowed = specials.choose(["<|pad|>"]).unwrap();
    let forbidden = Choice::all_but(&allowed, 2);
    assert!(specials.refuse(b"a <|pad|> b", &forbidden).is_ok());
    let error = specials.refuse(b"a <|end|> b", &forbidden).unwrap_err();
    assert!(matches!(&error, Error::SpecialInText { token, position: 2 } if token == "<|end|>"));
    assert!(specials.refuse(b"a <|end|> b", &Choice::None).is_ok());
}

#[test]
fn sets_that_cannot_be_are_refused() {
    for names in [vec![("", 1)], vec![("a", 1), ("a", 2)], vec![("a", 1), ("b", 1)]] {
        let named = names.iter().map(|&(n, id)| (n.to_owned(), id)).collect();
        assert!(matches!(Specials::new(named), Err(Error::BadSpecials(_))), "{names:?}");
    }
    assert!(matches!(Specials::new(vec![("a".to_owned(), u32::MAX)]), Err(Error::IdTooLarge(_))));
    assert!(matches!(specials(&["a"]).choose(["b"]), Err(Error::UnknownSpecial { .. })));
}

#[test]
fn many_first_bytes_are_found_too() {
    let specials = specials(&["a1", "b1", "c1", "d1", "e1"]);
    assert_eq!(specials.find(b"aabbe1", 0, &Choice::All).unwrap().start, 4);
    assert_eq!(specials.longest(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// The definition: at the first place where any allowed token begins, the longest of them.
    #[test]
    fn finding_is_trying_every_token_everywhere(
        names in prop::collection::btree_set("[<|a-b>é]{1,6}", 1..12),
        flags in prop::collection::vec(any::<bool>(), 12),
        text in "[<|a-bé> ]{0,40}",
        kind in 0..3,
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let specials = specials(&names);
        let choice = match kind {
            0 => Choice::All,
            1 => specials.choose(names.iter().zip(&flags).filter(|(_, flag)| **flag).map(|(name, _)| *name)).unwrap(),
            _ => Choice::all_but(&specials.choose([names[0]]).unwrap(), names.len()),
        };
        for from in 0..=text.len() {
            let at = |place: usize| {
                let fits = |index: &usize| choice.has(*index) && text.as_bytes()[place..].starts_with(names[*index].as_bytes());
                (0..names.len()).filter(fits).max_by_key(|&index| names[index].len()).map(|index| (place, index))
            };
            let wanted = (from..text.len()).find_map(at);
            let found = specials.find(text.as_bytes(), from, &choice);
            prop_assert_eq!(found.map(|found| (found.start, found.index)), wanted, "{:?} in {:?}", names, text);
            prop_assert!(found.is_none_or(|found| found.end == found.start + names[found.index].len()));
        }
    }
}

#[test]
fn long_tokens_that_begin_alike_are_told_apart() {
    let lengths = [1, 63, 64, 65, 127, 128, 129, 200];
    let specials = Specials::new(lengths.map(|length| "a".repeat(length)).into_iter().zip(0..).collect()).unwrap();
    for run in 1..=210 {
        let found = specials.find(&[&b"a".repeat(run)[..], b"b"].concat(), 0, &Choice::All).unwrap();
        assert_eq!((found.start, Some(&found.end)), (0, lengths.iter().rfind(|&&length| length <= run)), "{run}");
    }
}

/// Took 0.2 s for as many, and 1.5 s for the text, while each token was compared with each and tried at every place (2026-11-29).
#[test]
fn many_tokens_are_no_slower_than_few() {
    let names: Vec<String> = (0..20_000).map(|number| format!("<|reserved_{number}|>")).collect();
    let specials = Specials::new(names.into_iter().zip(0..).collect()).unwrap();
    let text = [b"<|reserved_".repeat(100_000), b"<".repeat(1_000_000), b"<|reserved_19999|>".to_vec()].concat();
    assert_eq!(specials.find(&text, 0, &Choice::All).unwrap().start, 2_100_000);
    assert!(specials.find(&text, 2_100_001, &Choice::All).is_none());
}

#[test]
fn long_texts_are_refused_in_steps_wherever_the_token_stands() {
    let (specials, step) = (specials(&["<|end|>", "<|end|><|end|>"]), 256 << 10);
    let mut text = vec![b'<'; 3 * step];
    for place in (step - 16..step + 3).chain([0, 2 * step, 3 * step - 7]) {
        text[place..place + 7].copy_from_slice(b"<|end|>");
        let error = specials.refuse(&text, &Choice::All).unwrap_err();
        assert!(matches!(&error, Error::SpecialInText { token, position } if token == "<|end|>" && *position == place));
        text[place..place + 7].fill(b'<');
    }
    assert!(specials.refuse(&text, &Choice::All).is_ok());
    let mut ask = || Err(Error::Interrupted);
    let stopped = specials.refuse_in_steps(&text, &Choice::All, &mut Steps::new(&mut ask));
    assert!(matches!(stopped, Err(Error::Interrupted)));
}
