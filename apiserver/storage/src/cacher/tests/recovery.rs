//! The store fails, forgets, and the cache goes on.

use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_broken_feed_is_resumed_without_loss_or_repeat() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    let mut want = Vec::new();
    for round in 0..20 {
        let revision = fake.put(&format!("a/pod{round}"), "web");
        want.push(format!("ADDED@{revision} a/pod{round}@{revision} web"));
        match round % 4 {
            0 => settle().await,
            // Lost on the way, or known already.
            1 => fake.hold(),
            2 => fake.break_watches(),
            _ => {
                fake.set_unavailable(true);
                fake.break_watches();
                sleep(Duration::from_secs(20)).await;
                fake.set_unavailable(false);
            }
        }
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(delivered(&mut watch).await, want);
    assert_eq!(fake.lists(), 1, "no new list");
    assert_eq!(fake.watches(), 1);
}

#[tokio::test(start_paused = true)]
async fn lost_events_end_the_watches_and_the_state_is_read_anew() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    fake.put("a/two", "web");
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    assert_eq!(delivered(&mut watch).await.len(), 2);
    let before = cacher.get("a", "two", Freshness::Any).await.unwrap().entry.unwrap();
    fake.set_unavailable(true);
    fake.break_watches();
    fake.delete("a/one");
    fake.put("a/three", "web");
    fake.compact_to(4);
    fake.set_unavailable(false);
    sleep(Duration::from_secs(1)).await;
    let want = ["ERROR revision 2 has been compacted (the oldest is 4)", "END"];
    assert_eq!(delivered(&mut watch).await, want);
    let listed = cacher.list(newest(Scope::All)).await.unwrap();
    assert_eq!((show_list(&listed), listed.revision), (vec!["a/three@4 web".to_string(), "a/two@2 web".into()], 4));
    assert!(Arc::ptr_eq(&before, &listed.entries[1]), "what has not changed is not held twice");
    // From the new state on it goes as before.
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(4))).await.unwrap();
    fake.put("a/two", "db");
    assert_eq!(delivered(&mut watch).await, ["MODIFIED@5 a/two@5 db"]);
    let old = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(3))).await.unwrap_err();
    assert!(matches!(old, Error::Compacted { requested: 3, compacted: 4 }), "{old:?}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_resource_keeps_up_with_compaction() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(1))).await.unwrap();
    for _ in 0..10 {
        let revision = fake.put_elsewhere();
        sleep(Duration::from_secs(61)).await;
        fake.compact_to(revision);
    }
    fake.break_watches();
    fake.put("a/one", "db");
    assert_eq!(delivered(&mut watch).await, ["MODIFIED@12 a/one@12 db"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_before_the_history_is_caught_up_from_the_store() {
    let fake = Fake::new();
    for (name, app) in [("a/one", "web"), ("a/two", "db"), ("a/one", "db"), ("b/one", "web"), ("a/one", "web")] {
        fake.put(name, app);
    }
    fake.delete("a/two"); // 6
    // As after a restart: the cache begins at 6.
    let cacher = cacher(&fake);
    let request = WatchRequest { predicate: Some(app("web")), ..WatchRequest::new(namespace("a"), Start::Revision(0)) };
    let mut watch = cacher.watch(request.clone()).await.unwrap();
    assert_eq!(cacher.counters().watches_from_store.get(), 1);
    let want = ["ADDED@1 a/one@1 web", "DELETED@3 a/one@1 web", "ADDED@5 a/one@5 web"];
    assert_eq!(delivered(&mut watch).await, want);
    assert_eq!(fake.watches(), 1, "it has joined the feed");
    fake.put("b/two", "web");
    fake.delete("a/one");
    assert_eq!(delivered(&mut watch).await, ["DELETED@8 a/one@5 web"]);
    // Joining may fall between two events.
    fake.hold();
    let mut watch = cacher.watch(WatchRequest { start: Start::Revision(4), ..request.clone() }).await.unwrap();
    fake.put("a/three", "web");
    let first = delivered(&mut watch).await;
    fake.put("a/four", "web");
    fake.release();
    assert_eq!(first, ["ADDED@5 a/one@5 web", "DELETED@8 a/one@5 web"]);
    assert_eq!(delivered(&mut watch).await, ["ADDED@9 a/three@9 web", "ADDED@10 a/four@10 web"]);
    fake.compact_to(5);
    let error = cacher.watch(WatchRequest { start: Start::Revision(4), ..request }).await.unwrap_err();
    assert!(matches!(error, Error::Compacted { requested: 4, compacted: 5 }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn it_starts_with_its_first_use_and_waits_for_the_store() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    fake.set_unavailable(true);
    let cacher = cacher(&fake);
    settle().await;
    assert_eq!((cacher.health(), fake.watches()), (Health::Idle, 0));
    let any = ListRequest::new(Scope::All, At::Newest(Freshness::Any));
    let error = cacher.list(any.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store is unavailable: the cache is not ready: the store is unavailable: the fake is down"
    );
    assert!(matches!(cacher.health(), Health::Starting(Some(_))) && !cacher.ready());
    let waiting = cacher.clone();
    let list = tokio::spawn(async move { waiting.list(any).await });
    sleep(Duration::from_secs(1)).await;
    fake.set_unavailable(false);
    assert_eq!(show_list(&list.await.unwrap().unwrap()), ["a/one@1 web"]);
    assert_eq!(cacher.health(), Health::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_watches_after_everything_was_delivered() {
    let fake = Fake::new();
    fake.put("a/one", "web");
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(1))).await.unwrap();
    fake.hold();
    fake.delete("a/one");
    let stopping = cacher.clone();
    let shutdown = tokio::spawn(async move { stopping.shutdown().await });
    settle().await;
    fake.release();
    shutdown.await.unwrap();
    assert_eq!(delivered(&mut watch).await, ["DELETED@2 a/one@1 web", "END"]);
    assert!(matches!(cacher.list(newest(Scope::All)).await, Err(Error::Unavailable(_))));
    assert!(matches!(
        cacher.watch(WatchRequest::new(Scope::All, Start::Revision(1))).await,
        Err(Error::Unavailable(_))
    ));
    cacher.shutdown().await;
    assert_eq!((cacher.health(), fake.watches()), (Health::Stopped, 0));
    let unused = super::cacher(&fake);
    unused.shutdown().await;
    assert!(matches!(unused.list(newest(Scope::All)).await, Err(Error::Unavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn the_feed_ends_with_its_last_handle() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    let other = cacher.clone();
    drop(cacher);
    settle().await;
    assert_eq!(fake.watches(), 1);
    drop(other);
    assert_eq!(delivered(&mut watch).await, ["END"]);
    assert_eq!(fake.watches(), 0);
}
