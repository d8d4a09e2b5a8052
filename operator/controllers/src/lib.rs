//! The controller manager: the control loops that make the API's objects live. A module each: what is to be done is
//! planned from what is seen, purely; then the plan is carried out.

pub mod app;
pub mod cluster_role_aggregation;
mod controller_ref;
pub mod deployment;
mod discovery;
mod expectations;
mod field_manager;
pub mod gc;
mod informers;
pub mod job;
pub mod namespace;
pub mod node_lifecycle;
mod options;
mod pod_control;
pub mod pod_gc;
mod pod_state;
mod pod_template_hash;
pub mod replication;
pub mod root_ca;
pub mod service_account;
pub mod service_account_token;
pub mod storage_protection;
pub mod ttl_after_finished;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kube::Client;
use runtime::{Context, Error};
use tokio_util::sync::CancellationToken;

pub use options::Options;

use informers::Informers;

/// What the binary says it is.
pub const ABOUT: &str = "Runs the control loops: Apps, garbage collection, namespaces, the life cycle of nodes.";

/// Runs until `shutdown` is cancelled; acts only while it leads.
///
/// # Errors
/// A flag that does not fit, or a taken port.
pub async fn run(
    options: Options,
    client: Client,
    shutdown: CancellationToken,
    on_ready: runtime::OnReady,
) -> Result<(), Error> {
    options.validate()?;
    runtime::run_elected(
        "controller-manager",
        client,
        &options.leader_election,
        &options.health,
        shutdown,
        on_ready,
        |context| control(context, options.clone()),
    )
    .await
}

async fn control(context: Context, options: Options) -> Result<(), Error> {
    let mut informers = Informers::new(context.client.clone());
    let controllers: FuturesUnordered<BoxFuture<'static, Result<(), Error>>> = FuturesUnordered::new();
    if options.runs("app") {
        controllers.push(app::controller(&context, &mut informers, options.concurrent_app_syncs).boxed());
    }
    if options.runs("garbage-collector") {
        controllers.push(gc::controller(&context, options.concurrent_gc_syncs).boxed());
    }
    if options.runs("namespace") {
        controllers.push(namespace::controller(&context, &mut informers, options.concurrent_namespace_syncs).boxed());
    }
    if options.runs("node-lifecycle") {
        let grace_period = options.node_monitor_grace_period;
        controllers.push(node_lifecycle::controller(&context, &mut informers, grace_period).boxed());
    }
    if options.runs("pod-garbage-collector") {
        controllers.push(pod_gc::controller(&context, &mut informers, options.terminated_pod_gc_threshold).boxed());
    }
    if options.runs("root-ca-cert-publisher")
        && let Some(root_ca) = options.root_ca()?
    {
        controllers.push(root_ca::controller(&context, &mut informers, root_ca).boxed());
    }
    if options.runs("serviceaccount") {
        controllers.push(service_account::controller(&context, &mut informers).boxed());
    }
    if options.runs("clusterrole-aggregation") {
        controllers.push(cluster_role_aggregation::controller(&context, &mut informers).boxed());
    }
    if options.runs("serviceaccount-token")
        && let Some(key_file) = options.service_account_private_key_file.clone()
    {
        let root_ca = options.root_ca()?;
        controllers.push(service_account_token::controller(&context, &mut informers, key_file, root_ca).boxed());
    }
    if options.runs("deployment") {
        controllers.push(deployment::controller(&context, &mut informers, options.concurrent_deployment_syncs).boxed());
    }
    if options.runs("job") {
        controllers.push(job::controller(&context, &mut informers, options.concurrent_job_syncs).boxed());
    }
    if options.runs("replicaset") {
        controllers
            .push(replication::replica_sets(&context, &mut informers, options.concurrent_replicaset_syncs).boxed());
    }
    if options.runs("replicationcontroller") {
        let concurrency = options.concurrent_rc_syncs;
        controllers.push(replication::replication_controllers(&context, &mut informers, concurrency).boxed());
    }
    if options.runs("storage-protection") {
        controllers.push(storage_protection::controller(&context, &mut informers).boxed());
    }
    if options.runs("ttl-after-finished") {
        controllers.push(ttl_after_finished::controller(&context, &mut informers).boxed());
    }
    let _watches = informers.run();
    context.ready.set();
    let mut controllers = controllers;
    while let Some(outcome) = controllers.next().await {
        outcome?;
    }
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
