use super::*;

#[test]
fn every_row_of_upstream_is_there_with_its_store() {
    let table = Table::builtin();
    assert_eq!(table.groups().len(), 21);
    let pods = table.row("", "v1", "pods").expect("pods");
    assert!(pods.namespaced && pods.can("deletecollection") && pods.stored());
    assert_eq!(pods.subresource("eviction").expect("eviction").kind.to_string(), "policy/v1, Kind=Eviction");
    assert!(!table.row("authorization.k8s.io", "v1", "subjectaccessreviews").expect("reviews").stored());
}

#[test]
fn versions_and_groups_of_one_kind_share_a_store() {
    let table = Table::builtin();
    let store =
        |group, version, resource| table.row(group, version, resource).and_then(|row| row.store.clone()).unwrap();
    assert!(Arc::ptr_eq(&store("", "v1", "events"), &store("events.k8s.io", "v1", "events")));
    let hpa = "horizontalpodautoscalers";
    assert!(Arc::ptr_eq(&store("autoscaling", "v1", hpa), &store("autoscaling", "v2", hpa)));
}

#[test]
fn endpoints_earn_a_warning() {
    let table = Table::builtin();
    let of = |resource| table.row("", "v1", resource).and_then(|row| row.deprecation_warning.clone());
    let words = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
    assert_eq!((of("endpoints").as_deref(), of("pods")), (Some(words), None));
}
