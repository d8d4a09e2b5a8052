//! kubectl as people read with it.

use std::process::Stdio;

use serde_json::Value;
use tests::process::Process;
use tests::{ControlPlane, Part, Store, eventually, on_each_store};

on_each_store!(
    get_prints_tables_and_every_output_format,
    selectors_and_namespaces_narrow_a_list,
    a_list_in_chunks_is_the_same_list,
    get_watch_prints_changes_as_they_happen,
    raw_paths_are_answered,
    discovery_is_read_by_api_resources_api_versions_version_and_cluster_info,
);

const TWO: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {tier: front, app: shop}}
data: {k: v, l: w}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two, labels: {tier: back, app: shop}}
data: {k: x}
"#;

fn get_prints_tables_and_every_output_format(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run_with(&["create", "-f", "-"], TWO);

    let table = kubectl.run(&["get", "configmaps"]);
    let mut lines = table.lines();
    assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>(), ["NAME", "DATA", "AGE"], "{table}");
    assert!(
        table.lines().any(|line| line.starts_with("one ") && line.split_whitespace().nth(1) == Some("2")),
        "{table}"
    );
    assert!(kubectl.run(&["get", "namespaces", "-o", "wide"]).contains("Active"));
    assert!(kubectl.run(&["get", "cm", "--show-labels"]).contains("app=shop,tier=front"));
    assert_eq!(kubectl.run(&["get", "cm", "one", "-o", "name"]).trim(), "configmap/one");
    assert_eq!(kubectl.json(&["get", "cm", "one"])["data"]["k"], "v");
    assert_eq!(kubectl.json(&["get", "cm", "one", "two"])["items"].as_array().map(Vec::len), Some(2));
    let yaml = kubectl.run(&["get", "cm", "one", "-o", "yaml"]);
    assert!(yaml.contains("kind: ConfigMap") && yaml.contains("  k: v"), "{yaml}");
    assert_eq!(kubectl.run(&["get", "cm", "one", "-o", "jsonpath={.data.l}"]), "w");
    assert_eq!(
        kubectl.run(&["get", "cm", "-l", "app=shop", "-o", "custom-columns=N:.metadata.name", "--no-headers"]),
        "one\ntwo\n"
    );
    assert_eq!(
        kubectl.run(&["get", "cm", "-l", "app=shop", "--sort-by", ".data.k", "-o", "name"]),
        "configmap/one\nconfigmap/two\n"
    );
    let missing = kubectl.refused(&["get", "configmap", "three"], "");
    assert_eq!(missing.trim(), r#"Error from server (NotFound): configmaps "three" not found"#);
}

fn selectors_and_namespaces_narrow_a_list(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run_with(&["create", "-f", "-"], TWO);
    kubectl.run(&["create", "namespace", "other"]);
    kubectl.run_with(&["create", "--namespace", "other", "-f", "-"], TWO);

    let names = |arguments: &[&str]| {
        kubectl.run(&[&["get", "cm", "-o", "name"], arguments].concat()).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&["-l", "tier=front"]), ["configmap/one"]);
    assert_eq!(names(&["-l", "tier in (front,back),app"]), ["configmap/one", "configmap/two"]);
    assert_eq!(names(&["-l", "tier!=front,app=shop"]), ["configmap/two"]);
    assert_eq!(names(&["-l", "tier notin (front,back),app"]), Vec::<String>::new());
    assert_eq!(names(&["--field-selector", "metadata.name=two"]), ["configmap/two"]);
    assert_eq!(names(&["-A", "--field-selector", "metadata.name=two"]).len(), 2);
    let all = kubectl.run(&["get", "cm", "-A", "-l", "app=shop"]);
    assert_eq!(all.lines().count(), 5, "{all}");
    assert!(all.lines().any(|line| line.starts_with("other ")), "{all}");
    let refused = kubectl.refused(&["get", "cm", "--field-selector", "data.k=v"], "");
    assert!(refused.contains(r#""data.k" is not a known field selector"#), "{refused}");
}

fn a_list_in_chunks_is_the_same_list(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl().namespace("default");
    let many: String = (0..25)
        .map(|n| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: item-{n:03}, labels: {{of: many}}}}\n")
        })
        .collect();
    kubectl.run_with(&["create", "-f", "-"], &many);
    let whole = kubectl.run(&["get", "cm", "-l", "of=many", "-o", "name", "--chunk-size=0"]);
    assert_eq!(whole.lines().count(), 25);
    for size in ["1", "7", "25", "26"] {
        let chunked = kubectl.run(&["get", "cm", "-l", "of=many", "-o", "name", "--chunk-size", size]);
        assert_eq!(chunked, whole, "chunks of {size}");
    }
    let page = kubectl.run(&["get", "--raw", "/api/v1/namespaces/default/configmaps?limit=10"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(10));
    assert!(page["metadata"]["continue"].as_str().is_some_and(|token| !token.is_empty()), "{}", page["metadata"]);
}

fn get_watch_prints_changes_as_they_happen(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run_with(&["create", "-f", "-"], TWO);
    let mut command = kubectl.command(&["get", "cm", "-l", "app=shop", "--watch", "--output-watch-events"]);
    command.stdin(Stdio::null());
    let mut watch = Process::start("kubectl get --watch", &mut command);
    let seen = |watch: &mut Process, wanted: &str| {
        watch.line(wanted, |line| {
            let mut words = line.split_whitespace();
            (words.next().is_some_and(|word| wanted.starts_with(word))
                && words.next().is_some_and(|word| wanted.ends_with(word)))
            .then_some(())
        });
    };
    seen(&mut watch, "ADDED two");
    kubectl.run(&["annotate", "cm", "one", "seen=yes"]);
    seen(&mut watch, "MODIFIED one");
    kubectl.run(&["label", "cm", "one", "app-"]);
    seen(&mut watch, "DELETED one");
    kubectl.run(&["label", "cm", "one", "app=shop"]);
    kubectl.run(&["delete", "cm", "two"]);
    seen(&mut watch, "DELETED two");
    let added = watch.output().lines().filter(|line| line.starts_with("ADDED") && line.contains(" one ")).count();
    assert_eq!(added, 2, "{}", watch.output());
}

fn raw_paths_are_answered(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    assert_eq!(kubectl.run(&["get", "--raw", "/healthz"]), "ok");
    assert!(kubectl.run(&["get", "--raw", "/livez?verbose"]).contains("[+]ping ok"));
    assert!(kubectl.run(&["get", "--raw", "/readyz?verbose"]).contains("readyz check passed"));
    let version: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", "/version"])).unwrap();
    assert!(version["gitVersion"].as_str().unwrap().starts_with("v1.36.2"), "{version}");
    let metrics = kubectl.run(&["get", "--raw", "/metrics"]);
    assert!(metrics.contains("apiserver_request_total{"), "{metrics}");
    let index: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", "/openapi/v3"])).unwrap();
    assert!(index["paths"]["apis/apps/v1"].is_object(), "{index}");
    let v2: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", "/openapi/v2"])).unwrap();
    assert_eq!(v2["swagger"], "2.0");
    let refused = kubectl.refused(&["get", "--raw", "/nothing/here"], "");
    assert!(refused.contains("the server could not find the requested resource"), "{refused}");
}

fn discovery_is_read_by_api_resources_api_versions_version_and_cluster_info(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    let resources = kubectl.run(&["api-resources", "-o", "wide"]);
    for row in ["deployments", "pods", "customresourcedefinitions", "leases", "horizontalpodautoscalers"] {
        assert!(resources.lines().any(|line| line.starts_with(row)), "no {row} in\n{resources}");
    }
    assert!(kubectl.run(&["api-resources", "--namespaced=false", "-o", "name"]).contains("nodes\n"));
    let versions = kubectl.run(&["api-versions"]);
    for version in ["v1", "apps/v1", "autoscaling/v2", "rbac.authorization.k8s.io/v1"] {
        assert!(versions.lines().any(|line| line == version), "no {version} in\n{versions}");
    }
    let version = kubectl.run(&["version"]);
    assert!(version.contains("Server Version: v1.36.2"), "{version}");
    eventually("cluster-info names the server", || {
        let info = kubectl.run(&["cluster-info"]);
        if info.contains(plane.url()) { Ok(()) } else { Err(info) }
    });
}
