//! Whatever is written, and however the store breaks: every watcher sees what the writes imply, every list shows what
//! was there.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Object and label.
    Put(u8, u8),
    Delete(u8),
    Elsewhere,
    Break,
    Settle,
    Hold,
    Release,
    /// How far back it starts, scope, label.
    Watch(u8, u8, Option<u8>),
    List(u8, u8, Option<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u8, 0..2_u8).prop_map(|(name, app)| Step::Put(name, app)),
        4 => (0..6_u8).prop_map(Step::Delete),
        1 => Just(Step::Elsewhere),
        1 => Just(Step::Break),
        2 => Just(Step::Settle),
        1 => Just(Step::Hold),
        1 => Just(Step::Release),
        2 => (0..20_u8, 0..4_u8, proptest::option::of(0..2_u8)).prop_map(|(b, s, l)| Step::Watch(b, s, l)),
        2 => (0..20_u8, 0..4_u8, proptest::option::of(0..2_u8)).prop_map(|(b, s, l)| Step::List(b, s, l)),
    ]
}

fn name(number: u8) -> String {
    format!("{}/pod{}", ["a", "ab"][number as usize % 2], number / 2)
}

fn scope(number: u8) -> Scope {
    [Scope::All, namespace("a"), namespace("ab"), object("a", "pod1")][number as usize].clone()
}

fn in_scope(scope: &Scope, name: &str) -> bool {
    KeyRange::of(scope, PREFIX).contains(&format!("{PREFIX}{name}"))
}

/// Revision, object, label.
type Write = (Revision, String, Option<u8>);

/// What a watcher must see of `writes` after `after`.
fn expected(writes: &[Write], after: Revision, scope: &Scope, label: Option<u8>) -> Vec<String> {
    let mut state: BTreeMap<&str, (Revision, u8)> = BTreeMap::new();
    let mut seen = Vec::new();
    for (revision, name, app) in writes {
        let before = match app {
            Some(app) => state.insert(name, (*revision, *app)),
            None => state.remove(&**name),
        };
        if *revision <= after || !in_scope(scope, name) {
            continue;
        }
        let matches = |(_, app): &(Revision, u8)| label.is_none_or(|label| label == *app);
        let now = app.map(|app| (*revision, app));
        seen.extend(match (before.filter(matches), now.filter(matches)) {
            (None, Some((_, app))) => Some(format!("ADDED@{revision} {name}@{revision} {app}")),
            (Some(_), Some((_, app))) => Some(format!("MODIFIED@{revision} {name}@{revision} {app}")),
            (Some((old, app)), None) => Some(format!("DELETED@{revision} {name}@{old} {app}")),
            (None, None) => None,
        });
    }
    seen
}

fn expected_list(writes: &[Write], at: Revision, scope: &Scope, label: Option<u8>) -> Vec<String> {
    let mut state = BTreeMap::new();
    for (revision, name, app) in writes.iter().filter(|(revision, ..)| *revision <= at) {
        match app {
            Some(app) => drop(state.insert(name, (*revision, *app))),
            None => drop(state.remove(name)),
        }
    }
    let wanted =
        state.iter().filter(|(name, (_, app))| in_scope(scope, name) && label.is_none_or(|label| label == *app));
    wanted.map(|(name, (revision, app))| format!("{name}@{revision} {app}")).collect()
}

async fn run(steps: Vec<Step>) {
    let fake = Fake::new();
    let mut writes: Vec<Write> = Vec::new();
    for number in 0..4 {
        writes.push((fake.put(&name(number), "0"), name(number), Some(0)));
    }
    let limits = HistoryLimits { min_events: 1, max_events: 12, ..HistoryLimits::default() };
    let index_field = Some("spec.nodeName".into());
    let cacher = cacher_with(&fake, Config { history: limits, index_field, ..config() });
    let mut watches = Vec::new();
    for step in steps {
        let exists =
            |name: &str| writes.iter().rev().find(|write| write.1 == name).is_some_and(|write| write.2.is_some());
        match step {
            Step::Put(number, app) => writes.push((fake.put(&name(number), &app.to_string()), name(number), Some(app))),
            Step::Delete(number) if exists(&name(number)) => {
                writes.push((fake.delete(&name(number)), name(number), None));
            }
            Step::Delete(_) => {}
            Step::Elsewhere => {
                fake.put_elsewhere();
            }
            Step::Break => fake.break_watches(),
            Step::Settle => settle().await,
            Step::Hold => fake.hold(),
            Step::Release => fake.release(),
            Step::Watch(back, number, label) => {
                let (after, scope) = (fake.revision().saturating_sub(back.into()), scope(number));
                let request = WatchRequest {
                    predicate: label.map(|label| app(&label.to_string())),
                    index_value: label.filter(|_| back % 2 == 0).map(|label| label.to_string().into()),
                    ..WatchRequest::new(scope.clone(), Start::Revision(after))
                };
                watches.push((after, scope, label, request.clone(), cacher.watch(request).await.unwrap()));
            }
            Step::List(back, number, label) => {
                let (revision, scope) = (fake.revision().saturating_sub(back.into()).max(1), scope(number));
                let consistent = back == 0;
                let at = if consistent { At::Newest(Freshness::Consistent) } else { At::Exact(revision) };
                let predicate = label.map(|label| app(&label.to_string()));
                fake.release();
                let listed =
                    cacher.list(ListRequest { predicate, ..ListRequest::new(scope.clone(), at) }).await.unwrap();
                assert_eq!(
                    show_list(&listed),
                    expected_list(&writes, listed.revision, &scope, label),
                    "{at:?} {scope:?}"
                );
                assert!(if consistent { listed.revision >= revision } else { listed.revision == revision });
            }
        }
    }
    fake.release();
    // The feed may be waiting to try again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    for (after, scope, label, request, watch) in &mut watches {
        let mut seen = delivered(watch).await;
        if seen.ends_with(&["ERROR the store is unavailable: broken".into(), "END".into()]) {
            // It was catching up; its client resumes.
            seen.truncate(seen.len() - 2);
            let last = seen.last().map(|last| last.split(['@', ' ']).nth(1).unwrap().parse().unwrap());
            request.start = Start::Revision(last.unwrap_or(*after));
            seen.extend(delivered(&mut cacher.watch(request.clone()).await.unwrap()).await);
        }
        assert_eq!(seen, expected(&writes, *after, scope, *label), "after {after} {scope:?} {label:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn watches_and_lists_show_what_was_written(steps in proptest::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps));
    }
}
