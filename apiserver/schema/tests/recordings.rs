//! Replays what upstream answered (`tests/upstream`) as far as schemas decide it.

// Tests may panic; this lint knows test functions, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::path::PathBuf;

use apimachinery::GroupVersionKind;
use apimachinery::field::{Aggregate, Path};
use schema::{Schema, builtin};
use serde_json::{Value, json};

fn recordings() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/upstream")
}

fn steps(file: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let scenario: Value = serde_json::from_str(&text).unwrap();
    scenario["steps"].as_array().cloned().unwrap_or_default()
}

fn files(area: &str, prefix: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(recordings().join(area))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    files.sort();
    files
}

fn body(request: &Value) -> Option<Value> {
    match (&request["body"], &request["raw"]) {
        (Value::Object(_), _) => Some(request["body"].clone()),
        (_, Value::String(raw)) => serde_json::from_str(raw).ok(),
        _ => None,
    }
}

fn gvk(object: &Value) -> GroupVersionKind {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    GroupVersionKind::new(group, version, object["kind"].as_str().unwrap_or_default())
}

/// Every object of a built-in kind that upstream accepted is decoded without error, and what it answered has the form that
/// decoding, dropping empties and defaulting give: doing so once more changes nothing.
#[test]
fn answers_of_built_in_kinds_are_fixed_points() {
    let mut seen = 0;
    let mut wrong: Vec<String> = Vec::new();
    for area in ["objects", "kinds", "patch", "watch", "authz", "crd"] {
        for file in files(area, "") {
            for step in steps(&file) {
                let answer = &step["response"]["body"];
                let mut objects: Vec<Value> = vec![answer.clone()];
                if let Some(items) = answer["items"].as_array() {
                    objects = items.clone();
                }
                for object in objects {
                    // Normalised times are no times.
                    let text = object.to_string().replace("<time>", "2026-01-02T03:04:05Z");
                    if text.contains("<ignored>") || object["kind"] == "Status" || object["kind"] == "Table" {
                        continue;
                    }
                    let object: Value = serde_json::from_str(&text).unwrap();
                    let Some(schema) = builtin().kind(&gvk(&object)) else { continue };
                    if matches!(object["kind"].as_str(), Some("Lease" | "Event")) {
                        continue; // Their normalised times are of two forms.
                    }
                    let mut result = object.clone();
                    seen += 1;
                    let place = format!("{} {}", file.display(), object["kind"]);
                    match schema.decode(&mut result) {
                        Err(error) => wrong.push(format!("{place}: {error}")),
                        Ok(unknown) if !unknown.is_empty() => wrong.push(format!("{place}: {unknown:?}")),
                        Ok(_) => {
                            schema.drop_stored_empties(&mut result);
                            schema.apply_defaults(&mut result);
                            if result != object {
                                wrong.push(format!("{place}: {}", difference(&object, &result, "")));
                            }
                        }
                    }
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{seen} objects");
}

/// What a created object of a built-in kind has of its own is what upstream answered, where no controller, strategy or
/// kind's own defaulting wrote another value: decoding loses and invents nothing.
#[test]
fn creations_of_built_in_kinds_keep_what_upstream_keeps() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for area in ["objects", "kinds", "patch", "watch", "authz"] {
        for file in files(area, "") {
            for step in steps(&file) {
                let Some(mut object) = body(&step["request"]) else { continue };
                if step["request"]["method"] != "POST" || step["response"]["status"] != 201 {
                    continue;
                }
                let Some(schema) = builtin().kind(&gvk(&object)) else { continue };
                if schema.decode(&mut object).is_err() {
                    wrong.push(format!("{}: not decoded", file.display()));
                    continue;
                }
                schema.drop_stored_empties(&mut object);
                schema.apply_defaults(&mut object);
                seen += 1;
                let answer = &step["response"]["body"];
                let mut lost = Vec::new();
                not_in(answer, &object, "", &mut lost);
                let kind = object["kind"].as_str().unwrap_or_default();
                lost.retain(|text| {
                    !NOT_THE_SCHEMAS.iter().any(|(of, path)| (*of == kind || of.is_empty()) && text.starts_with(path))
                });
                if !lost.is_empty() {
                    wrong.push(format!("{} {}: {}", file.display(), object["kind"], lost.join("; ")));
                }
            }
        }
    }
    eprintln!("{seen} creations");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Fields that upstream's strategies, admission and kinds' own defaulting decide.
const NOT_THE_SCHEMAS: [(&str, &str); 26] = [
    ("", ".status"),
    ("", ".metadata.namespace:"),
    ("", ".metadata.generation:"),
    ("", ".metadata.managedFields"),
    ("Binding", ""),
    ("CertificateSigningRequest", ".spec.extra"),
    ("CertificateSigningRequest", ".spec.groups"),
    ("CertificateSigningRequest", ".spec.uid"),
    ("CertificateSigningRequest", ".spec.username"),
    ("IngressClass", ".spec.parameters.scope"),
    ("Job", ".spec.podFailurePolicy.rules[1].onPodConditions[0].status"),
    ("Lease", ".spec.preferredHolder"),
    ("Lease", ".spec.strategy"),
    ("Namespace", ".metadata.labels.kubernetes.io/metadata.name"),
    ("Namespace", ".spec.finalizers"),
    ("Node", ".spec.taints"),
    ("Node", ".spec.podCIDRs"),
    ("Pod", ".spec.containers[1].resources.requests.cpu: \"1m\" is not \"100u\""),
    ("Pod", ".spec.terminationGracePeriodSeconds: 1 is not -1"),
    ("Pod", ".spec.tolerations"),
    ("RoleBinding", ".roleRef.apiGroup"),
    ("Secret", ".data.k"),
    ("Secret", ".stringData"),
    ("Service", ".spec.ports"),
    ("Service", ".spec.sessionAffinityConfig"),
    ("TokenRequest", ".spec"),
];

fn not_in(answer: &Value, object: &Value, path: &str, lost: &mut Vec<String>) {
    match (answer, object) {
        (Value::Object(a), Value::Object(o)) => {
            for (key, value) in o {
                match a.get(key) {
                    None => lost.push(format!("{path}.{key}: {value} is not there")),
                    Some(answer) => not_in(answer, value, &format!("{path}.{key}"), lost),
                }
            }
        }
        (Value::Array(a), Value::Array(o)) if a.len() == o.len() => {
            for (at, (answer, value)) in a.iter().zip(o).enumerate() {
                not_in(answer, value, &format!("{path}[{at}]"), lost);
            }
        }
        (Value::String(a), _) if a.contains('<') => {}
        (a, o) if a != o => lost.push(format!("{path}: {a} is not {o}")),
        _ => {}
    }
}

fn difference(want: &Value, got: &Value, path: &str) -> String {
    match (want, got) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            keys.into_iter()
                .filter(|k| a.get(*k) != b.get(*k))
                .map(|k| {
                    let nothing = json!("(absent)");
                    difference(a.get(k).unwrap_or(&nothing), b.get(k).unwrap_or(&nothing), &format!("{path}.{k}"))
                })
                .collect::<Vec<_>>()
                .join("; ")
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => (0..a.len())
            .filter(|i| a[*i] != b[*i])
            .map(|i| difference(&a[i], &b[i], &format!("{path}[{i}]")))
            .collect::<Vec<_>>()
            .join("; "),
        _ => format!("{path}: want {want}, got {got}"),
    }
}

/// A body that upstream's decoder refused is refused in its words.
#[test]
fn decode_errors_are_upstreams() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for area in ["objects", "kinds", "crd", "authz"] {
        for file in files(area, "") {
            let mut custom: HashMap<GroupVersionKind, Schema> = HashMap::new();
            for step in steps(&file) {
                let Some(object) = body(&step["request"]) else { continue };
                note_crd(&object, &step["response"], &mut custom);
                let message = step["response"]["body"]["message"].as_str().unwrap_or_default();
                let Some((_, want)) = message.split_once(" cannot be handled as a ") else { continue };
                let Some((_, want)) = want.split_once(": ") else { continue };
                if want.contains("duplicate field")
                    || want.contains("yaml:")
                    || want.contains("1e400")
                    || want.starts_with("converting")
                {
                    continue;
                }
                let Some(schema) = builtin().kind(&gvk(&object)).or_else(|| custom.get(&gvk(&object)).cloned()) else {
                    continue;
                };
                let mut object = object;
                let got = match schema.decode(&mut object) {
                    Err(error) => error.to_string(),
                    Ok(unknown) => schema::strict_decoding_error(&unknown),
                };
                checked += 1;
                // The recordings hide times, also those within a message.
                let same = match want.split_once("<time>") {
                    Some((head, tail)) => {
                        let tail = tail.rsplit("<time>").next().unwrap_or_default();
                        got.starts_with(head) && got.ends_with(tail.trim_start_matches("07:00"))
                    }
                    None => got == want,
                };
                if !same {
                    wrong.push(format!("{}:\n want {want}\n got  {got}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{checked} refusals");
}

fn note_crd(object: &Value, response: &Value, custom: &mut HashMap<GroupVersionKind, Schema>) {
    if object["kind"] != "CustomResourceDefinition" || response["status"] != 201 {
        return;
    }
    for version in object["spec"]["versions"].as_array().into_iter().flatten() {
        let mut raw = version["schema"]["openAPIV3Schema"].clone();
        // As the CRD itself was decoded.
        let props = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
        builtin().definition(props).unwrap().decode(&mut raw).unwrap();
        let Ok(schema) = Schema::from_crd(&raw, &Path::new("schema")) else { continue };
        let kind = GroupVersionKind::new(
            object["spec"]["group"].as_str().unwrap(),
            version["name"].as_str().unwrap(),
            object["spec"]["names"]["kind"].as_str().unwrap(),
        );
        custom.insert(kind, schema);
    }
}

/// Whether a message names these errors and, but for metadata's before them, no others.
fn names_after_metadata(message: &str, errors: &[apimachinery::field::Error]) -> bool {
    let Some((_, named)) = message.split_once(" is invalid: ") else { return false };
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let wanted = texts.join(", ");
    named == Aggregate(errors).to_string()
        || named.starts_with("[metadata.")
            && named.strip_suffix(']').is_some_and(|n| n.ends_with(&format!(", {wanted}")))
}

/// Creating a custom resource: pruned, defaulted and validated as upstream did it.
#[test]
fn custom_resources_are_created_or_refused_as_upstream_did() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for file in files("crd", "cr-") {
        if file.ends_with("cr-versions.json") {
            continue; // Stored in another version than asked for: conversion prunes, too.
        }
        let mut custom: HashMap<GroupVersionKind, Schema> = HashMap::new();
        for step in steps(&file) {
            let Some(mut object) = body(&step["request"]) else { continue };
            note_crd(&object, &step["response"], &mut custom);
            if step["request"]["method"] != "POST" {
                continue;
            }
            let Some(schema) = custom.get(&gvk(&object)).cloned() else { continue };
            let status = step["response"]["status"].as_u64().unwrap_or_default();
            let answer = &step["response"]["body"];
            if status != 201 && status != 422 || answer.to_string().contains("<ignored>") {
                continue;
            }
            if let Err(error) = schema.decode(&mut object) {
                wrong.push(format!("{}: {error}", file.display()));
                continue;
            }
            schema.apply_defaults(&mut object);
            let mut errors = schema.validate(&object, None, &Path::default());
            let rules = schema.validate_rules(&object, None, &errors);
            errors.extend(rules.errors);
            let place = format!("{} {}", file.display(), step["request"]["body"]["spec"]);
            schema.settle_numbers(&mut object);
            if status == 201 {
                checked += 1;
                let mut want = answer.clone();
                for each in [&mut want, &mut object] {
                    each.as_object_mut().unwrap().remove("metadata");
                }
                // Statuses of kinds with that subresource are not taken from the body.
                object.as_object_mut().unwrap().retain(|key, _| key != "status");
                want.as_object_mut().unwrap().retain(|key, _| key != "status");
                if !errors.is_empty() {
                    wrong.push(format!("{place}: refused: {}", Aggregate(&errors)));
                } else if want != object && !want.to_string().contains('<') {
                    wrong.push(format!("{place}: {}", difference(&want, &object, "")));
                }
            } else {
                let message = answer["message"].as_str().unwrap_or_default();
                if errors.is_empty() {
                    continue; // Refused for its metadata or name: not by the schema.
                }
                checked += 1;
                for error in &errors {
                    let text = error.to_string();
                    if !message.contains(&text) && !message.contains('<') {
                        wrong.push(format!("{place}:\n got {text}\n of  {message}"));
                    }
                }
                if !message.contains('<') && !names_after_metadata(message, &errors) {
                    wrong.push(format!("{place}:\n got  {}\n want {message}", Aggregate(&errors)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{checked} creations");
}

/// What an unchanged part of an object had wrong before its schema was tightened is let pass; what is changed is not.
#[test]
fn unchanged_mistakes_are_let_pass_as_upstream_does() {
    let mut schema = Schema::preserving();
    let mut live = Value::Null;
    let mut checked = 0;
    for step in steps(&recordings().join("crd/cr-ratcheting.json")) {
        let Some(body) = body(&step["request"]) else { continue };
        let status = step["response"]["status"].as_u64().unwrap();
        if !body["spec"]["versions"].is_null() {
            let mut raw = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
            let props = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
            builtin().definition(props).unwrap().decode(&mut raw).unwrap();
            schema = Schema::from_crd(&raw, &Path::new("schema")).unwrap();
            continue;
        }
        if step["request"]["method"] == "POST" {
            if status == 201 {
                live = body;
            }
            continue;
        }
        let mut new = live.clone();
        apimachinery::patch::merge::apply(&mut new, &body);
        let mut errors = schema.validate(&new, Some(&live), &Path::default());
        let rules = schema.validate_rules(&new, Some(&live), &errors);
        errors.extend(rules.errors);
        checked += 1;
        if status == 200 {
            assert!(errors.is_empty(), "{body}: {}", Aggregate(&errors));
            live = new;
        } else {
            let message = step["response"]["body"]["message"].as_str().unwrap();
            let got = Aggregate(&errors).to_string();
            assert_eq!(message.split(" is invalid: ").nth(1), Some(&*got), "{body}");
        }
    }
    assert!(checked > 10);
}

/// Schemas that upstream refused in a CRD are refused in its words.
#[test]
fn schemas_are_refused_as_upstream_did() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for file in files("crd", "crd-schema-") {
        for step in steps(&file) {
            let Some(object) = body(&step["request"]) else { continue };
            let Some([version]) = object["spec"]["versions"].as_array().map(Vec::as_slice) else { continue };
            let mut raw = version["schema"]["openAPIV3Schema"].clone();
            let props = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
            if !raw.is_object() || builtin().definition(props).unwrap().decode(&mut raw).is_err() {
                continue;
            }
            let status = step["response"]["status"].as_u64().unwrap_or_default();
            let answer = step["response"]["body"]["message"].as_str().unwrap_or_default();
            let path = Path::new("spec").child("validation").child("openAPIV3Schema");
            let outcome = Schema::from_crd(&raw, &path);
            checked += 1;
            match (status, outcome) {
                (201, Ok(_)) => {}
                (422, Err(errors)) => {
                    if answer.split(" is invalid: ").nth(1) != Some(&Aggregate(&errors).to_string()) {
                        wrong.push(format!("{}:\n got  {}\n want {answer}", file.display(), Aggregate(&errors)));
                    }
                }
                (_, Ok(_)) => wrong.push(format!("{}: accepted, want {answer}", file.display())),
                (_, Err(errors)) => wrong.push(format!("{}: refused {}", file.display(), Aggregate(&errors))),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{checked} schemas");
}

/// OpenAPI v3 of a custom resource is what upstream publishes.
#[test]
fn published_definitions_are_upstreams() {
    let steps = steps(&recordings().join("crd/crd-openapi-v3.json"));
    let crd = &steps[0]["request"]["body"]["spec"];
    let schema = &crd["versions"][0]["schema"]["openAPIV3Schema"];
    let kind = schema::openapi::CustomKind {
        group: crd["group"].as_str().unwrap(),
        version: "v1",
        kind: "Widget",
        list_kind: "WidgetList",
        plural: "widgets",
        schema: Some(schema),
        preserve_unknown_fields: false,
        selectable_fields: &[],
    };
    let published = schema::openapi::v3(&kind);
    let answer = steps
        .iter()
        .find_map(|step| step["response"]["body"]["components"]["schemas"].as_object())
        .expect("an OpenAPI document");
    for (name, definition) in [published.kind, published.list] {
        let want = answer.get(&name).unwrap_or_else(|| panic!("{name} is not among {:?}", answer.keys()));
        assert_eq!(difference(want, &definition, ""), difference(want, want, ""), "{name}");
    }
}
