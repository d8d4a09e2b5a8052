//! The host's APIServices for what this server serves: where it is, and whose certificates it shows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::gvk::{GroupVersion, GroupVersionResource};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use registry::{Registry, Table};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ServiceName;
use super::authority::{Shared, SharedAuthority};
use crate::error::Error;
use crate::host;

/// The manager of the fields written here.
const MANAGER: &str = "coxswain-apiserver";
/// Marks the APIServices that are this server's to take away again.
const LABEL: &str = "coxswain.dev/aggregated";
/// Its value on the one that the others go with: who takes that away takes the server away.
const OWNER: &str = "owner";
/// How often the table is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often the host is asked and told although nothing has changed here: something may have there.
const RESYNC: Duration = Duration::from_secs(60);

/// What the host was told, and when.
struct Told {
    served: BTreeSet<GroupVersion>,
    at: Instant,
}

/// Keeps the APIServices of every group and version that definitions have added to the table, and the authority that they
/// name, until `stop`.
pub(super) async fn keep(
    client: Client,
    registry: Arc<Registry>,
    service: ServiceName,
    authority: SharedAuthority,
    stop: CancellationToken,
) {
    let services = GroupVersionResource::new("apiregistration.k8s.io", "v1", "apiservices");
    let registration = Registration { api: host::api(&client, &services, ""), service, authority };
    let mut told: Option<Told> = None;
    loop {
        let served = served(&registry.table());
        let known = told.as_ref().is_some_and(|told| told.served == served && told.at.elapsed() < RESYNC);
        if !known {
            told = match registration.tell(&served).await {
                Ok(()) => {
                    info!(versions = served.len(), "the host knows what is served here");
                    Some(Told { served, at: Instant::now() })
                }
                Err(error) => {
                    warn!(%error, "the host cannot be told what is served here; trying again");
                    None
                }
            };
        }
        if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

/// What definitions have added: the only groups that this server answers for.
fn served(table: &Table) -> BTreeSet<GroupVersion> {
    table.rows().iter().filter(|row| row.is_custom()).map(|row| row.gvr.group_version()).collect()
}

struct Registration {
    api: Api<DynamicObject>,
    service: ServiceName,
    authority: SharedAuthority,
}

impl Registration {
    async fn tell(&self, served: &BTreeSet<GroupVersion>) -> Result<(), Error> {
        let failed = |error: kube::Error| Error::Host(host::chain(&error));
        let shared = self.authority.read().await?;
        let there = self.api.list(&ListParams::default()).await.map_err(failed)?;
        let there: Vec<Value> = there.items.iter().filter_map(|object| serde_json::to_value(object).ok()).collect();
        let owner = there.iter().find(|other| self.leads_here(other) && other.label(LABEL) == Some(OWNER));
        for version in served {
            let object = self.object(version, &shared, owner);
            if there.iter().any(|other| other.name() == object.name() && !self.leads_here(other)) {
                warn!(name = object.name(), "somebody else serves this for the host: it is left to them");
                continue;
            }
            let params = PatchParams::apply(MANAGER).force();
            self.api.patch(object.name(), &params, &Patch::Apply(&object)).await.map_err(failed)?;
        }
        // Those of definitions that are gone: while one of them stood there, nothing would answer for it, and no namespace
        // of the host could be emptied.
        let served: BTreeSet<String> = served.iter().map(name).collect();
        let ours = |other: &&Value| self.leads_here(other) && other.label(LABEL).is_some();
        for left in there.iter().filter(ours).filter(|other| !served.contains(other.name())) {
            match self.api.delete(left.name(), &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                deleted => drop(deleted.map_err(failed)?),
            }
        }
        // What the host trusts by now may be shown.
        self.authority.adopt(&shared)
    }

    fn leads_here(&self, object: &Value) -> bool {
        let of = &object["spec"]["service"];
        of["namespace"] == *self.service.namespace && of["name"] == *self.service.name
    }

    /// The priorities are those of custom resources on upstream.
    fn object(&self, version: &GroupVersion, shared: &Shared, owner: Option<&Value>) -> Value {
        let ServiceName { namespace, name: service, port } = &self.service;
        let name = name(version);
        let (label, owners) = match owner {
            Some(owner) if owner.name() == name => (OWNER, Vec::new()),
            Some(owner) => ("true", vec![reference(owner)]),
            None => ("true", Vec::new()),
        };
        json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name, "labels": {LABEL: label}, "ownerReferences": owners},
            "spec": {
                "group": version.group,
                "version": version.version,
                "groupPriorityMinimum": 1000,
                "versionPriority": 100,
                "caBundle": STANDARD.encode(&shared.bundle),
                "service": {"namespace": namespace, "name": service, "port": port},
            },
        })
    }
}

fn reference(owner: &Value) -> Value {
    json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "name": owner.name(), "uid": owner.uid()})
}

fn name(version: &GroupVersion) -> String {
    format!("{}.{}", version.version, version.group)
}
