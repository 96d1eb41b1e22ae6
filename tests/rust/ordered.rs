//! Pieces that come in any order end up one behind another, with and without room made for them.

use bpetok::ordered::Ordered;
use proptest::prelude::*;

proptest! {
    #[test]
    fn pieces_are_in_order(
        lengths in prop::collection::vec(0usize..50, 0..40),
        room in 0usize..1200,
        threads in 1usize..4,
        seed in any::<u64>(),
    ) {
        let piece = |number: usize| (0..lengths[number]).map(move |i| (number * 100 + i) as u32);
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&number| (number as u64 + 1).wrapping_mul(seed | 1));
        let mut list = vec![7];
        list.reserve_exact(room);
        let result: Result<(), ()> = Ordered::fill(&mut list, |ordered| {
            std::thread::scope(|scope| {
                for numbers in order.chunks(order.len().div_ceil(threads).max(1)) {
                    scope.spawn(|| numbers.iter().for_each(|&number| {
                        let mut made = ordered.take();
                        assert!(made.is_empty());
                        made.extend(piece(number));
                        ordered.put(number, made);
                    }));
                }
            });
            Ok(())
        });
        prop_assert!(result.is_ok());
        let wanted: Vec<u32> = std::iter::once(7).chain((0..lengths.len()).flat_map(piece)).collect();
        prop_assert_eq!(list, wanted);
    }
}

#[test]
fn an_error_leaves_the_list_as_it_was() {
    let mut list = Vec::with_capacity(10);
    list.push(1);
    let result = Ordered::fill(&mut list, |ordered| {
        ordered.put(0, vec![2, 3]);
        Err::<(), _>("stop")
    });
    assert_eq!((result, list), (Err("stop"), vec![1]));
}
