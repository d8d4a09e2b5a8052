//! Scores: of the nodes that may hold one more replica, which is best. Pure.

use std::cmp::Reverse;

use crds::app::Policy;
use k8s_openapi::api::core::v1::Toleration;

use crate::filter::untolerated_preferences;
use crate::resources::Amounts;
use crate::snapshot::NodeInfo;

/// A node's rank for one more replica; the least is best. Unwanted taints count first, then the policy, then the name,
/// so that the same cluster always gives the same answer.
pub type Rank<'a> = (usize, i64, i64, &'a str);

/// The rank of a node that holds `already` replicas of the same App.
pub fn rank<'a>(
    node: &'a NodeInfo,
    wants: &Amounts,
    tolerations: &[Toleration],
    policy: Policy,
    already: i64,
) -> Rank<'a> {
    let full = fullness(node, wants);
    let (first, second) = match policy {
        Policy::Spread => (already, full),
        Policy::BinPack => (-full, -already),
    };
    (untolerated_preferences(node, tolerations), first, second, &node.name)
}

/// How full a node would be with one more replica, in thousandths: the mean over what the replica asks for (over
/// processor time, memory and Pods where it asks for nothing).
fn fullness(node: &NodeInfo, wants: &Amounts) -> i64 {
    let shares: Vec<i128> = ["cpu", "memory", "pods"]
        .into_iter()
        .filter(|name| node.allocatable.get(name) > 0)
        .map(|name| (node.requested.get(name) + wants.get(name)).saturating_mul(1000) / node.allocatable.get(name))
        .collect();
    let count = i128::try_from(shares.len().max(1)).unwrap_or(1);
    i64::try_from(shares.iter().sum::<i128>() / count).unwrap_or(i64::MAX)
}

/// Which of the nodes that hold replicas gives one up first: the least is first. `Spread` takes from the node that
/// holds most, `BinPack` from the one that holds fewest, so that it is emptied.
pub fn rank_to_give_up(node: &str, replicas: i32, policy: Policy) -> (i32, Reverse<&str>) {
    match policy {
        Policy::Spread => (-replicas, Reverse(node)),
        Policy::BinPack => (replicas, Reverse(node)),
    }
}
