//! How far a rollout may go at a time: surge, unavailability, and each ReplicaSet's share of a change of scale.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::revision;

/// The strategy that replaces Pods bit by bit.
pub const ROLLING_UPDATE: &str = "RollingUpdate";
/// The strategy that ends all old Pods before it starts new ones.
pub const RECREATE: &str = "Recreate";

/// What a Deployment asks for; empty when it has no spec.
fn spec(deployment: &Deployment) -> Option<&DeploymentSpec> {
    deployment.spec.as_ref()
}

/// How many Pods a Deployment wants.
pub fn replicas(deployment: &Deployment) -> i32 {
    spec(deployment).and_then(|spec| spec.replicas).unwrap_or(1)
}

/// How many Pods a ReplicaSet is to have.
pub fn size(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The sum over ReplicaSets.
pub fn total<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>, count: impl Fn(&ReplicaSet) -> i32) -> i32 {
    sets.into_iter().map(count).fold(0, i32::saturating_add)
}

/// The Pods of a ReplicaSet that are available.
pub fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

/// The name of the strategy.
pub fn strategy(deployment: &Deployment) -> &str {
    let strategy = spec(deployment).and_then(|spec| spec.strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()).unwrap_or(ROLLING_UPDATE)
}

/// A number, or a percentage of `total`; what is neither counts as nothing.
fn scaled(value: Option<&IntOrString>, total: i32, up: bool) -> i32 {
    match value {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i64 = text.strip_suffix('%').and_then(|text| text.parse().ok()).unwrap_or(0);
            let parts = percent * i64::from(total);
            let whole = if up { parts.div_euclid(100) + i64::from(parts.rem_euclid(100) > 0) } else { parts / 100 };
            i32::try_from(whole).unwrap_or(0)
        }
        None => 0,
    }
}

/// Surge, rounded up, and unavailability, rounded down; where both come to nothing a rollout could not move, so one
/// Pod may be unavailable.
fn fence_posts(deployment: &Deployment) -> (i32, i32) {
    let rolling = spec(deployment).and_then(|spec| spec.strategy.as_ref()).and_then(|of| of.rolling_update.as_ref());
    let surge = scaled(rolling.and_then(|of| of.max_surge.as_ref()), replicas(deployment), true);
    let unavailable = scaled(rolling.and_then(|of| of.max_unavailable.as_ref()), replicas(deployment), false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// How many Pods more than wanted there may be during a rollout.
pub fn max_surge(deployment: &Deployment) -> i32 {
    if strategy(deployment) == ROLLING_UPDATE { fence_posts(deployment).0 } else { 0 }
}

/// How many Pods fewer than wanted may be available during a rollout.
pub fn max_unavailable(deployment: &Deployment) -> i32 {
    if strategy(deployment) != ROLLING_UPDATE || replicas(deployment) == 0 {
        return 0;
    }
    fence_posts(deployment).1.min(replicas(deployment))
}

/// The size that the new ReplicaSet, now of `current`, is to have while all have `total` together.
pub fn new_size(deployment: &Deployment, total: i32, current: i32) -> i32 {
    let wanted = replicas(deployment);
    if strategy(deployment) != ROLLING_UPDATE {
        return wanted;
    }
    let rolling = spec(deployment).and_then(|spec| spec.strategy.as_ref()).and_then(|of| of.rolling_update.as_ref());
    let most = wanted + scaled(rolling.and_then(|of| of.max_surge.as_ref()), wanted, true);
    if total >= most { current } else { current + (most - total).min(wanted - current) }
}

/// Whether the new ReplicaSet has all the Pods that the Deployment wants, and was told that these are all.
pub fn is_saturated(deployment: &Deployment, new: Option<&ReplicaSet>) -> bool {
    let wanted = replicas(deployment);
    new.is_some_and(|new| size(new) == wanted && revision::desired_replicas(new) == Some(wanted))
}

/// The part of `to_add` (fewer when negative), of which `added` are given out, that a ReplicaSet gets by its size.
pub fn share(set: &ReplicaSet, deployment: &Deployment, to_add: i32, added: i32) -> i32 {
    if size(set) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let (fraction, allowed) = (fraction(set, deployment), to_add - added);
    if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
}

fn fraction(set: &ReplicaSet, deployment: &Deployment) -> i32 {
    if replicas(deployment) == 0 {
        return -size(set);
    }
    let most = replicas(deployment) + max_surge(deployment);
    let most_before = match revision::max_replicas(set) {
        Some(most) if most != 0 => most,
        _ => deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0),
    };
    if most_before == 0 {
        return 0;
    }
    let exact = f64::from(size(set)) * f64::from(most) / f64::from(most_before);
    // A half goes away from zero.
    exact.round() as i32 - size(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(replicas: i32, surge: Value, unavailable: Value) -> Deployment {
        serde_json::from_value(json!({"spec": {
            "replicas": replicas, "selector": {}, "template": {},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
        }}))
        .unwrap()
    }

    #[test]
    fn percentages_round_so_that_a_rollout_always_moves() {
        for (replicas, surge, unavailable, expected) in [
            (10, json!("25%"), json!("25%"), (3, 2)),
            (1, json!("25%"), json!("25%"), (1, 0)),
            (2, json!("0%"), json!("1%"), (0, 1)),
            (2, json!(0), json!("25%"), (0, 1)),
            (0, json!("25%"), json!("25%"), (0, 0)),
            (3, json!(2), json!(9), (2, 3)),
        ] {
            let deployment = deployment(replicas, surge.clone(), unavailable.clone());
            let posts = (max_surge(&deployment), max_unavailable(&deployment));
            assert_eq!(posts, expected, "{replicas} {surge} {unavailable}");
        }
        let recreate: Deployment = serde_json::from_value(
            json!({"spec": {"replicas": 4, "selector": {}, "template": {}, "strategy": {"type": "Recreate"}}}),
        )
        .unwrap();
        assert_eq!((max_surge(&recreate), max_unavailable(&recreate), new_size(&recreate, 9, 0)), (0, 0, 4));
    }

    #[test]
    fn the_new_replica_set_grows_as_far_as_the_surge_allows() {
        for (replicas, total, current, expected) in
            [(10, 10, 0, 3), (10, 13, 3, 3), (10, 8, 3, 8), (4, 0, 0, 4), (1, 1, 0, 1)]
        {
            let deployment = deployment(replicas, json!("25%"), json!("25%"));
            assert_eq!(new_size(&deployment, total, current), expected, "{replicas} {total} {current}");
        }
    }

    #[test]
    fn shares_go_by_size() {
        let set = |size: i32, most: Option<&str>| -> ReplicaSet {
            let annotations = most.map(|most| json!({"deployment.kubernetes.io/max-replicas": most}));
            serde_json::from_value(
                json!({"metadata": {"annotations": annotations}, "spec": {"replicas": size, "selector": {}}}),
            )
            .unwrap()
        };
        for (replicas, size, most, to_add, added, expected) in [
            (10, 5, Some("13"), 7, 0, 0),  // 5 * 13 / 13
            (20, 5, Some("13"), 12, 0, 5), // 5 * 25 / 13 = 9.6
            (20, 5, Some("13"), 12, 10, 2),
            (5, 8, Some("13"), -6, 0, -4), // 8 * 7 / 13 = 4.3
            (0, 8, Some("13"), -8, 0, -8),
            (20, 5, None, 12, 0, 0),
        ] {
            let deployment = deployment(replicas, json!("25%"), json!("25%"));
            assert_eq!(
                share(&set(size, most), &deployment, to_add, added),
                expected,
                "{replicas} {size} {to_add} {added}"
            );
        }
    }
}
