//! Special tokens: longest first, allowed or refused.

use bpetok::error::Error;
use bpetok::special::{Choice, Specials};

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
