//! `conversion`: how instances become those of another version.

use std::collections::HashSet;

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use apimachinery::validation::is_dns1035_label;
use serde_json::Value;

use super::ratcheting::Ratchet;
use crate::strategy::check;
use crate::strategy::read::{at, list, text, texts};
use crate::strategy::webhook_client;

const WEBHOOK: &str = "Webhook";

/// The versions of `ConversionReview` that a webhook may ask for.
const KNOWN_REVIEWS: [&str; 2] = ["v1", "v1beta1"];

/// Whether a webhook asks for a version that is known, or for none.
pub(super) fn has_known_review(conversion: &Value) -> bool {
    let versions = list(conversion, "conversionReviewVersions");
    versions.is_empty() || versions.iter().filter_map(Value::as_str).any(|version| KNOWN_REVIEWS.contains(&version))
}

/// What is wrong with a conversion (null: none), which is in the internal form: a webhook's fields stand in it.
pub(super) fn validate(conversion: &Value, preserves_unknown: bool, ratchet: &Ratchet, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if conversion.is_null() {
        return errors;
    }
    let strategy = text(conversion, "strategy");
    if preserves_unknown && strategy != "None" {
        let why = "must be None if spec.preserveUnknownFields is true";
        errors.push(Error::invalid(&path.child("strategy"), strategy, why));
    }
    check::required_one_of(strategy, &["None", WEBHOOK], &path.child("strategy"), &mut errors);
    let client_path = path.child("webhookClientConfig");
    let reviews_path = path.child("conversionReviewVersions");
    let client = at(conversion, "webhookClientConfig");
    if strategy == WEBHOOK {
        errors.extend(webhook(client, ratchet, &client_path));
        errors.extend(review_versions(conversion, ratchet.known_reviews, &reviews_path));
        return errors;
    }
    let unused = "should not be set when strategy is not set to Webhook";
    if !client.is_null() {
        errors.push(Error::forbidden(&client_path, unused));
    }
    if !list(conversion, "conversionReviewVersions").is_empty() {
        errors.push(Error::forbidden(&reviews_path, unused));
    }
    errors
}

fn webhook(client: &Value, ratchet: &Ratchet, path: &Path) -> ErrorList {
    if client.is_null() {
        return vec![Error::required(path, "required when strategy is set to Webhook")];
    }
    let mut errors = match (at(client, "url").as_str(), at(client, "service")) {
        (Some(url), Value::Null) => webhook_client::url(url, &path.child("url")),
        // Upstream takes the name for the namespace and the namespace for the name.
        (None, service) if !service.is_null() => {
            webhook_client::service(service, ["namespace", "name"], &path.child("service"))
        }
        _ => vec![Error::required(path, "exactly one of url or service is required")],
    };
    let bundle = text(client, "caBundle");
    if ratchet.ca_bundles
        && let Some(problem) = webhook_client::ca_bundle_problem(bundle)
    {
        errors.push(Error::invalid(&path.child("caBundle"), bundle, problem));
    }
    errors
}

fn review_versions(conversion: &Value, known: bool, path: &Path) -> ErrorList {
    let versions: Vec<&str> = texts(conversion, "conversionReviewVersions").collect();
    if versions.is_empty() {
        return vec![Error::required(path, "")];
    }
    let mut errors = ErrorList::new();
    let mut seen = HashSet::new();
    for (index, version) in versions.iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(version) {
            errors.push(Error::invalid(&path, *version, "duplicate version"));
            continue;
        }
        errors.extend(is_dns1035_label(version).into_iter().map(|why| Error::invalid(&path, *version, why)));
    }
    if known && !has_known_review(conversion) {
        let why = format!("must include at least one of {}", KNOWN_REVIEWS.join(", "));
        errors.push(Error::invalid(path, BadValue::rendered(&versions), why));
    }
    errors
}
