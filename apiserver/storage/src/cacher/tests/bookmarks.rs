//! Bookmarks.

use tokio::time::{Instant, sleep};

use super::*;

fn bookmarked(start: Start) -> WatchRequest {
    WatchRequest { bookmarks: true, ..WatchRequest::new(Scope::All, start) }
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_once_an_interval_and_follow_the_store_while_the_resource_is_quiet() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(bookmarked(Start::Revision(0))).await.unwrap();
    let mut plain = cacher.watch(WatchRequest::new(Scope::All, Start::Revision(0))).await.unwrap();
    fake.put("a/one", "web");
    assert_eq!(delivered(&mut watch).await, ["ADDED@1 a/one@1 web"]);
    for minute in 1..4 {
        fake.put_elsewhere();
        sleep(Duration::from_secs(59)).await;
        assert_eq!(delivered(&mut watch).await, [""; 0], "minute {minute}");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(delivered(&mut watch).await, [format!("BOOKMARK@{}", fake.revision())], "minute {minute}");
    }
    assert_eq!(delivered(&mut plain).await, ["ADDED@1 a/one@1 web"], "only who wants them gets them");
}

#[tokio::test(start_paused = true)]
async fn the_last_bookmark_comes_shortly_before_the_deadline() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let deadline = Instant::now() + Duration::from_secs(90);
    let request = WatchRequest { deadline: Some(deadline), ..bookmarked(Start::Revision(0)) };
    let mut watch = cacher.watch(request).await.unwrap();
    fake.put_elsewhere();
    let mut at = Vec::new();
    while let Ok(Some(item)) = tokio::time::timeout(Duration::from_secs(300), watch.next()).await {
        at.push((show(item), deadline.duration_since(Instant::now()).as_secs()));
    }
    assert_eq!(at, [("BOOKMARK@1".to_string(), 30), ("BOOKMARK@1".to_string(), 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_is_never_ahead_of_events_not_yet_delivered() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(bookmarked(Start::Revision(0))).await.unwrap();
    fake.put("a/one", "web");
    sleep(Duration::from_secs(61)).await;
    fake.put("a/two", "web");
    // The watcher has read nothing until now; the store holds the next event back.
    fake.hold();
    fake.put("a/three", "web");
    sleep(Duration::from_secs(62)).await;
    let mut seen = delivered(&mut watch).await;
    fake.release();
    sleep(Duration::from_secs(61)).await;
    seen.extend(delivered(&mut watch).await);
    let want = [
        "ADDED@1 a/one@1 web",
        "BOOKMARK@1",
        "ADDED@2 a/two@2 web",
        "BOOKMARK@2",
        "ADDED@3 a/three@3 web",
        "BOOKMARK@3",
    ];
    assert_eq!(seen, want);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_the_future_gets_no_bookmark_from_the_past() {
    let fake = Fake::new();
    let cacher = cacher(&fake);
    let mut watch = cacher.watch(bookmarked(Start::Revision(2))).await.unwrap();
    fake.put("a/one", "web");
    sleep(Duration::from_secs(61)).await;
    fake.put("a/two", "web");
    fake.put("a/three", "web");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(delivered(&mut watch).await, ["ADDED@3 a/three@3 web", "BOOKMARK@3"]);
}
