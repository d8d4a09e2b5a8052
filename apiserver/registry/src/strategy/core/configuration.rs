//! Config maps, secrets and events.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, NameFn};
use base64::Engine;
use schema::types;
use serde_json::Value;

use crate::strategy::{Facts, GarbageCollection, Recheck, Scope, Strategy};
use crate::table::Row;

/// The most that a config map or a secret holds.
const MAX_SIZE: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct ConfigMap;

impl Strategy for ConfigMap {
    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        let mut errors = ErrorList::new();
        let mut size = 0;
        for (name, encoded) in [("data", false), ("binaryData", true)] {
            let path = Path::new(name);
            for (key, value) in entries(object, name) {
                errors.extend(
                    validation::is_config_map_key(key)
                        .into_iter()
                        .map(|words| Error::invalid(&path.key(key), key, words)),
                );
                if !encoded && entries(object, "binaryData").any(|(other, _)| other == key) {
                    errors.push(Error::invalid(&path.key(key), key, "duplicate of key present in binaryData"));
                }
                size += value_size(value, encoded);
            }
        }
        if size > MAX_SIZE {
            // Upstream names no field; this is how an empty path is written.
            errors.push(Error::too_long(&Path::default().key(""), MAX_SIZE));
        }
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
        immutable(object, old, &["data", "binaryData"])
    }

    fn rechecks(&self) -> Recheck {
        Recheck::After
    }
}

#[derive(Debug)]
pub(super) struct Secret;

impl Strategy for Secret {
    fn apply_defaults(&self, object: &mut Value) {
        let Some(fields) = object.as_object_mut() else { return };
        if let Some(Value::Object(plain)) = fields.remove("stringData") {
            let data = fields.entry("data").or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Some(data) = data.as_object_mut() {
                for (key, value) in plain {
                    let text = value.as_str().unwrap_or_default();
                    data.insert(key, base64::engine::general_purpose::STANDARD.encode(text).into());
                }
            }
        }
        if fields.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
            fields.insert("type".into(), "Opaque".into());
        }
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _scope: &Scope<'_>) {
        // A type that is not given stays what it is.
        let given = object.get("type").and_then(Value::as_str).unwrap_or_default();
        if let (true, Some(fields), Some(kind)) = (given.is_empty(), object.as_object_mut(), old.get("type")) {
            fields.insert("type".into(), kind.clone());
        }
    }

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        let mut errors = ErrorList::new();
        let path = Path::new("data");
        let mut size = 0;
        for (key, value) in entries(object, "data") {
            errors.extend(
                validation::is_config_map_key(key).into_iter().map(|words| Error::invalid(&path.key(key), key, words)),
            );
            size += value_size(value, true);
        }
        if size > MAX_SIZE {
            errors.push(Error::too_long(&path, MAX_SIZE));
        }
        let required: &[&str] = match object.get("type").and_then(Value::as_str).unwrap_or_default() {
            "kubernetes.io/service-account-token" => {
                let account = object.annotation("kubernetes.io/service-account.name").unwrap_or_default();
                if account.is_empty() {
                    let path = Path::new("metadata").child("annotations").key("kubernetes.io/service-account.name");
                    errors.push(Error::required(&path, ""));
                }
                &[]
            }
            "kubernetes.io/dockercfg" => &[".dockercfg"],
            "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
            "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
            "kubernetes.io/tls" => &["tls.crt", "tls.key"],
            "kubernetes.io/basic-auth" => {
                let has = |key| entries(object, "data").any(|(known, _)| known == key);
                if !has("username") && !has("password") {
                    errors.push(Error::required(&path.key("username"), ""));
                    errors.push(Error::required(&path.key("password"), ""));
                }
                &[]
            }
            _ => &[],
        };
        for key in required {
            match entries(object, "data").find(|(known, _)| known == key) {
                None => errors.push(Error::required(&path.key(key), "")),
                Some((_, value)) if key.starts_with(".docker") => {
                    errors.extend(not_an_object(value).map(|why| Error::invalid(&path.key(key), REDACTED, why)));
                }
                Some(_) => {}
            }
        }
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
        let mut errors = ErrorList::new();
        if object.get("type") != old.get("type") {
            let kind = object.get("type").cloned().unwrap_or_default();
            errors.push(Error::invalid(&Path::new("type"), kind, "field is immutable"));
        }
        errors.extend(immutable(object, old, &["data"]));
        errors
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, _scope: &Scope<'_>) -> Vec<String> {
        let is_tls = object.get("type").and_then(Value::as_str) == Some("kubernetes.io/tls");
        let changed = old.is_none_or(|old| old.get("data") != object.get("data"));
        if is_tls && changed { of_key_pair(object).into_iter().collect() } else { Vec::new() }
    }

    fn rechecks(&self) -> Recheck {
        Recheck::After
    }
}

/// What errors show instead of a secret.
const REDACTED: &str = "<secret contents redacted>";

fn decoded(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

/// Why a value is no JSON object, in the words of Go's decoder.
fn not_an_object(value: &Value) -> Option<String> {
    let kind = match apimachinery::json::parse(&decoded(value)) {
        Err(error) => return Some(error.to_string()),
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(Value::Array(_)) => "array",
        Ok(Value::String(_)) => "string",
        Ok(Value::Number(_)) => "number",
        Ok(Value::Bool(_)) => "bool",
    };
    Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

/// What upstream warns of in a certificate and key: what of PEM Go's `tls.X509KeyPair` misses in them.
fn of_key_pair(object: &Value) -> Option<String> {
    let input = |name: &str| {
        let found = entries(object, "data").find(|(key, _)| *key == name);
        String::from_utf8_lossy(&found.map(|(_, value)| decoded(value)).unwrap_or_default()).into_owned()
    };
    let (certificate, key) = (blocks(&input("tls.crt")), blocks(&input("tls.key")));
    let is_key = |kind: &String| kind == "PRIVATE KEY" || kind.ends_with(" PRIVATE KEY");
    let is_certificate = |kind: &String| kind == "CERTIFICATE";
    let missing = |what: &str, wanted: &str, skipped: &[String]| {
        format!(
            "tls: failed to find {wanted} PEM block in {what} input after skipping PEM blocks of the following types: [{}]",
            skipped.join(" ")
        )
    };
    if certificate.is_empty() {
        Some("tls: failed to find any PEM data in certificate input".to_owned())
    } else if !certificate.iter().any(is_certificate) {
        Some(match certificate.as_slice() {
            [only] if is_key(only) => "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".to_owned(),
            skipped => missing("certificate", "\"CERTIFICATE\"", skipped),
        })
    } else if key.is_empty() {
        Some("tls: failed to find any PEM data in key input".to_owned())
    } else if !key.iter().any(is_key) {
        Some(match key.as_slice() {
            [only] if is_certificate(only) => {
                "tls: found a certificate rather than a key in the PEM for the private key".to_owned()
            }
            skipped => missing("key", "PEM block with type ending in \"PRIVATE KEY\"", skipped).replacen(
                " PEM block in",
                " in",
                1,
            ),
        })
    } else {
        None
    }
}

/// The types of the PEM blocks of a text.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((kind, body)) = after.split_once("-----") else { break };
        match body.split_once(&format!("-----END {kind}-----")) {
            Some((_, after)) => {
                found.push(kind.to_owned());
                rest = after;
            }
            None => rest = body,
        }
    }
    found
}

#[derive(Debug)]
pub(super) struct Event;

impl Strategy for Event {
    fn facts(&self) -> &Facts {
        &Facts { create_on_update: true, ..Facts::DEFAULT }
    }

    fn name_rule(&self, _row: &Row) -> NameFn {
        validation::name_is_dns_subdomain
    }

    fn garbage_collection(&self) -> GarbageCollection {
        GarbageCollection::Unsupported
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        // Clients of the core group have always changed events at will.
        if scope.row.gvr.group.is_empty() { ErrorList::new() } else { event_update(object, old) }
    }
}

/// What an event tells cannot be changed through `events.k8s.io`, its series aside. Upstream names the core group's fields.
fn event_update(object: &Value, old: &Value) -> ErrorList {
    const FIXED: [(&str, &str); 13] = [
        ("regarding", "involvedObject"),
        ("reason", "reason"),
        ("note", "message"),
        ("deprecatedSource", "source"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
        ("type", "type"),
        ("eventTime", "eventTime"),
        ("action", "action"),
        ("related", "related"),
        ("reportingController", "reportingController"),
        ("reportingInstance", "reportingInstance"),
    ];
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    };
    let of = |event: &Value, field: &str| event.get(field).filter(|value| !is_empty(value)).cloned();
    let changed = FIXED.iter().filter(|(field, _)| of(object, field) != of(old, field));
    changed
        .map(|(field, named)| {
            let value = object.get(*field).unwrap_or(&Value::Null);
            let shown = match *field {
                "regarding" => types::bad_value("core.ObjectReference", value),
                "related" => types::bad_value("*core.ObjectReference", value),
                "deprecatedSource" => types::bad_value("core.EventSource", value),
                _ => value.clone().into(),
            };
            Error::invalid(&Path::new(*named), shown, "field is immutable")
        })
        .collect()
}

fn entries<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    object.get(field).and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn value_size(value: &Value, encoded: bool) -> usize {
    let text = value.as_str().unwrap_or_default();
    if encoded {
        text.len() / 4 * 3 - text.bytes().rev().take_while(|&byte| byte == b'=').count().min(text.len() / 4 * 3)
    } else {
        text.len()
    }
}

/// An immutable object stays so, and its data with it.
fn immutable(object: &Value, old: &Value, fields: &[&str]) -> ErrorList {
    let is_immutable = |object: &Value| object.get("immutable").and_then(Value::as_bool).unwrap_or(false);
    if !is_immutable(old) {
        return ErrorList::new();
    }
    let words = "field is immutable when `immutable` is set";
    let mut errors = ErrorList::new();
    if !is_immutable(object) {
        errors.push(Error::forbidden(&Path::new("immutable"), words));
    }
    let absent =
        |value: Option<&Value>| value.is_none_or(|value| value.as_object().is_some_and(serde_json::Map::is_empty));
    for field in fields {
        let (new, old) = (object.get(*field), old.get(*field));
        if new != old && !(absent(new) && absent(old)) {
            errors.push(Error::forbidden(&Path::new(*field), words));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoded(text: &str) -> Value {
        base64::engine::general_purpose::STANDARD.encode(text).into()
    }

    #[test]
    fn a_docker_configuration_is_a_json_object() {
        for (text, why) in [
            ("{}", None),
            ("not json", Some("invalid character 'o' in literal null (expecting 'u')")),
            ("\"x\"", Some("json: cannot unmarshal string into Go value of type map[string]interface {}")),
        ] {
            assert_eq!(not_an_object(&encoded(text)).as_deref(), why, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_or_key_costs_a_warning() {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAA==\n-----END {kind}-----\n");
        let (certificate, key) = (block("CERTIFICATE"), block("RSA PRIVATE KEY"));
        for (cert, private, warning) in [
            (certificate.as_str(), key.as_str(), None),
            ("", key.as_str(), Some("tls: failed to find any PEM data in certificate input")),
            (certificate.as_str(), "x", Some("tls: failed to find any PEM data in key input")),
            (
                key.as_str(),
                key.as_str(),
                Some(
                    "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
                ),
            ),
            (
                certificate.as_str(),
                certificate.as_str(),
                Some("tls: found a certificate rather than a key in the PEM for the private key"),
            ),
        ] {
            let secret = json!({"data": {"tls.crt": encoded(cert), "tls.key": encoded(private)}});
            assert_eq!(of_key_pair(&secret).as_deref(), warning, "{cert}{private}");
        }
    }
}
