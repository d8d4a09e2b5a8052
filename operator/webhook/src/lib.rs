//! The admission webhook of Apps: fills in defaults, refuses what cannot work, and records the outcome.
//!
//! The leader serves, registers itself by the ordinary webhook configurations, and records; the other copies stand by.
//! What cannot be asked (`failurePolicy: Ignore` by default) is stored, and reviewed and marked afterwards: an App
//! whose condition AdmissionApproved is False is neither placed nor run.

mod certificate;
pub mod image;
mod options;
mod record;
mod register;
pub mod review;
mod serve;
pub mod validate;

use std::net::SocketAddr;
use std::sync::Arc;

use crds::App;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use runtime::{Change, Context, Error, Informer, ObjectKey};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use options::Options;

use certificate::Serving;
use register::Endpoint;

/// What the binary says it is.
pub const ABOUT: &str = "Admits Apps: fills in defaults, refuses what cannot work.";

/// Runs until `shutdown` is cancelled.
///
/// # Errors
/// A flag that does not fit, a taken port, or a certificate that cannot be made.
pub async fn run(
    options: Options,
    client: Client,
    shutdown: CancellationToken,
    on_ready: runtime::OnReady,
) -> Result<(), Error> {
    let address = SocketAddr::new(options.bind_address, options.secure_port);
    let listen = |source| Error::Listen { address, source };
    let listener = Arc::new(TcpListener::bind(address).await.map_err(listen)?);
    let port = listener.local_addr().map_err(listen)?.port();
    let host = options.advertise_address.clone().unwrap_or_else(|| options.bind_address.to_string());
    let serving = certificate::make(&host)?;
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let endpoint = Endpoint {
        url: format!("https://{authority}"),
        ca_bundle: serving.ca_bundle.clone(),
        failure_policy: options.failure_policy.to_string(),
    };
    runtime::run_elected(
        "admission-webhook",
        client,
        &options.leader_election,
        &options.health,
        shutdown,
        on_ready,
        |context| admit(context, listener.clone(), serving.clone(), endpoint.clone()),
    )
    .await
}

async fn admit(
    context: Context,
    listener: Arc<TcpListener>,
    serving: Serving,
    endpoint: Endpoint,
) -> Result<(), Error> {
    let Context { client, recorder, metrics, ready } = context;
    let mut apps = Informer::new(Api::<App>::all(client.clone()), watcher::Config::default(), &[]);
    let queue = record::queue(&metrics);
    apps.on_change({
        let (queue, apps) = (queue.clone(), apps.store());
        move |change| {
            let app = change.object();
            queue.add(ObjectKey::of(&**app));
            // What depends on it may have become right, or wrong.
            let rewired = match &change {
                Change::Applied { old, new } => old.is_none_or(|old| old.spec.depends_on != new.spec.depends_on),
                Change::Deleted(_) => true,
            };
            if rewired {
                for other in apps.list() {
                    if other.namespace() == app.namespace() && !other.spec.depends_on.is_empty() {
                        queue.add(ObjectKey::of(&*other));
                    }
                }
            }
        }
    });
    let store = apps.store();
    let mut watches = JoinSet::new();
    watches.spawn(apps.run());
    tokio::join!(
        serve::serve(&listener, serving.tls, store.clone()),
        register::keep(client.clone(), endpoint, metrics, || ready.set()),
        record::record(client, recorder, store, queue),
    );
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
