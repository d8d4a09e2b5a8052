//! The scheduler: gives the replicas of Apps and Pods without a node their places.
//!
//! One item at a time is taken from the [`queue`], the cluster is looked at ([`snapshot`]), nodes are filtered and
//! scored ([`filter`], [`score`], [`place`]: all pure), and the outcome is written ([`bind`]): for an App
//! `status.placements` and the condition Scheduled, never its spec; for a Pod a binding.

mod assumed;
pub mod bind;
pub mod filter;
mod options;
pub mod place;
pub mod queue;
pub mod resources;
mod schedule;
pub mod score;
pub mod snapshot;

use std::sync::Arc;

use crds::App;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::watcher;
use kube::{Api, Client};
use runtime::{Change, Context, Informer, ObjectKey};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use options::Options;

use assumed::Assumed;
use queue::Queue;
use schedule::Scheduler;

/// What the binary says it is.
pub const ABOUT: &str = "Places Apps and Pods on nodes.";

/// Runs until `shutdown` is cancelled; places only while it leads.
///
/// # Errors
/// A flag that does not fit, or a taken port.
pub async fn run(
    options: Options,
    client: Client,
    shutdown: CancellationToken,
    on_ready: runtime::OnReady,
) -> Result<(), runtime::Error> {
    runtime::run_elected(
        "scheduler",
        client,
        &options.leader_election,
        &options.health,
        shutdown,
        on_ready,
        |context| schedule(context, options.scheduler_name.clone()),
    )
    .await
}

async fn schedule(context: Context, scheduler_name: String) -> Result<(), runtime::Error> {
    let Context { client, recorder, metrics, ready } = context;
    let mut nodes = Informer::new(Api::<Node>::all(client.clone()), watcher::Config::default(), &[]);
    let mut pods = Informer::new(Api::<Pod>::all(client.clone()), watcher::Config::default(), &[]);
    let mut apps = Informer::new(Api::<App>::all(client.clone()), watcher::Config::default(), &[]);
    let queue = Queue::new(&scheduler_name, metrics.queue("scheduler"));
    let assumed = Assumed::default();

    nodes.on_change({
        let (queue, apps) = (queue.clone(), apps.store());
        move |change| queue.node_changed(&change, || apps.list())
    });
    pods.on_change({
        let (queue, assumed) = (queue.clone(), assumed.clone());
        move |change| {
            let pod = change.object();
            let bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
            if bound || matches!(change, Change::Deleted(_)) {
                assumed.pod_seen(&ObjectKey::of(&**pod));
            }
            queue.pod_changed(&change);
        }
    });
    apps.on_change({
        let (queue, assumed) = (queue.clone(), assumed.clone());
        move |change| {
            assumed.app_seen(change.object(), matches!(change, Change::Deleted(_)));
            queue.app_changed(&change);
        }
    });

    let scheduler = Scheduler {
        client,
        recorder,
        nodes: nodes.store(),
        pods: pods.store(),
        apps: apps.store(),
        assumed,
        queue: queue.clone(),
    };
    let mut watches = JoinSet::new();
    watches.spawn(nodes.run());
    watches.spawn(pods.run());
    watches.spawn(apps.run());
    // Nodes and Pods tell what is taken: nothing may be placed before they are known. Apps hold reservations.
    scheduler.nodes.synced().await;
    scheduler.pods.synced().await;
    scheduler.apps.synced().await;
    ready.set();
    // One at a time: each decision must see what the one before it took.
    let scheduler = Arc::new(scheduler);
    let work = |item| {
        let scheduler = scheduler.clone();
        async move { scheduler.schedule(item).await }
    };
    queue.active.process(1, work).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cox` runs every part in one process, as tasks.
    #[allow(dead_code, reason = "it only has to compile")]
    fn it_can_be_spawned(options: Options, client: Client) {
        tokio::spawn(run(options, client, CancellationToken::new(), Box::new(|| ())));
    }
}
