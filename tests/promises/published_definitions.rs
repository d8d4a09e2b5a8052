//! Definitions that others published, and some in their style: they install in every way, serve every version, describe
//! themselves, and keep what their instances say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::process::root;
use tests::{ControlPlane, Kubectl, Part, Store, eventually, on_each_store};

on_each_store!(definitions_in_the_style_of_published_ones_serve_and_keep_what_their_instances_say);

/// What the packages that `tests/tools/definitions.py` names hold, by folder.
const PUBLISHED: [(&str, usize); 4] =
    [("crdtoapi-0.0.19", 8), ("dask-kubernetes-2026.3.0", 4), ("kopium-0.24.1", 18), ("kubemarine-0.54.0", 44)];
/// Its schemas say too little to be structural: upstream refuses it, too.
const NOT_STRUCTURAL: &str = "clusterworkflowtemplates.argoproj.io";

/// The folder with the published definitions; fetched where they are not there yet.
fn published() -> PathBuf {
    let folder = root().join("target/tools/definitions");
    let script = root().join("tests/tools/definitions.py");
    let done = Command::new("python3").arg(script).arg(&folder).output().expect("python3 starts");
    assert!(done.status.success(), "published definitions: {}", String::from_utf8_lossy(&done.stderr).trim());
    folder
}

/// The YAML files below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The documents of YAML files.
fn documents(files: &[PathBuf]) -> Vec<Value> {
    let mut documents = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for document in text.split("\n---\n").filter(|document| document.lines().any(|line| line.starts_with("kind:")))
        {
            let read = serde_saphyr::from_str(document);
            documents.push(read.unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        }
    }
    documents
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Waits until all definitions are established. `kubectl wait` fails on one that has no conditions yet.
fn established(kubectl: &Kubectl) {
    eventually("all definitions are established", || {
        let all = kubectl.json(&["get", "crd"]);
        let is_met = |of: &&Value| of["type"] == "Established" && of["status"] == "True";
        let waits =
            array(&all, "/items").iter().find(|of| !array(of, "/status/conditions").iter().any(|of| is_met(&of)));
        waits.map_or(Ok(()), |waits| Err(text(waits, "/metadata/name").to_owned()))
    });
}

/// What of `sent` is not in `got`: fields may have been added by defaults, nothing may be lost or changed.
fn lost(sent: &Value, got: &Value, path: &str, out: &mut Vec<String>) {
    match (sent, got) {
        (Value::Object(sent), Value::Object(got)) => {
            for (name, sent) in sent {
                let path = format!("{path}.{name}");
                match got.get(name) {
                    Some(got) => lost(sent, got, &path, out),
                    None => out.push(format!("{path} is gone, was {sent}")),
                }
            }
        }
        (Value::Array(sent), Value::Array(got)) if sent.len() == got.len() => {
            for (n, (sent, got)) in sent.iter().zip(got).enumerate() {
                lost(sent, got, &format!("{path}[{n}]"), out);
            }
        }
        (Value::Number(sent), Value::Number(got)) if sent.as_f64() == got.as_f64() => {}
        _ if sent == got => {}
        _ => out.push(format!("{path} is {got}, was {sent}")),
    }
}

/// The fields that `kubectl explain --recursive` is to list of a schema: depth and name, in its order.
fn fields(schema: &Value, depth: usize, out: &mut Vec<(usize, String)>) {
    if let Some(items) = schema.get("items") {
        return fields(items, depth, out);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            fields(values, depth, out);
        }
        return;
    };
    let sorted: BTreeMap<&String, &Value> = properties.iter().collect();
    for (name, property) in sorted {
        out.push((depth, name.clone()));
        fields(property, depth + 1, out);
    }
}

/// Compares what kubectl explains of `spec` at every depth with the definition.
fn explains(kubectl: &Kubectl, definition: &Value) {
    let version = array(definition, "/spec/versions").iter().find(|version| version["storage"] == true).unwrap();
    let resource = format!("{}.spec", text(definition, "/spec/names/plural"));
    let api_version = format!("{}/{}", text(definition, "/spec/group"), text(version, "/name"));
    let out = kubectl.run(&["explain", &resource, "--recursive", "--api-version", &api_version]);
    let told: Vec<(usize, String)> = out
        .lines()
        .filter_map(|line| {
            let (name, _) = line.split_once("\t<")?;
            let depth = name.len() - name.trim_start().len();
            Some((depth / 2, name.trim().to_owned()))
        })
        .collect();
    let mut wanted = Vec::new();
    fields(&version["schema"]["openAPIV3Schema"]["properties"]["spec"], 1, &mut wanted);
    let differs = wanted.iter().zip(&told).position(|(wanted, told)| wanted != told);
    assert!(
        differs.is_none() && wanted.len() == told.len(),
        "{resource}: {} fields, told {}; first different: {:?}",
        wanted.len(),
        told.len(),
        differs.map(|at| (&wanted[at], &told[at]))
    );
    assert!(!wanted.is_empty(), "{resource}");
}

/// Every served version is listed, discovered and described in both forms of OpenAPI.
fn serves(kubectl: &Kubectl, definitions: &BTreeMap<String, Value>) {
    let raw = |path: &str| -> Value {
        let out = kubectl.run(&["get", "--raw", path]);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let discovered = kubectl.run(&["api-resources", "--no-headers", "-o", "name"]);
    let whole = raw("/openapi/v2");
    let whole: Vec<&Value> = whole["definitions"].as_object().unwrap().values().collect();
    let mut described: BTreeMap<String, Value> = BTreeMap::new();
    let mut problems = String::new();
    for (name, definition) in definitions {
        if !discovered.lines().any(|line| line == name) {
            let _ = writeln!(problems, "{name} is not in kubectl api-resources");
        }
        for version in array(definition, "/spec/versions").iter().filter(|version| version["served"] == true) {
            let (group, version) = (text(definition, "/spec/group"), text(version, "/name"));
            let path = format!("apis/{group}/{version}");
            let kind = text(definition, "/spec/names/kind");
            let mut of = |what: &str, schemas: &[&Value]| {
                let found = schemas.iter().any(|schema| {
                    array(schema, "/x-kubernetes-group-version-kind").iter().any(|gvk| {
                        text(gvk, "/group") == group && text(gvk, "/version") == version && text(gvk, "/kind") == kind
                    }) && schema.get("properties").is_some()
                });
                if !found {
                    let _ = writeln!(problems, "{path} {kind} is not described by {what}");
                }
            };
            of("/openapi/v2", &whole);
            let document = described.entry(path.clone()).or_insert_with(|| raw(&format!("/openapi/v3/{path}")));
            of("/openapi/v3", &document["components"]["schemas"].as_object().unwrap().values().collect::<Vec<_>>());
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

/// Creates what a file or a folder holds and writes it again in each way; nothing that it says is ever lost.
fn keeps(kubectl: &Kubectl, path: &Path, instances: &[Value]) {
    let path = path.to_str().unwrap();
    let same = |how: &str| {
        let got = kubectl.json(&["get", "-f", path]);
        let one = std::slice::from_ref(&got);
        let got = if got["kind"] == "List" { array(&got, "/items") } else { one };
        for instance in instances {
            let is_it = |got: &&Value| got["kind"] == instance["kind"] && got["apiVersion"] == instance["apiVersion"];
            let got = got.iter().find(is_it).unwrap_or_else(|| panic!("{path} after {how}: no {instance}"));
            let mut problems = Vec::new();
            for part in ["/spec", "/metadata/name", "/metadata/labels", "/metadata/annotations"] {
                if let Some(sent) = instance.pointer(part) {
                    lost(sent, got.pointer(part).unwrap_or(&Value::Null), part, &mut problems);
                }
            }
            assert!(problems.is_empty(), "{path} after {how}:\n{}", problems.join("\n"));
        }
    };
    kubectl.run(&["create", "--validate=strict", "-f", path]);
    same("create");
    kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", path]);
    kubectl.run(&["label", "--overwrite", "-f", path, "seen=yes"]);
    same("server-side apply and a merge patch");
    kubectl.run(&["replace", "-f", path]);
    same("replace");
    kubectl.run(&["delete", "-f", path]);
}

#[test]
fn published_definitions_install_serve_describe_themselves_and_keep_their_instances() {
    let folder = published();
    let mut definitions = BTreeMap::new();
    for (package, count) in PUBLISHED {
        let found = documents(&files(&folder.join(package).join("definitions")));
        assert_eq!(found.len(), count, "definitions of {package}");
        definitions.extend(found.into_iter().map(|found| (text(&found, "/metadata/name").to_owned(), found)));
    }
    definitions.remove(NOT_STRUCTURAL);
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
    let kubectl = plane.kubectl();

    let of = |package: &str| folder.join(package).join("definitions").to_str().unwrap().to_owned();
    kubectl.run(&["apply", "-f", &of("crdtoapi-0.0.19")]);
    kubectl.run(&["create", "-f", &of("dask-kubernetes-2026.3.0")]);
    let refused = kubectl.refused(&["create", "-f", &of("kopium-0.24.1")], "");
    let complaints: Vec<&str> = refused.lines().filter(|line| !line.ends_with(" created")).collect();
    assert!(
        complaints.iter().all(|line| line.starts_with("* spec.") || line.contains(NOT_STRUCTURAL)),
        "{complaints:#?}"
    );
    assert!(refused.contains("properties[steps].items.items: Required value: must be specified"), "{refused}");
    // Among them is a newer version of one that is there already.
    kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", &of("kubemarine-0.54.0")]);

    established(&kubectl);
    let installed = kubectl.json(&["get", "crd"]);
    let installed: BTreeMap<String, Value> = array(&installed, "/items")
        .iter()
        .map(|definition| (text(definition, "/metadata/name").to_owned(), definition.clone()))
        .collect();
    for (name, definition) in &definitions {
        let conditions = array(&installed[name], "/status/conditions");
        let fails = conditions.iter().find(|condition| condition["type"] == "NonStructuralSchema");
        assert!(fails.is_none(), "{name}: {fails:?}");
        if !name.starts_with("httproutes.") {
            let mut problems = Vec::new();
            let got = array(&installed[name], "/spec/versions");
            for (sent, got) in array(definition, "/spec/versions").iter().zip(got) {
                lost(&sent["schema"], &got["schema"], text(sent, "/name"), &mut problems);
            }
            assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
        }
    }
    serves(&kubectl, &installed.into_iter().filter(|(name, _)| definitions.contains_key(name)).collect());
    for name in [
        "applications.argoproj.io",
        "certificates.cert-manager.io",
        "daskjobs.kubernetes.dask.org",
        "envoyproxies.gateway.envoyproxy.io",
        "plans.forklift.konveyor.io",
    ] {
        explains(&kubectl, &definitions[name]);
    }
    for package in ["dask-kubernetes-2026.3.0", "kopium-0.24.1"] {
        let examples = folder.join(package).join("examples");
        keeps(&kubectl, &examples, &documents(&files(&examples)));
    }
}

fn definitions_in_the_style_of_published_ones_serve_and_keep_what_their_instances_say(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    let folder = root().join("tests/definitions");
    let written = tempfile::tempdir().unwrap();
    let mut definitions = BTreeMap::new();
    let mut instances = Vec::new();
    for file in files(&folder) {
        let (defining, rest): (Vec<Value>, Vec<Value>) =
            documents(&[file]).into_iter().partition(|document| document["kind"] == "CustomResourceDefinition");
        for definition in defining {
            kubectl.run_with(&["create", "-f", "-"], &definition.to_string());
            definitions.insert(text(&definition, "/metadata/name").to_owned(), definition);
        }
        instances.extend(rest);
    }
    established(&kubectl);
    serves(&kubectl, &definitions);
    explains(&kubectl, &definitions["queues.messaging.example.com"]);
    for (n, instance) in instances.iter().enumerate() {
        let file = written.path().join(format!("{n}.json"));
        std::fs::write(&file, instance.to_string()).unwrap();
        keeps(&kubectl, &file, std::slice::from_ref(instance));
    }

    // Defaults, a scale, columns, selectable fields, rules and the other version.
    let smallest = instances.iter().find(|instance| instance["metadata"]["name"] == "smallest").unwrap();
    kubectl.run_with(&["create", "-f", "-"], &smallest.to_string());
    let got = kubectl.json(&["get", "mq", "smallest"]);
    assert_eq!(got["spec"]["listeners"][0], serde_json::json!({"name": "plain", "port": 5672, "tls": false}));
    assert_eq!(got["spec"]["storage"], serde_json::json!({"size": "1Gi"}));
    assert_eq!(got["spec"]["template"]["spec"]["restartPolicy"], "Always");
    kubectl.run(&["scale", "queue/smallest", "--replicas=1"]);
    let table = kubectl.run(&["get", "messaging", "--field-selector", "spec.tier=Dev"]);
    let columns: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(columns[0], ["NAME", "READY", "REPLICAS", "AGE"], "{table}");
    assert_eq!(columns[1][..2], ["smallest", "1"], "no condition yet, one replica: {table}");
    let told = kubectl.refused(&["patch", "mq", "smallest", "--type=merge", "-p", r#"{"spec": {"tier": "Prod"}}"#], "");
    assert!(told.contains("spec: Invalid value: a Prod queue has three brokers or more"), "{told}");
    let tls = r#"{"spec": {"listeners": [{"name": "secure", "port": 1, "tls": true}]}}"#;
    let told = kubectl.refused(&["patch", "mq", "smallest", "--type=merge", "-p", tls], "");
    assert!(
        told.contains("spec.listeners[0].secretName: Required value: listener secure needs a secretName"),
        "{told}"
    );
    let older = kubectl.output(&["get", "queues.v1alpha1.messaging.example.com", "smallest"], "");
    assert!(String::from_utf8_lossy(&older.stderr).contains("Queue is deprecated; use v1"), "{older:?}");
}
