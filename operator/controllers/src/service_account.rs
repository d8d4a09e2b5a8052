//! The service account controller: every namespace that is not on its way out has a ServiceAccount `default`.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};

use crate::informers::Informers;
use crate::namespace;

/// The name that Pods use when they name none.
pub const DEFAULT: &str = "default";
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Namespaces worked on at once.
const CONCURRENT: usize = 4;

struct Controller {
    client: Client,
    namespaces: Store<Namespace>,
    accounts: Store<PartialObjectMeta<ServiceAccount>>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<String>::new(LONGEST_WAIT, context.metrics.queue("serviceaccount"));
    informers.namespaces().on_change({
        let queue = queue.clone();
        move |change| {
            if let Change::Applied { new, .. } = change {
                queue.add(new.name_any());
            }
        }
    });
    informers.default_service_accounts().on_change({
        let queue = queue.clone();
        move |change| {
            if let Change::Deleted(account) = change {
                queue.add(account.namespace().unwrap_or_default());
            }
        }
    });
    let controller = Arc::new(Controller {
        client: context.client.clone(),
        namespaces: informers.namespaces().store(),
        accounts: informers.default_service_accounts().store(),
    });
    async move {
        controller.namespaces.synced().await;
        controller.accounts.synced().await;
        let work = |name| {
            let controller = controller.clone();
            async move { controller.ensure(name).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

impl Controller {
    async fn ensure(&self, namespace: String) -> kube::Result<Outcome> {
        let known = self.namespaces.get(&ObjectKey::new("", namespace.as_str()));
        if !known.is_some_and(|namespace| namespace::is_active(&namespace))
            || self.accounts.contains(&ObjectKey::new(namespace.as_str(), DEFAULT))
        {
            return Ok(Outcome::Done);
        }
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(DEFAULT.into()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), &namespace);
        match accounts.create(&PostParams::default(), &account).await {
            // It is there already, or its namespace is no more.
            Err(kube::Error::Api(status)) if status.code == 404 || status.reason == "AlreadyExists" => (),
            Err(kube::Error::Api(status)) if namespace::is_terminating(&status) => (),
            created => drop(created?),
        }
        Ok(Outcome::Done)
    }
}
