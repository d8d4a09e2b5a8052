//! One round over a namespace's content: Pods are told to go first, the rest when no Pod is left, and what is still
//! there afterwards is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, ListParams, PropagationPolicy};
use kube::{Api, Client};

use super::plan::Found;
use crate::discovery::{self, Served};

/// Resources of one namespace looked at together.
const CONCURRENT_RESOURCES: usize = 16;
/// How long finalizers are expected to take.
const FINALIZERS_TAKE: Duration = Duration::from_secs(15);

/// What is left of one resource.
#[derive(Debug, Default)]
struct Left {
    count: usize,
    finalizers: BTreeMap<String, usize>,
    takes: Duration,
    failure: Option<String>,
}

/// Tells what there is in a namespace to go.
pub async fn delete(client: &Client, namespace: &str, deleted_at: &Time) -> Found {
    let mut found = Found::default();
    let discovered = match discovery::discover(client).await {
        Ok(discovered) => discovered,
        Err(error) => {
            found.discovery_failure = Some(error.to_string());
            return found;
        }
    };
    // What is known is deleted; the namespace stays as long as there may be more.
    let groups = discovered.stale.len();
    let failing = |failure| format!("Discovery failed for some groups, {groups} failing: {failure}");
    found.discovery_failure = discovered.failure().map(failing);
    let answered = |of: &Served| !discovered.stale.contains(&of.resource.api_version);
    let deletable =
        discovered.served.into_iter().filter(|of| of.namespaced && of.supports(&["delete"]) && answered(of));
    let (pods, others): (Vec<Served>, Vec<Served>) =
        deletable.partition(|of| of.resource.group.is_empty() && of.resource.plural == "pods");
    // Pods may need the rest (network policies, configuration) for as long as they run.
    for round in [pods, others] {
        let rounds = round.into_iter().map(|of| async move {
            let left = delete_resource(client, &of, namespace, deleted_at).await;
            (of, left)
        });
        let mut rounds = futures::stream::iter(rounds.collect::<Vec<_>>()).buffer_unordered(CONCURRENT_RESOURCES);
        while let Some((of, left)) = rounds.next().await {
            found.deletion_failures.extend(left.failure);
            found.takes = found.takes.max(left.takes);
            if left.count > 0 {
                found.remaining.insert(format!("{}.{}", of.resource.plural, of.resource.group), left.count);
            }
            for (finalizer, count) in left.finalizers {
                *found.finalizers.entry(finalizer).or_default() += count;
            }
        }
        if !found.remaining.is_empty() {
            break;
        }
    }
    found.deletion_failures.sort();
    found
}

async fn delete_resource(client: &Client, of: &Served, namespace: &str, deleted_at: &Time) -> Left {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &of.resource);
    let mut left = Left::default();
    let outcome = async {
        let before = list(&api, of).await?;
        if before.is_empty() {
            return Ok(());
        }
        if of.resource.group.is_empty() && of.resource.plural == "pods" {
            let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?;
            left.takes = graceful(&pods.items, deleted_at, Timestamp::now());
        }
        // What has been told is not told again: that changes nothing.
        if before.iter().any(|object| object.deletion_timestamp.is_none()) {
            tell(&api, of, &before).await?;
        }
        let after = list(&api, of).await?;
        left.count = after.len();
        for finalizer in after.iter().flat_map(|object| object.finalizers.iter().flatten()) {
            *left.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
        Ok::<(), kube::Error>(())
    };
    let outcome = outcome.await;
    if let Err(error) = outcome {
        left.failure = Some(error.to_string());
    } else if left.count > 0 && left.takes.is_zero() {
        if left.finalizers.is_empty() {
            let resource = &of.resource;
            left.failure = Some(format!(
                "unexpected items still remain in namespace: {namespace} for gvr: {}/{}, Resource={}",
                resource.group, resource.version, resource.plural
            ));
        } else {
            left.takes = FINALIZERS_TAKE;
        }
    }
    left
}

async fn list(api: &Api<DynamicObject>, of: &Served) -> kube::Result<Vec<ObjectMeta>> {
    if !of.supports(&["list"]) {
        return Ok(Vec::new());
    }
    match api.list_metadata(&ListParams::default()).await {
        // It is not served any more, or cannot be listed: upstream passes over both.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => Ok(Vec::new()),
        listed => Ok(listed?.items.into_iter().map(|item| item.metadata).collect()),
    }
}

async fn tell(api: &Api<DynamicObject>, of: &Served, objects: &[ObjectMeta]) -> kube::Result<()> {
    let background =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
    if of.supports(&["deletecollection"]) {
        match api.delete_collection(&background, &ListParams::default()).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => (),
            deleted => return deleted.map(drop),
        }
    }
    for name in objects.iter().filter_map(|object| object.name.as_deref()) {
        match api.delete(name, &background).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => (),
            deleted => drop(deleted?),
        }
    }
    Ok(())
}

/// How long the Pods may take to end, counted from the namespace's deletion; nothing once that is over.
fn graceful(pods: &[Pod], deleted_at: &Time, now: Timestamp) -> Duration {
    let runs = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        !matches!(phase, Some("Succeeded" | "Failed"))
    };
    let period = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let longest = pods.iter().filter(runs).filter_map(period).max().unwrap_or(0);
    let longest = Duration::from_secs(u64::try_from(longest).unwrap_or(0));
    let since = Duration::try_from(now.duration_since(deleted_at.0)).unwrap_or_default();
    if since >= longest { Duration::ZERO } else { longest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn running_pods_have_their_grace_period_and_no_more() {
        let pod = |phase: &str, seconds: i64| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "p"},
                "spec": {"containers": [], "terminationGracePeriodSeconds": seconds},
                "status": {"phase": phase},
            }))
            .unwrap()
        };
        let pods = [pod("Running", 20), pod("Pending", 30), pod("Succeeded", 90)];
        let at = Time(Timestamp::UNIX_EPOCH);
        for (pods, after, expected) in [(&pods[..], 0, 30), (&pods[..], 29, 30), (&pods[..], 30, 0), (&[], 0, 0)] {
            let now = Timestamp::from_second(after).unwrap();
            assert_eq!(graceful(pods, &at, now).as_secs(), expected, "{} pods after {after} s", pods.len());
        }
    }
}
