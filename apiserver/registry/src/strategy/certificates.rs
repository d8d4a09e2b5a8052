//! Certificate signing requests: the server notes who asks, approval and issuing are each written by a path of its own, and
//! what was decided or issued stays.

use admission::certificates::{pem_of, request};
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::quoted;
use apimachinery::validation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose::pem;
use serde_json::{Map, Value, json};

use super::check::{one_of, required_one_of};
use super::read::{at, list, number, same, text, texts};
use super::{Fields, Scope};

const APPROVED: &str = "Approved";
const DENIED: &str = "Denied";
const FAILED: &str = "Failed";
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
/// The least time a certificate can be asked for, in seconds.
const LEAST: i64 = 600;

/// What certificates can be for, in the order of upstream's message.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Notes who asks. What they say of themselves, and of the outcome, does not count.
pub(super) fn prepare_create(object: &mut Value, scope: &Scope<'_>) {
    let Some(object) = object.as_object_mut() else { return };
    object.insert("status".into(), json!({}));
    let spec = object.entry("spec").or_insert_with(|| json!({}));
    let Some(spec) = spec.as_object_mut() else { return };
    ["username", "uid", "groups", "extra"].iter().for_each(|field| drop(spec.remove(*field)));
    let user = scope.user;
    let named = [("username", &user.name), ("uid", &user.uid)].into_iter().filter(|(_, text)| !text.is_empty());
    spec.extend(named.map(|(field, text)| (field.to_owned(), json!(text))));
    if !user.groups.is_empty() {
        spec.insert("groups".into(), json!(user.groups));
    }
    if !user.extra.is_empty() {
        spec.insert("extra".into(), json!(user.extra));
    }
}

/// The spec stays as it is. `/approval` writes conditions alone; `/status` keeps those of the approval.
pub(super) fn prepare_update(object: &mut Value, old: &Value, scope: &Scope<'_>) {
    match scope.subresource {
        "approval" => {
            fill_times(object, old, scope.now);
            let conditions = object.pointer("/status/conditions").cloned();
            let mut status = at(old, "status").as_object().cloned().unwrap_or_default();
            status.remove("conditions");
            status.extend(conditions.map(|conditions| ("conditions".to_owned(), conditions)));
            set(object, "status", Value::Object(status));
        }
        "status" => {
            [APPROVED, DENIED].iter().for_each(|kind| keep(object, old, kind));
            fill_times(object, old, scope.now);
        }
        _ => {}
    }
    set(object, "spec", at(old, "spec").clone());
}

/// What each path puts back.
pub(super) fn resets(subresource: &str) -> Option<Fields> {
    Some(match subresource {
        "status" => &[&["spec"], &["status", "conditions"]],
        "approval" => &[&["spec"], &["status", "certificate"]],
        _ => &[&["spec"], &["status"]],
    })
}

fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        match value {
            Value::Null => fields.remove(field),
            value => fields.insert(field.to_owned(), value),
        };
    }
}

fn conditions(object: &Value) -> &[Value] {
    list(at(object, "status"), "conditions")
}

fn conditions_mut(object: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    conditions.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn of_kind<'a>(object: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    conditions(object).iter().filter(move |condition| text(condition, "type") == kind)
}

/// Conditions of a kind stay as they were, unless there are more or fewer of them: that is refused.
fn keep(object: &mut Value, old: &Value, kind: &str) {
    if of_kind(object, kind).count() != of_kind(old, kind).count() {
        return;
    }
    let is_kind = |condition: &&mut Map<String, Value>| condition.get("type").is_some_and(|of| of == kind);
    for (new, old) in conditions_mut(object).filter(is_kind).zip(of_kind(old, kind)) {
        *new = old.as_object().cloned().unwrap_or_default();
    }
}

/// Conditions without times were found now; one that was there in that state has been in it since.
fn fill_times(object: &mut Value, old: &Value, now: &str) {
    let is_missing = |condition: &Map<String, Value>, field: &str| condition.get(field).is_none_or(Value::is_null);
    for condition in conditions_mut(object) {
        if is_missing(condition, "lastUpdateTime") {
            condition.insert("lastUpdateTime".into(), now.into());
        }
        if is_missing(condition, "lastTransitionTime") {
            let alike = |old: &&Value| ["type", "status"].iter().all(|field| old.get(*field) == condition.get(*field));
            let since = conditions(old).iter().filter(alike).map(|old| text(old, "lastTransitionTime"));
            let since = since.into_iter().find(|since| !since.is_empty()).unwrap_or(now).to_owned();
            condition.insert("lastTransitionTime".into(), since.into());
        }
    }
}

/// What is wrong with a new request.
pub(super) fn validate(object: &Value, _scope: &Scope<'_>) -> ErrorList {
    validate_either(object, None)
}

/// What is wrong with a change, by the path that it comes by. What was wrong before and is the same may stay.
pub(super) fn validate_update(object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let mut errors = validate_either(object, Some(old));
    let path = Path::new("status").child("conditions");
    for kind in [APPROVED, DENIED, FAILED] {
        if of_kind(object, kind).count() < of_kind(old, kind).count() {
            let words = format!("updates may not remove a condition of type {}", quoted(kind));
            errors.push(Error::forbidden(&path, words));
        }
    }
    for kind in [APPROVED, DENIED].into_iter().filter(|_| scope.subresource != "approval") {
        let (new, before): (Vec<&Value>, Vec<&Value>) = (of_kind(object, kind).collect(), of_kind(old, kind).collect());
        if new.len() > before.len() {
            errors.push(Error::forbidden(&path, format!("updates may not add a condition of type {}", quoted(kind))));
        } else if new.len() == before.len() && new.iter().zip(&before).any(|(new, before)| !same(new, before)) {
            let words = format!("updates may not modify a condition of type {}", quoted(kind));
            errors.push(Error::forbidden(&path, words));
        }
    }
    let (new, before) = (certificate(object), certificate(old));
    let path = Path::new("status").child("certificate");
    if new != before && scope.subresource != "status" {
        errors.push(Error::forbidden(&path, "updates may not set certificate content"));
    } else if new != before && !before.is_empty() {
        errors.push(Error::forbidden(&path, "updates may not modify existing certificate content"));
    }
    errors
}

fn certificate(object: &Value) -> &str {
    text(at(object, "status"), "certificate")
}

fn validate_either(object: &Value, old: Option<&Value>) -> ErrorList {
    let (mut errors, spec, path) = (ErrorList::new(), at(object, "spec"), Path::new("spec"));
    let tolerates = |wrong: fn(&Value) -> bool| old.is_some_and(wrong);
    if let Err(words) = request::check(&pem_of(object)) {
        errors.push(Error::invalid(&path.child("request"), at(spec, "request").clone(), words));
    }
    let usages: Vec<&str> = texts(spec, "usages").collect();
    if usages.is_empty() {
        errors.push(Error::required(&path.child("usages"), ""));
    }
    if !tolerates(|old| texts(at(old, "spec"), "usages").any(|usage| !USAGES.contains(&usage))) {
        for (index, usage) in usages.iter().enumerate() {
            one_of(usage, &USAGES, &path.child("usages").index(index), &mut errors);
        }
    }
    if !tolerates(|old| has_repeated(texts(at(old, "spec"), "usages"))) {
        for (index, usage) in repeated(usages.iter().copied()) {
            errors.push(Error::duplicate(&path.child("usages").index(index), usage));
        }
    }
    let signer = text(spec, "signerName");
    if signer == LEGACY_SIGNER && !tolerates(|old| text(at(old, "spec"), "signerName") == LEGACY_SIGNER) {
        let words = "the legacy signerName is not allowed via this API version";
        errors.push(Error::invalid(&path.child("signerName"), signer, words));
    } else {
        validate_signer(signer, &path.child("signerName"), &mut errors);
    }
    if let Some(seconds) = number(spec, "expirationSeconds").filter(|seconds| *seconds < LEAST) {
        let words = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(Error::invalid(&path.child("expirationSeconds"), seconds, words));
    }
    validate_conditions(object, old, &mut errors);
    let unchanged = old.is_some_and(|old| certificate(old) == certificate(object));
    if !unchanged
        && !tolerates(|old| certificate_problem(certificate(old)).is_some())
        && let Some(words) = certificate_problem(certificate(object))
    {
        errors.push(Error::invalid(&Path::new("status").child("certificate"), "<certificate data>", words));
    }
    errors
}

/// What comes again in a list, each time but the first, with its place.
fn repeated<'a>(items: impl Iterator<Item = &'a str> + Clone) -> impl Iterator<Item = (usize, &'a str)> {
    let all = items.clone();
    items.enumerate().filter(move |(index, item)| all.clone().take(*index).any(|earlier| earlier == *item))
}

fn has_repeated<'a>(items: impl Iterator<Item = &'a str> + Clone) -> bool {
    repeated(items).next().is_some()
}

fn kinds(object: &Value) -> impl Iterator<Item = &str> + Clone {
    conditions(object).iter().map(|condition| text(condition, "type"))
}

fn validate_conditions(object: &Value, old: Option<&Value>, errors: &mut ErrorList) {
    let path = Path::new("status").child("conditions");
    let tolerates = |wrong: fn(&Value) -> bool| old.is_some_and(wrong);
    let nameless = tolerates(|old| kinds(old).any(str::is_empty));
    let both = tolerates(|old| [APPROVED, DENIED].iter().all(|kind| kinds(old).any(|of| of == *kind)));
    let twice = tolerates(|old| has_repeated(kinds(old)));
    for (index, condition) in conditions(object).iter().enumerate() {
        let (path_of_one, kind) = (path.index(index), text(condition, "type"));
        if kind.is_empty() && !nameless {
            errors.push(Error::required(&path_of_one.child("type"), ""));
        }
        let decided = [APPROVED, DENIED, FAILED].contains(&kind);
        let states: &[&str] = if decided { &["True"] } else { &["False", "True", "Unknown"] };
        required_one_of(text(condition, "status"), states, &path_of_one.child("status"), errors);
        let other = match kind {
            APPROVED => DENIED,
            DENIED => APPROVED,
            _ => "",
        };
        if !both && !other.is_empty() && kinds(object).take(index).any(|earlier| earlier == other) {
            errors.push(Error::invalid(&path, kind, "Approved and Denied conditions are mutually exclusive"));
        }
        if !twice && kinds(object).take(index).any(|earlier| earlier == kind) {
            errors.push(Error::duplicate(&path_of_one.child("type"), kind));
        }
    }
}

/// A signer is named by a domain and a path in it.
fn validate_signer(signer: &str, path: &Path, errors: &mut ErrorList) {
    const DOMAIN: usize = 253;
    const LONGEST: usize = DOMAIN + 1 + 253 + 63 + 1;
    if signer.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    let Some((domain, name)) = signer.split_once('/').filter(|(_, name)| !name.contains('/')) else {
        let words = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(Error::invalid(path, signer, words));
        return;
    };
    if domain.len() > DOMAIN {
        errors.push(Error::too_long(path, DOMAIN));
    }
    for label in domain.split('.') {
        for words in validation::is_dns1123_label(label) {
            errors.push(Error::invalid(path, domain, format!("validating label {}: {words}", quoted(label))));
        }
    }
    if !domain.contains('.') {
        let words = "should be a domain with at least two segments separated by dots";
        errors.push(Error::invalid(path, domain, words));
    }
    for label in name.split('.') {
        for words in validation::is_dns1123_subdomain(label) {
            errors.push(Error::invalid(path, name, format!("validating label {}: {words}", quoted(label))));
        }
    }
    if signer.len() > LONGEST {
        errors.push(Error::too_long(path, LONGEST));
    }
}

/// Why the certificate that was issued (base64 of PEM) is none; none is no problem.
fn certificate_problem(encoded: &str) -> Option<String> {
    if encoded.is_empty() {
        return None;
    }
    let mut blocks = 0;
    for section in pem::sections(&STANDARD.decode(encoded).unwrap_or_default()) {
        if section.kind != "CERTIFICATE" {
            return Some(format!("only CERTIFICATE PEM blocks are allowed, found {}", quoted(&section.kind)));
        }
        if section.has_headers {
            return Some("no PEM block headers are permitted".to_owned());
        }
        blocks += 1;
        let mut rest = section.der.as_slice();
        if rest.is_empty() {
            return Some("found CERTIFICATE PEM block containing 0 certificates".to_owned());
        }
        while !rest.is_empty() {
            match x509_parser::parse_x509_certificate(rest) {
                Ok((after, _)) => rest = after,
                Err(_) => return Some("x509: malformed certificate".to_owned()),
            }
        }
    }
    (blocks == 0).then(|| "must contain at least one CERTIFICATE PEM block".to_owned())
}
