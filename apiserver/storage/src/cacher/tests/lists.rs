//! Lists and gets.

use super::*;

fn filled() -> Arc<Fake> {
    let fake = Fake::new();
    // "0" follows "/".
    for (name, app) in [("b/two", "web"), ("a/one", "web"), ("a/three", "db"), ("a0/four", "web")] {
        fake.put(name, app);
    }
    fake
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_a_range_of_keys_and_a_predicate_selects_in_it() {
    let cacher = cacher(&filled());
    let cases = [
        (Scope::All, None, vec!["a/one@2 web", "a/three@3 db", "a0/four@4 web", "b/two@1 web"]),
        (namespace("a"), None, vec!["a/one@2 web", "a/three@3 db"]),
        (namespace("none"), None, vec![]),
        (Scope::All, Some(app("db")), vec!["a/three@3 db"]),
        (namespace("b"), Some(app("db")), vec![]),
        (object("a", "one"), None, vec!["a/one@2 web"]),
        (object("a", "on"), None, vec![]),
        (object("a", "one"), Some(app("db")), vec![]),
    ];
    for (scope, predicate, want) in cases {
        let listed = cacher.list(ListRequest { predicate, ..newest(scope.clone()) }).await.unwrap();
        assert_eq!(
            (show_list(&listed), listed.revision),
            (want.iter().map(|s| s.to_string()).collect(), 4),
            "{scope:?}"
        );
        assert_eq!((listed.next, listed.remaining), (None, Some(0)));
    }
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_state_whatever_happens_between_them() {
    let fake = filled();
    // The history forgets at once what the pages still need.
    let limits = HistoryLimits { min_events: 1, max_events: 1, ..HistoryLimits::default() };
    let cacher = cacher_with(&fake, Config { history: limits, ..config() });
    for (scope, predicate) in
        [(Scope::All, None), (Scope::All, Some(app("web"))), (namespace("a"), None), (Scope::All, None)]
    {
        let whole = cacher.list(ListRequest { predicate: predicate.clone(), ..newest(scope.clone()) }).await.unwrap();
        let mut request = ListRequest { predicate, limit: 1, ..newest(scope) };
        let mut pages = Vec::new();
        loop {
            let page = cacher.list(request.clone()).await.unwrap();
            assert_eq!(page.revision, whole.revision);
            pages.extend(show_list(&page));
            if request.predicate.is_none() {
                assert_eq!(page.remaining, Some((whole.entries.len() - pages.len()) as u64));
            }
            let Some(next) = page.next else { break };
            request.start = Some(next);
            request.at = At::Exact(page.revision);
            fake.delete("b/two");
            fake.put("a/zero", "web");
            fake.put("b/two", "db");
            settle().await;
        }
        assert_eq!(pages, show_list(&whole));
        fake.put("b/two", "web");
        fake.delete("a/zero");
    }
    assert_eq!((fake.lists(), cacher.counters().lists_from_store.get()), (1, 0), "all pages are from memory");
}

#[tokio::test(start_paused = true)]
async fn a_consistent_read_is_never_older_than_an_acknowledged_write() {
    for fake in [Fake::new(), Fake::local()] {
        let cacher = cacher(&fake);
        cacher.list(newest(Scope::All)).await.unwrap();
        settle().await;
        fake.hold();
        let written = fake.put("a/one", "web");
        let reader = cacher.clone();
        let list = tokio::spawn(async move { reader.list(newest(Scope::All)).await.unwrap() });
        settle().await;
        assert!(!list.is_finished(), "the cache has not seen the write yet");
        assert_eq!(cacher.get("a", "one", Freshness::Any).await.unwrap().entry.map(|entry| show_entry(&entry)), None);
        let got = cacher.get("a", "one", Freshness::Consistent).await.unwrap();
        assert_eq!(got.entry.map(|entry| show_entry(&entry)).as_deref(), Some("a/one@1 web"), "from the store");
        fake.release();
        let listed = list.await.unwrap();
        assert_eq!((show_list(&listed), listed.revision), (vec!["a/one@1 web".to_string()], written));
    }
}

#[tokio::test(start_paused = true)]
async fn a_consistent_get_is_answered_from_a_cache_that_keeps_up() {
    for fake in [Fake::new(), Fake::local()] {
        let cacher = cacher(&fake);
        cacher.list(newest(Scope::All)).await.unwrap();
        settle().await;
        for (app, elsewhere) in [("web", false), ("db", true), ("web", false)] {
            fake.put("a/one", app);
            settle().await;
            if elsewhere && fake.local_revision().is_none() {
                fake.put_elsewhere();
            }
            let got = cacher.get("a", "one", Freshness::Consistent).await.unwrap();
            assert_eq!(got.entry.unwrap().label("app"), Some(app));
            assert!(got.revision >= fake.revision());
        }
        assert_eq!(fake.gets(), 0);
        fake.break_watches();
        fake.set_unavailable(true);
        assert!(cacher.get("a", "one", Freshness::Consistent).await.is_err() || fake.local_revision().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_consistent_read_of_a_quiet_resource_asks_the_store_for_progress() {
    let fake = filled();
    let cacher = cacher(&fake);
    cacher.list(newest(Scope::All)).await.unwrap();
    settle().await;
    let elsewhere = fake.put_elsewhere();
    let began = tokio::time::Instant::now();
    assert_eq!(cacher.list(newest(Scope::All)).await.unwrap().revision, elsewhere);
    assert_eq!(began.elapsed(), Duration::ZERO, "it asks at once");
    assert_eq!(fake.lists(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_does_not_come_is_an_error_after_the_timeout() {
    let fake = filled();
    let cacher = cacher(&fake);
    let began = tokio::time::Instant::now();
    for at in [At::Newest(Freshness::NotOlderThan(99)), At::Exact(99)] {
        let error = cacher.list(ListRequest::new(Scope::All, at)).await.unwrap_err();
        assert!(matches!(error, Error::FutureRevision { requested: 99, current: 4 }), "{error:?}");
    }
    assert_eq!(began.elapsed().as_secs(), 6, "three seconds each");
    let (waiting, writer) = (cacher.clone(), fake.clone());
    let list = tokio::spawn(async move {
        waiting.list(ListRequest::new(Scope::All, At::Newest(Freshness::NotOlderThan(5)))).await
    });
    settle().await;
    writer.put("a/five", "web");
    assert_eq!(list.await.unwrap().unwrap().revision, 5);
}

#[tokio::test(start_paused = true)]
async fn exact_revisions_come_from_the_history_and_older_ones_from_the_store() {
    let fake = filled();
    let limits = HistoryLimits { min_events: 2, max_events: 2, ..HistoryLimits::default() };
    let cacher = cacher_with(&fake, Config { history: limits, ..config() });
    cacher.list(newest(Scope::All)).await.unwrap();
    fake.delete("a/one"); // 5
    fake.put("b/two", "db"); // 6
    fake.put("a/one", "new"); // 7
    settle().await;
    let cases = [
        (7, 0, vec!["a/one@7 new", "a/three@3 db", "a0/four@4 web", "b/two@6 db"]),
        (6, 0, vec!["a/three@3 db", "a0/four@4 web", "b/two@6 db"]),
        (5, 0, vec!["a/three@3 db", "a0/four@4 web", "b/two@1 web"]),
        (4, 1, vec!["a/one@2 web", "a/three@3 db", "a0/four@4 web", "b/two@1 web"]),
        (1, 1, vec!["b/two@1 web"]),
    ];
    for (revision, from_store, want) in cases {
        let before = cacher.counters().lists_from_store.get();
        let listed = cacher.list(ListRequest::new(Scope::All, At::Exact(revision))).await.unwrap();
        assert_eq!((listed.revision, show_list(&listed)), (revision, want.iter().map(|s| s.to_string()).collect()));
        assert_eq!(cacher.counters().lists_from_store.get() - before, from_store, "revision {revision}");
        // In pages the same.
        let mut request = ListRequest { limit: 1, ..ListRequest::new(Scope::All, At::Exact(revision)) };
        let mut pages = Vec::new();
        loop {
            let page = cacher.list(request.clone()).await.unwrap();
            pages.extend(show_list(&page));
            assert_eq!(page.remaining, Some((want.len() - pages.len()) as u64), "revision {revision}");
            let Some(next) = page.next else { break };
            request.start = Some(next);
        }
        assert_eq!(pages, want, "revision {revision} in pages");
        // Selected, within a namespace.
        let request =
            ListRequest { predicate: Some(app("web")), ..ListRequest::new(namespace("a"), At::Exact(revision)) };
        let web = want.iter().filter(|entry| entry.starts_with("a/") && entry.ends_with(" web"));
        let listed = cacher.list(request).await.unwrap();
        assert_eq!(show_list(&listed), web.map(|s| s.to_string()).collect::<Vec<_>>(), "revision {revision} selected");
    }
    fake.compact_to(3);
    let error = cacher.list(ListRequest::new(Scope::All, At::Exact(2))).await.unwrap_err();
    assert!(matches!(error, Error::Compacted { requested: 2, compacted: 3 }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_decoded_fails_the_lists_that_cover_it_and_nothing_else() {
    let fake = filled();
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(4))).await.unwrap();
    fake.put_raw("/registry/pods/a/one", "not JSON");
    fake.put("a/three", "web");
    settle().await;
    for scope in [Scope::All, namespace("a"), object("a", "one")] {
        let error = cacher.list(newest(scope)).await.unwrap_err();
        assert!(matches!(&error, Error::Corrupt(why) if why.contains("/registry/pods/a/one")), "{error:?}");
    }
    assert!(matches!(cacher.get("a", "one", Freshness::Any).await, Err(Error::Corrupt(_))));
    assert!(matches!(cacher.get("a", "one", Freshness::Consistent).await, Err(Error::Corrupt(_))));
    assert_eq!(show_list(&cacher.list(newest(namespace("b"))).await.unwrap()), ["b/two@1 web"]);
    let initial = WatchRequest::new(Scope::All, Start::InitialEvents(Freshness::Any));
    assert!(matches!(cacher.watch(initial).await, Err(Error::Corrupt(_))));
    let listed = cacher.list(ListRequest::new(namespace("a"), At::Exact(4))).await.unwrap();
    assert_eq!(show_list(&listed), ["a/one@2 web", "a/three@3 db"], "the state before it is whole");
    // Watchers keep what they knew, until the value is repaired or deleted.
    assert_eq!(delivered(&mut watch).await, ["MODIFIED@6 a/three@6 web"]);
    fake.put("a/one", "db");
    fake.put_raw("/registry/pods/b/two", "[]");
    fake.delete("b/two");
    fake.put_raw("/registry/pods/b/six", "[]");
    fake.delete("b/six");
    assert_eq!(delivered(&mut watch).await, ["MODIFIED@7 a/one@7 db", "DELETED@9 b/two@1 web"]);
    assert_eq!(cacher.list(newest(Scope::All)).await.unwrap().entries.len(), 3);
    assert_eq!(cacher.counters().decode_failures.get(), 3, "{:?}", cacher.counters());
}

#[tokio::test(start_paused = true)]
async fn a_large_resource_is_read_in_pages() {
    let fake = Fake::new();
    for i in 0..1203 {
        fake.put(&format!("ns{}/pod{i:04}", i % 7), "web");
    }
    let cacher = cacher(&fake);
    let listed = cacher.list(newest(Scope::All)).await.unwrap();
    assert_eq!((listed.entries.len(), fake.lists()), (1203, 3));
    assert!(listed.entries.is_sorted_by_key(|entry| entry.key().clone()));
}
