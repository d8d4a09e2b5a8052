//! Watches: ordered, unique, complete, resumable, filtered.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_watch_delivers_what_comes_after_its_revision() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    let cacher = cacher(&fake);
    cacher.list(newest(Scope::All)).await.unwrap();
    fake.put("a/one", "db");
    fake.put_elsewhere();
    fake.put("b/two", "web");
    settle().await;
    let mut early = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(1))).await.unwrap();
    let mut late = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(2))).await.unwrap();
    fake.delete("a/one");
    fake.put("a/one", "new");
    let want = ["MODIFIED@2 a/one@2 db", "ADDED@4 b/two@4 web", "DELETED@5 a/one@2 db", "ADDED@6 a/one@6 new"];
    assert_eq!(delivered(&mut early).await, want);
    assert_eq!(delivered(&mut late).await, want[1..]);
}

#[tokio::test(start_paused = true)]
async fn each_scope_gets_its_own_events_and_a_selector_turns_them() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    let cacher = cacher_with(&fake, Config { index_field: Some("spec.nodeName".into()), ..config() });
    cacher.list(newest(Scope::All)).await.unwrap();
    let request = |scope, predicate, index: Option<&str>| WatchRequest {
        predicate,
        index_value: index.map(Into::into),
        ..WatchRequest::new(scope, Start::Revision(1))
    };
    let web = Some(app("web"));
    let mut watches = Vec::new();
    for (what, request, want) in [
        (
            "all",
            request(Scope::All, None, None),
            vec![
                "MODIFIED@2 a/one@2 db",
                "ADDED@3 ab/two@3 web",
                "MODIFIED@4 a/one@4 web",
                "MODIFIED@5 a/one@5 web",
                "DELETED@6 ab/two@3 web",
                "DELETED@7 a/one@5 web",
            ],
        ),
        (
            "namespace",
            request(namespace("a"), None, None),
            vec!["MODIFIED@2 a/one@2 db", "MODIFIED@4 a/one@4 web", "MODIFIED@5 a/one@5 web", "DELETED@7 a/one@5 web"],
        ),
        ("object", request(object("ab", "two"), None, None), vec!["ADDED@3 ab/two@3 web", "DELETED@6 ab/two@3 web"]),
        ("other object", request(object("a", "on"), None, None), vec![]),
        (
            "selected",
            request(Scope::All, web.clone(), None),
            vec![
                "DELETED@2 a/one@1 web",
                "ADDED@3 ab/two@3 web",
                "ADDED@4 a/one@4 web",
                "MODIFIED@5 a/one@5 web",
                "DELETED@6 ab/two@3 web",
                "DELETED@7 a/one@5 web",
            ],
        ),
        (
            "indexed",
            request(Scope::All, web.clone(), Some("web")),
            vec![
                "DELETED@2 a/one@1 web",
                "ADDED@3 ab/two@3 web",
                "ADDED@4 a/one@4 web",
                "MODIFIED@5 a/one@5 web",
                "DELETED@6 ab/two@3 web",
                "DELETED@7 a/one@5 web",
            ],
        ),
        (
            "indexed in a namespace",
            request(namespace("ab"), web, Some("web")),
            vec!["ADDED@3 ab/two@3 web", "DELETED@6 ab/two@3 web"],
        ),
    ] {
        watches.push((what, cacher.watch(request.clone()).await.unwrap(), request, want));
    }
    fake.put("a/one", "db");
    fake.put("ab/two", "web");
    fake.put("a/one", "web");
    fake.put("a/one", "web");
    fake.delete("ab/two");
    fake.delete("a/one");
    for (what, live, request, want) in &mut watches {
        assert_eq!(delivered(live).await, *want, "{what}");
        let mut replayed = cacher.watch(request.clone()).await.unwrap();
        assert_eq!(delivered(&mut replayed).await, *want, "{what}, replayed");
    }
}

#[tokio::test(start_paused = true)]
async fn initial_events_are_the_state_in_key_order_and_end_with_their_bookmark() {
    let fake = Fake::new();
    for i in (0..300).rev() {
        fake.put(&format!("a/pod{i:03}"), if i % 2 == 0 { "web" } else { "db" });
    }
    let cacher = cacher(&fake);
    let request = WatchRequest {
        bookmarks: true,
        predicate: Some(app("web")),
        ..WatchRequest::new(namespace("a"), Start::InitialEvents(Freshness::Consistent))
    };
    let mut watch = cacher.watch(request.clone()).await.unwrap();
    fake.put("a/pod000", "db");
    fake.put("a/pod001", "web");
    let seen = delivered(&mut watch).await;
    let want: Vec<_> = (0..300).step_by(2).map(|i| format!("ADDED@{0} a/pod{i:03}@{0} web", 300 - i)).collect();
    assert_eq!(seen[..150], want);
    assert_eq!(seen[150..], ["BOOKMARK@300 end", "DELETED@301 a/pod000@300 web", "ADDED@302 a/pod001@302 web"]);
    // Without bookmarks there is no end to be told.
    let mut watch = cacher.watch(WatchRequest { bookmarks: false, ..request.clone() }).await.unwrap();
    assert_eq!(delivered(&mut watch).await.len(), 150);
    // Nothing there is told too.
    let mut empty = cacher.watch(WatchRequest { scope: namespace("none"), ..request.clone() }).await.unwrap();
    assert_eq!(delivered(&mut empty).await, ["BOOKMARK@302 end"]);
    let future = WatchRequest { start: Start::InitialEvents(Freshness::NotOlderThan(400)), ..request };
    assert!(matches!(cacher.watch(future).await, Err(Error::FutureRevision { requested: 400, current: 302 })));
}

#[tokio::test(start_paused = true)]
async fn the_starts_without_a_revision_differ_in_what_they_show_first() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    let cacher = cacher(&fake);
    cacher.list(newest(Scope::All)).await.unwrap();
    fake.hold();
    fake.put("a/two", "web"); // The cache does not know it yet.
    let mut watches = Vec::new();
    for (start, want) in [
        (Start::FromAnyThenNow, vec!["ADDED@1 a/one@1 web", "ADDED@2 a/two@2 web", "ADDED@3 a/three@3 web"]),
        (Start::FromAny, vec!["ADDED@2 a/two@2 web", "ADDED@3 a/three@3 web"]),
        (Start::FromNow, vec!["ADDED@3 a/three@3 web"]),
        (Start::Revision(2), vec!["ADDED@3 a/three@3 web"]),
        (Start::Revision(3), vec![]),
        (
            Start::InitialEvents(Freshness::Any),
            vec!["ADDED@1 a/one@1 web", "ADDED@2 a/two@2 web", "ADDED@3 a/three@3 web"],
        ),
    ] {
        watches.push((start, cacher.watch(WatchRequest::new(Scope::All, start)).await.unwrap(), want));
    }
    fake.release();
    fake.put("a/three", "web");
    for (start, watch, want) in &mut watches {
        assert_eq!(delivered(watch).await, *want, "{start:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_keep_up_is_ended_and_resumes_without_loss() {
    let fake = Fake::new();
    let cacher = cacher_with(&fake, Config { watcher_queue: 10, ..config() });
    let mut slow = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    let mut elsewhere = cacher.watch(WatchRequest::new(namespace("b"), Start::Revision(0))).await.unwrap();
    let mut fast = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    let mut seen_fast = Vec::new();
    for _ in 0..5 {
        for i in 0..5 {
            fake.put(&format!("a/pod{i}"), "web");
        }
        seen_fast.extend(delivered(&mut fast).await);
    }
    assert_eq!(seen_fast.len(), 25, "the others are not held up");
    assert_eq!(cacher.counters().watchers_terminated.get(), 1);
    assert_eq!(cacher.counters().watchers.get(), 2);
    let mut seen = delivered(&mut slow).await;
    assert_eq!(seen.split_off(10), ["ERROR the watch fell behind and was ended", "END"]);
    let mut resumed = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(10))).await.unwrap();
    seen.extend(delivered(&mut resumed).await);
    assert_eq!(seen, seen_fast);
    assert_eq!(delivered(&mut elsewhere).await, [""; 0], "what does not concern a watcher does not fill its queue");
}

#[tokio::test(start_paused = true)]
async fn a_burst_larger_than_a_queue_ends_no_watcher_that_reads() {
    let fake = Fake::new();
    let cacher = cacher_with(&fake, Config { watcher_queue: 300, ..config() });
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    let reader = tokio::spawn(async move { delivered(&mut watch).await });
    settle().await;
    for i in 0..2000 {
        fake.put(&format!("a/pod{}", i % 10), "web");
    }
    let seen = reader.await.unwrap();
    assert_eq!(seen.len(), 2000, "{:?}", seen.last());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_goes_is_forgotten_and_the_others_go_on() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let mut watches = Vec::new();
    for i in 0..30 {
        let scope = [Scope::All, namespace("a"), object("a", "one")][i % 3].clone();
        watches.push(cacher.watch(WatchRequest::new(scope, Start::Revision(0))).await.unwrap());
    }
    let mut index = 0;
    watches.retain(|_| {
        index += 1;
        index % 4 == 0
    });
    fake.put("a/one", "web");
    for watch in &mut watches {
        assert_eq!(delivered(watch).await, ["ADDED@1 a/one@1 web"]);
    }
    assert_eq!(cacher.counters().watchers.get(), 7);
    drop(watches);
    settle().await;
    assert_eq!(cacher.counters().watchers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_an_event_are_shared_by_its_watchers() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let request = WatchRequest::new(Scope::All, Start::Revision(0));
    let mut one = cacher.watch(request.clone()).await.unwrap();
    let mut two = cacher.watch(request).await.unwrap();
    fake.put("a/one", "web");
    fake.delete("a/one");
    for _ in 0..2 {
        let (one, two) = (one.next().await.unwrap().unwrap(), two.next().await.unwrap().unwrap());
        assert_eq!(one.framed().unwrap().as_ptr(), two.framed().unwrap().as_ptr());
    }
}

#[tokio::test(start_paused = true)]
async fn what_expires_together_is_gone_together() {
    let fake = Fake::new();
    let names: Vec<String> = (0..1000).map(|number| format!("a/{number}")).collect();
    for name in &names {
        fake.put(name, "web");
    }
    let cacher = cacher(&fake);
    let listed = cacher.list(newest(Scope::All)).await.unwrap();
    assert_eq!(listed.entries.len(), names.len());
    let reader = cacher.clone();
    let after = ListRequest::new(Scope::All, At::Newest(Freshness::NotOlderThan(listed.revision + 1)));
    let waiting = tokio::spawn(async move { reader.list(after).await.unwrap() });
    settle().await;
    let revision = fake.expire(&names);
    let listed = waiting.await.unwrap();
    assert_eq!(listed.revision, revision);
    // A watch from this list gets no event of its revision: what is in it would stay for ever.
    assert_eq!(show_list(&listed), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_is_ended_within_a_revision_is_not_told_to_resume() {
    let fake = Fake::new();
    let names: Vec<String> = (0..5).map(|number| format!("a/{number}")).collect();
    for name in &names {
        fake.put(name, "web");
    }
    let cacher = cacher_with(&fake, Config { watcher_queue: 2, ..config() });
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(5))).await.unwrap();
    settle().await;
    assert_eq!(fake.expire(&names), 6);
    settle().await;
    let end = delivered(&mut watch).await.split_off(2);
    assert_eq!(end, ["ERROR revision 6 has been compacted (the oldest is 6)", "END"]);
}
