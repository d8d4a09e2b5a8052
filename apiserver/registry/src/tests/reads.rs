use super::*;
use apimachinery::selector::{fields, labels};
use futures::StreamExt;

async fn names(server: &Server, options: &ListOptions) -> Result<(Vec<String>, Listed), StatusError> {
    let listed = server.registry.list(&server.ctx, &server.target("v1/configmaps"), options).await?;
    let names = listed.items.iter().map(|item| item.value().unwrap().name().to_owned()).collect();
    Ok((names, listed))
}

#[tokio::test]
async fn pages_show_one_revision_and_count_what_is_left() {
    let server = Server::start();
    for name in ["a", "b", "c"] {
        server.create("v1/configmaps", config_map(name)).await.unwrap();
    }
    let mut options = ListOptions { limit: 2, ..ListOptions::default() };
    let (first, page) = names(&server, &options).await.unwrap();
    assert_eq!((first, page.remaining), (vec!["a".to_owned(), "b".to_owned()], Some(1)));
    server.create("v1/configmaps", config_map("d")).await.unwrap();
    options.continue_token = page.continue_token;
    let (rest, last) = names(&server, &options).await.unwrap();
    assert_eq!((rest, last.continue_token.as_str(), last.remaining), (vec!["c".to_owned()], "", None));
    assert_eq!(last.resource_version, page.resource_version);
}

#[tokio::test]
async fn selectors_choose_and_unknown_fields_are_refused() {
    let server = Server::start();
    for name in ["a", "b"] {
        let mut object = config_map(name);
        object["metadata"]["labels"] = json!({ "name": name });
        server.create("v1/configmaps", object).await.unwrap();
    }
    let by_label =
        ListOptions { label_selector: Some(labels::Selector::parse("name!=a").unwrap()), ..ListOptions::default() };
    assert_eq!(names(&server, &by_label).await.unwrap().0, ["b"]);
    let by_field = |text: &str| ListOptions {
        field_selector: Some(fields::Selector::parse(text).unwrap()),
        ..ListOptions::default()
    };
    assert_eq!(names(&server, &by_field("metadata.name=a")).await.unwrap().0, ["a"]);
    assert_eq!(
        words(names(&server, &by_field("data.k=v")).await),
        (400, "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"".into())
    );
    let pods = server.registry.list(&server.ctx, &server.target("v1/pods"), &by_field("spec.priority=1")).await;
    assert_eq!(words(pods), (400, "field label not supported: spec.priority".into()));
}

#[tokio::test]
async fn resource_versions_that_are_none_are_refused() {
    let server = Server::start();
    for (text, words_) in [
        ("abc", "strconv.ParseUint: parsing \"abc\": invalid syntax"),
        ("18446744073709551616", "strconv.ParseUint: parsing \"18446744073709551616\": value out of range"),
    ] {
        let options = ListOptions { resource_version: text.into(), ..ListOptions::default() };
        let expected = format!("invalid resource version: resourceVersion: Invalid value: \"{text}\": {words_}");
        assert_eq!(words(names(&server, &options).await), (400, expected));
    }
}

#[tokio::test]
async fn a_watch_delivers_what_came_after_its_revision() {
    let server = Server::start();
    let made = server.create("v1/configmaps", config_map("a")).await.unwrap();
    let options = ListOptions { resource_version: made.resource_version().into(), ..ListOptions::default() };
    let mut events = server.registry.watch(&server.ctx, &server.target("v1/configmaps"), &options).await.unwrap();
    server.merge("v1/configmaps/a", json!({"data": {"k": "w"}})).await.unwrap();
    server.delete("v1/configmaps/a", DeleteOptions::default()).await.unwrap();
    let first = events.next().await.unwrap();
    assert_eq!((first.kind, first.object().value().unwrap()["data"]["k"].as_str()), (EventKind::Modified, Some("w")));
    assert!(first.framed().starts_with(b"{\"type\":\"MODIFIED\",\"object\":{") && first.framed().ends_with(b"}\n"));
    assert_eq!(events.next().await.unwrap().kind, EventKind::Deleted);
}

#[tokio::test]
async fn a_watch_of_another_version_speaks_that_version() {
    let server = Server::start();
    let options =
        ListOptions { send_initial_events: Some(true), allow_watch_bookmarks: true, ..ListOptions::default() };
    server
        .create("v1/events", json!({"metadata": {"name": "e"}, "message": "m", "involvedObject": {"namespace": "ns"}}))
        .await
        .unwrap();
    let mut events =
        server.registry.watch(&server.ctx, &server.target("events.k8s.io/v1/events"), &options).await.unwrap();
    let first = events.next().await.unwrap().object().value().unwrap();
    assert_eq!((first.api_version(), &first["note"]), ("events.k8s.io/v1", &json!("m")));
    let bookmark = events.next().await.unwrap();
    assert_eq!(bookmark.kind, EventKind::Bookmark);
    assert_eq!(bookmark.object().value().unwrap().annotation("k8s.io/initial-events-end"), Some("true"));
}
