//! What the conditions of a namespace say while it is emptied, in upstream's words. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::NamespaceCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// What a round over a namespace's content found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Why discovery failed, if it did.
    pub discovery_failure: Option<String>,
    /// Why content could not be deleted.
    pub deletion_failures: Vec<String>,
    /// How many objects of each resource are there still: `pods.`, `widgets.example.com`.
    pub remaining: BTreeMap<String, usize>,
    /// How many objects hold each finalizer.
    pub finalizers: BTreeMap<String, usize>,
    /// How long what is there is expected to take.
    pub takes: Duration,
}

impl Found {
    /// Whether the namespace is known to be empty.
    pub fn is_empty(&self) -> bool {
        !self.failed() && self.remaining.is_empty()
    }

    /// Whether something could not be found out or be deleted.
    pub fn failed(&self) -> bool {
        self.discovery_failure.is_some() || !self.deletion_failures.is_empty()
    }
}

/// The five conditions, in upstream's order: type, holds, reason, message.
fn verdicts(found: &Found) -> [(&'static str, bool, &'static str, String); 5] {
    let counted = |counts: &BTreeMap<String, usize>, word: &str| {
        let each: Vec<String> =
            counts.iter().map(|(name, count)| format!("{name} {word} {count} resource instances")).collect();
        each.join(", ")
    };
    let discovery = match &found.discovery_failure {
        Some(why) => (true, "DiscoveryFailed", why.clone()),
        None => (false, "ResourcesDiscovered", "All resources successfully discovered".to_owned()),
    };
    let deletion = match found.deletion_failures.as_slice() {
        [] => (false, "ContentDeleted", "All content successfully deleted, may be waiting on finalization".to_owned()),
        failures => (
            true,
            "ContentDeletionFailed",
            format!("Failed to delete all resource types, {} remaining: {}", failures.len(), failures.join(", ")),
        ),
    };
    let remaining = if found.remaining.is_empty() {
        (false, "ContentRemoved", "All content successfully removed".to_owned())
    } else {
        let what = counted(&found.remaining, "has");
        (true, "SomeResourcesRemain", format!("Some resources are remaining: {what}"))
    };
    let finalizers = if found.finalizers.is_empty() {
        (false, "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
    } else {
        let what = counted(&found.finalizers, "in");
        (true, "SomeFinalizersRemain", format!("Some content in the namespace has finalizers remaining: {what}"))
    };
    let of = |type_, (holds, reason, message): (bool, &'static str, String)| (type_, holds, reason, message);
    [
        of("NamespaceDeletionDiscoveryFailure", discovery),
        of(
            "NamespaceDeletionGroupVersionParsingFailure",
            (false, "ParsedGroupVersions", "All legacy kube types successfully parsed".to_owned()),
        ),
        of("NamespaceDeletionContentFailure", deletion),
        of("NamespaceContentRemaining", remaining),
        of("NamespaceFinalizersRemaining", finalizers),
    ]
}

/// The conditions to write, when they differ from those that are there.
pub fn conditions(before: &[NamespaceCondition], found: &Found, now: Timestamp) -> Option<Vec<NamespaceCondition>> {
    let mut conditions = before.to_vec();
    for (type_, holds, reason, message) in verdicts(found) {
        let status = if holds { "True" } else { "False" };
        let previous = conditions.iter().position(|condition| condition.type_ == type_);
        let since = previous
            .map(|index| &conditions[index])
            .filter(|condition| condition.status == status)
            .and_then(|condition| condition.last_transition_time.clone())
            .unwrap_or_else(|| Time(Timestamp::from_second(now.as_second()).unwrap_or(now)));
        let condition = NamespaceCondition {
            type_: type_.into(),
            status: status.into(),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: Some(since),
        };
        match previous {
            Some(index) => conditions[index] = condition,
            None => conditions.push(condition),
        }
    }
    (conditions != before).then_some(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_say_what_is_left_in_upstreams_words() {
        let found = Found {
            remaining: [("pods.".to_owned(), 2), ("widgets.example.com".to_owned(), 1)].into(),
            finalizers: [("example.com/hold".to_owned(), 1)].into(),
            deletion_failures: vec!["secrets: nope".to_owned()],
            ..Found::default()
        };
        let written = conditions(&[], &found, Timestamp::UNIX_EPOCH).unwrap();
        let told: Vec<String> = written
            .iter()
            .map(|found| {
                format!(
                    "{}={} {}: {}",
                    found.type_,
                    found.status,
                    found.reason.clone().unwrap(),
                    found.message.clone().unwrap()
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered",
                "NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed",
                "NamespaceDeletionContentFailure=True ContentDeletionFailed: Failed to delete all resource types, 1 remaining: secrets: nope",
                "NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: pods. has 2 resource instances, widgets.example.com has 1 resource instances",
                "NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            ]
        );
        assert_eq!(conditions(&written, &found, Timestamp::now()), None, "nothing new, nothing written");
        assert!(!found.is_empty());
        assert!(Found::default().is_empty());
    }
}
