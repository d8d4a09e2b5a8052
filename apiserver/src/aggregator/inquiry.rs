//! Asks other servers again and again, and publishes what they say.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::meta::ObjectExt as _;
use endpoints::aggregation::{Aggregation, ApiService, Remote, Snapshot};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use super::backends::Server;
use super::{condition, descriptions, discovery};

/// How often a server is asked.
const REFRESH: Duration = Duration::from_secs(60);
/// One that does not say what it serves is asked again after this long, then twice as long and so on, up to [`REFRESH`].
const RETRY: Duration = Duration::from_millis(500);

/// When to ask: when an APIService changes, and each minute.
struct Inquiry {
    service: watch::Receiver<Arc<Value>>,
    wait: Duration,
    retry: Duration,
    first_retry: Duration,
}

impl Inquiry {
    fn new(service: watch::Receiver<Arc<Value>>, first_retry: Duration) -> Self {
        Self { service, wait: Duration::ZERO, retry: first_retry, first_retry }
    }

    /// The APIService to ask about, when it is time; `None` once nobody follows it any more.
    async fn due(&mut self) -> Option<Arc<Value>> {
        tokio::select! {
            () = tokio::time::sleep(self.wait) => {}
            changed = self.service.changed() => {
                changed.ok()?;
                self.retry = self.first_retry;
            }
        }
        Some(self.service.borrow_and_update().clone())
    }

    fn answered(&mut self, answered: bool) {
        (self.wait, self.retry) = match answered {
            true => (REFRESH, self.first_retry),
            false => (self.retry, REFRESH.min(self.retry.saturating_mul(2))),
        };
    }
}

/// Keeps what another server says it serves in an APIService's group and version.
pub(super) async fn discover(aggregation: Arc<Aggregation>, server: Arc<Server>, service: watch::Receiver<Arc<Value>>) {
    let mut inquiry = Inquiry::new(service, RETRY);
    while let Some(service) = inquiry.due().await {
        let (group, version) = group_version(&service);
        let (found, answered) = discovery::version(&server, group, version, Instant::now()).await;
        let found = Some(Arc::new(found));
        publish(&aggregation, service.name(), |remote| {
            let changed = remote.served != found;
            remote.served.clone_from(&found);
            changed
        });
        inquiry.answered(answered);
    }
}

/// Keeps how it describes that. What it last said holds as long as it does not answer.
pub(super) async fn describe(aggregation: Arc<Aggregation>, server: Arc<Server>, service: watch::Receiver<Arc<Value>>) {
    let mut inquiry = Inquiry::new(service, REFRESH);
    while let Some(service) = inquiry.due().await {
        if !condition::is_available(&service) {
            inquiry.answered(false);
            continue;
        }
        let (group, version) = group_version(&service);
        let known = aggregation.snapshot();
        let before = known.get(service.name()).and_then(|of| of.remote.as_ref()?.described.clone());
        let found = descriptions::fetch(&server, group, version, before.as_deref()).await;
        inquiry.answered(found.is_ok());
        match found {
            Ok(found) if before.as_deref() == Some(&found) => {}
            Ok(found) => {
                let found = Some(Arc::new(found));
                publish(&aggregation, service.name(), |remote| {
                    remote.described.clone_from(&found);
                    true
                });
            }
            Err(problem) => debug!(name = service.name(), problem, "an API is not described"),
        }
    }
}

/// Publishes what `change` makes of another server, if it says that it changed anything.
fn publish(aggregation: &Aggregation, name: &str, change: impl Fn(&mut Remote) -> bool) {
    let changed = |known: &Snapshot| {
        let mut service = ApiService::clone(known.get(name)?);
        change(service.remote.as_mut()?).then(|| Arc::new(service))
    };
    if changed(&aggregation.snapshot()).is_some() {
        aggregation.update(|known| {
            if let Some(service) = changed(known) {
                known.put(service);
            }
        });
    }
}

fn group_version(service: &Value) -> (&str, &str) {
    let text = |field: &str| service["spec"][field].as_str().unwrap_or_default();
    (text("group"), text("version"))
}
