//! Taints and tolerations, by upstream's rules. Pure.

use k8s_openapi::api::core::v1::{Taint, Toleration};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Whether a toleration matches a taint.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let set = |value: &'_ Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
    if set(&toleration.effect) && toleration.effect.as_ref() != Some(&taint.effect) {
        return false;
    }
    if set(&toleration.key) && toleration.key.as_ref() != Some(&taint.key) {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        // Without a key only Exists is valid.
        None | Some("" | "Equal") => {
            set(&toleration.key) && toleration.value.as_deref().unwrap_or("") == taint.value.as_deref().unwrap_or("")
        }
        Some(_) => false,
    }
}

/// Whether what is on a node may stay there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It may.
    Yes,
    /// It may until then.
    Until(Timestamp),
    /// It may not.
    No,
}

/// Whether what has these tolerations may stay on a node with these taints: NoExecute taints that are not tolerated
/// drive it away at once, those that are tolerated for a time when that is over.
pub fn may_stay(taints: &[Taint], tolerations: &[Toleration], now: Timestamp) -> Stay {
    let mut until: Option<Timestamp> = None;
    for taint in taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let mut matching = tolerations.iter().filter(|toleration| tolerates(toleration, taint)).peekable();
        if matching.peek().is_none() {
            return Stay::No;
        }
        // The shortest of the tolerations that match counts.
        let Some(seconds) = matching.filter_map(|toleration| toleration.toleration_seconds).min() else { continue };
        let since = taint.time_added.as_ref().map_or(now, |time| time.0);
        let end = since.saturating_add(SignedDuration::from_secs(seconds.max(0))).unwrap_or(Timestamp::MAX);
        if end <= now {
            return Stay::No;
        }
        until = Some(until.map_or(end, |until| until.min(end)));
    }
    until.map_or(Stay::Yes, Stay::Until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tolerations_match_by_key_value_and_effect() {
        let taint: Taint = serde_json::from_value(json!({"key": "k", "value": "v", "effect": "NoSchedule"})).unwrap();
        for (toleration, expected) in [
            (json!({"operator": "Exists"}), true),
            (json!({"key": "k", "operator": "Exists"}), true),
            (json!({"key": "k", "value": "v"}), true),
            (json!({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}), true),
            (json!({"key": "k", "value": "other"}), false),
            (json!({"key": "other", "operator": "Exists"}), false),
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute"}), false),
            (json!({"value": "v"}), false),
        ] {
            let toleration: Toleration = serde_json::from_value(toleration).unwrap();
            assert_eq!(tolerates(&toleration, &taint), expected, "{toleration:?}");
        }
    }

    #[test]
    fn a_no_execute_taint_drives_away_at_once_or_after_the_tolerated_time() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let taints: Vec<Taint> = serde_json::from_value(json!([
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "1970-01-01T00:01:40Z"},
            {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"},
        ]))
        .unwrap();
        let tolerations = |value: serde_json::Value| serde_json::from_value::<Vec<Toleration>>(value).unwrap();
        assert_eq!(may_stay(&taints, &[], at(100)), Stay::No);
        assert_eq!(may_stay(&taints[1..], &[], at(100)), Stay::Yes);
        assert_eq!(may_stay(&taints, &tolerations(json!([{"operator": "Exists"}])), at(100)), Stay::Yes);
        let sixty = tolerations(json!([{"operator": "Exists", "tolerationSeconds": 60}]));
        assert_eq!(may_stay(&taints, &sixty, at(120)), Stay::Until(at(160)));
        assert_eq!(may_stay(&taints, &sixty, at(160)), Stay::No);
    }
}
