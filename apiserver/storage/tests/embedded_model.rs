//! The embedded store against a model that is too simple to be wrong, over random operations.

use std::collections::BTreeMap;
use std::path::Path;

use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use storage::embedded::{Embedded, Options};
use storage::{Error, Event, KeyValue, ListOptions, Outcome, Revision, Storage};
use tempfile::TempDir;

#[derive(Clone, Debug)]
enum Operation {
    /// Expect the present revision, or one that is off by this much.
    Put {
        key: usize,
        off: u64,
        value: u8,
    },
    Delete {
        key: usize,
        off: u64,
    },
    /// To this many revisions before the present (or beyond it).
    Compact {
        back: i64,
    },
    Reopen {
        close: bool,
    },
    List {
        prefix: usize,
        back: Option<i64>,
        start: Option<usize>,
        limit: usize,
    },
    Watch {
        prefix: usize,
        back: i64,
    },
}

const KEYS: [&[u8]; 7] = [b"/a/1", b"/a/2", b"/a", b"/b/\0", b"/b/\xff", b"/b", b"\xff\xff"];
const PREFIXES: [&[u8]; 6] = [b"", b"/", b"/a/", b"/b", b"\xff", b"/c"];

/// All that ever happened.
#[derive(Default)]
struct Model {
    /// (revision, key, value or deletion)
    log: Vec<(Revision, &'static [u8], Option<u8>)>,
    first: Revision,
    compacted: Revision,
}

impl Model {
    fn revision(&self) -> Revision {
        self.log.last().map_or(self.first, |entry| entry.0)
    }

    fn state(&self, at: Revision) -> BTreeMap<&'static [u8], (u8, Revision)> {
        let mut state = BTreeMap::new();
        for &(revision, key, value) in self.log.iter().take_while(|entry| entry.0 <= at) {
            match value {
                Some(value) => state.insert(key, (value, revision)),
                None => state.remove(key),
            };
        }
        state
    }

    fn kv(&self, key: &[u8], at: Revision) -> Option<KeyValue> {
        let state = self.state(at);
        let (key, &(value, revision)) = state.get_key_value(key)?;
        Some(KeyValue { key: key.to_vec().into(), value: vec![value; 3].into(), mod_revision: revision })
    }

    fn present(&self, key: &[u8]) -> Revision {
        self.kv(key, self.revision()).map_or(0, |kv| kv.mod_revision)
    }

    fn back(&self, back: i64) -> Revision {
        self.revision().saturating_add_signed(-back)
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = 0..KEYS.len();
    let off = prop_oneof![8 => Just(0u64), 1 => Just(1), 1 => Just(3)];
    let back = -2..12i64;
    prop_oneof![
        8 => (key.clone(), off.clone(), any::<u8>()).prop_map(|(key, off, value)| Operation::Put { key, off, value }),
        4 => (key.clone(), off).prop_map(|(key, off)| Operation::Delete { key, off }),
        1 => back.clone().prop_map(|back| Operation::Compact { back }),
        1 => any::<bool>().prop_map(|close| Operation::Reopen { close }),
        3 => (0..PREFIXES.len(), prop::option::of(back.clone()), prop::option::of(key), 0..4usize)
            .prop_map(|(prefix, back, start, limit)| Operation::List { prefix, back, start, limit }),
        3 => (0..PREFIXES.len(), back).prop_map(|(prefix, back)| Operation::Watch { prefix, back }),
    ]
}

fn open(path: &Path) -> Embedded {
    Embedded::open(path, Options::default()).expect("the store opens")
}

async fn check_write(outcome: Outcome, key: &'static [u8], expected: Revision, value: Option<u8>, model: &mut Model) {
    let present = model.present(key);
    let done = present == expected && (value.is_some() || present != 0);
    match outcome {
        Outcome::Done(revision) => {
            assert!(done, "expected {expected}, present {present}");
            assert_eq!(revision, model.revision() + 1);
            model.log.push((revision, key, value));
        }
        Outcome::Mismatch(got) => {
            assert!(!done, "expected {expected}, present {present}");
            assert_eq!((got.revision, got.kv), (model.revision(), model.kv(key, model.revision())));
        }
    }
}

async fn check_list(store: &Embedded, prefix: &[u8], options: ListOptions, model: &Model) {
    let at = options.revision.filter(|&at| at != 0).unwrap_or(model.revision());
    match store.list(prefix, options.clone()).await {
        Ok(listed) => {
            assert!((model.compacted..=model.revision()).contains(&at), "{at} was listed");
            let start = options.start.unwrap_or_default();
            let mut expected: Vec<KeyValue> = model.state(at).into_keys().filter_map(|key| model.kv(key, at)).collect();
            expected.retain(|kv| kv.key.starts_with(prefix) && kv.key >= start);
            let whole = expected.len();
            expected.truncate(if options.limit == 0 { usize::MAX } else { options.limit });
            assert_eq!(listed.remaining as usize, whole - expected.len());
            assert_eq!((listed.revision, listed.kvs), (at, expected));
        }
        Err(Error::Compacted { compacted, .. }) => assert!(at < model.compacted && compacted == model.compacted),
        Err(Error::FutureRevision { current, .. }) => assert!(at > current && current == model.revision()),
        Err(error) => panic!("{error}"),
    }
}

async fn check_watch(store: &Embedded, prefix: &[u8], after: Revision, model: &Model) {
    let mut watch = match store.watch(prefix, after).await {
        Ok(watch) => watch,
        Err(Error::Compacted { .. }) => return assert!(after < model.compacted, "{after} is not compacted"),
        Err(error) => panic!("{error}"),
    };
    assert!(after >= model.compacted, "{after} is compacted");
    watch.progress.request();
    let mut expected = model.log.iter().filter(|entry| entry.0 > after && entry.1.starts_with(prefix));
    loop {
        match watch.events.next().await.expect("the watch goes on").expect("the watch goes on") {
            Event::Progress(reached) => {
                assert_eq!(reached, model.revision());
                break;
            }
            Event::Put { kv, previous } => {
                let &(revision, key, _) = expected.next().expect("no event too many");
                assert_eq!(Some(kv), model.kv(key, revision));
                assert_eq!(previous, model.kv(key, revision - 1));
            }
            Event::Delete { key, revision, previous } => {
                assert_eq!(Some(&(revision, &key[..], None)), expected.next());
                assert_eq!(previous, model.kv(&key, revision - 1));
            }
        }
    }
    assert_eq!(expected.next(), None, "an event is missing");
    assert!(watch.events.next().now_or_never().is_none(), "an event too many");
}

async fn run(operations: Vec<Operation>) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("store");
    let mut store = open(&path);
    let mut model = Model { first: store.current_revision().await.expect("a revision"), ..Model::default() };
    for operation in operations {
        match operation {
            Operation::Put { key, off, value } => {
                let (key, expected) = (KEYS[key], model.present(KEYS[key]) + off);
                let outcome = store.compare_and_put(key, expected, vec![value; 3].into(), None).await.expect("put");
                check_write(outcome, key, expected, Some(value), &mut model).await;
            }
            Operation::Delete { key, off } => {
                let (key, expected) = (KEYS[key], model.present(KEYS[key]) + off);
                let outcome = store.compare_and_delete(key, expected).await.expect("delete");
                check_write(outcome, key, expected, None, &mut model).await;
            }
            Operation::Compact { back } => match store.compact(model.back(back)).await {
                Ok(()) => {
                    assert!(model.back(back) <= model.revision());
                    model.compacted = model.compacted.max(model.back(back));
                }
                Err(Error::FutureRevision { .. }) => assert!(back < 0),
                Err(error) => panic!("{error}"),
            },
            Operation::Reopen { close } => {
                if close {
                    store.close().await.expect("close");
                }
                drop(store);
                store = open(&path);
            }
            Operation::List { prefix, back, start, limit } => {
                let start = start.map(|key| KEYS[key].into());
                let options =
                    ListOptions { revision: back.map(|back| model.back(back)), start, limit, uncounted: false };
                check_list(&store, PREFIXES[prefix], options, &model).await;
            }
            Operation::Watch { prefix, back } => {
                check_watch(&store, PREFIXES[prefix], model.back(back), &model).await;
            }
        }
        assert_eq!(store.current_revision().await.expect("a revision"), model.revision());
    }
    for at in model.compacted..=model.revision() {
        check_list(&store, b"", ListOptions { revision: Some(at), ..Default::default() }, &model).await;
    }
    check_watch(&store, b"", model.compacted, &model).await;
    for key in KEYS {
        assert_eq!(store.get(key).await.expect("get").kv, model.kv(key, model.revision()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(operations in prop::collection::vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(operations));
    }
}
