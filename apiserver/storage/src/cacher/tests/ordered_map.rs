//! The ordered map that snapshots are made of, held against the standard one in the ways that the cacher uses it.

use std::collections::BTreeMap;
use std::ops::Bound;

use imbl::OrdMap;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u16),
    Remove(u16),
    /// Keep a clone and compare it at the end.
    Keep,
    Range(u16, u16),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..400_u16;
    prop_oneof![
        10 => key.clone().prop_map(Step::Insert),
        8 => key.clone().prop_map(Step::Remove),
        1 => Just(Step::Keep),
        2 => (key.clone(), key).prop_map(|(from, to)| Step::Range(from.min(to), from.max(to))),
    ]
}

fn key(number: u16) -> Arc<str> {
    // Keys that are prefixes of others, as names are.
    format!("{}{}", "x/".repeat(usize::from(number % 20)), number / 20).into()
}

type Pair = (OrdMap<Arc<str>, usize>, BTreeMap<Arc<str>, usize>);

fn same((map, model): &Pair) {
    assert_eq!(map.len(), model.len());
    assert!(map.iter().eq(model.iter()), "{map:?} is not {model:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn it_is_an_ordered_map_and_its_clones_do_not_change(steps in proptest::collection::vec(step(), 1..600)) {
        let mut pair: Pair = Default::default();
        let mut kept = Vec::new();
        for (value, step) in steps.into_iter().enumerate() {
            let (map, model) = &mut pair;
            match step {
                Step::Insert(number) => {
                    prop_assert_eq!(map.get(&*key(number)), model.get(&*key(number)));
                    prop_assert_eq!(map.insert(key(number), value), model.insert(key(number), value));
                }
                Step::Remove(number) => {
                    prop_assert_eq!(map.remove_with_key(&*key(number)), model.remove_entry(&*key(number)));
                }
                Step::Keep => kept.push(pair.clone()),
                Step::Range(from, to) => {
                    let (from, to) = (key(from).min(key(to)), key(from).max(key(to)));
                    let bounds = (Bound::Included(&*from), Bound::Excluded(&*to));
                    let mut range = map.range::<_, str>(bounds);
                    let mut want = model.range::<str, _>(bounds);
                    prop_assert_eq!(range.next(), want.next());
                    prop_assert!(range.eq(want), "{:?}", (from, to));
                }
            }
        }
        kept.push(pair);
        kept.iter().for_each(same);
    }
}
