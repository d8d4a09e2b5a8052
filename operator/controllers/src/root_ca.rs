//! The root certificate's publisher: every namespace has a ConfigMap with the authorities by which Pods in it know the
//! API server. What others change in it is changed back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};

use crate::informers::Informers;
use crate::namespace;

/// The ConfigMap's name.
pub const NAME: &str = "kube-root-ca.crt";
/// Its key.
const KEY: &str = "ca.crt";
const DESCRIPTION_ANNOTATION: &str = "kubernetes.io/description";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
                           endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                           guaranteed across distributions of Kubernetes clusters.";
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Namespaces worked on at once.
const CONCURRENT: usize = 4;

struct Publisher {
    client: Client,
    namespaces: Store<Namespace>,
    config_maps: Store<ConfigMap>,
    root_ca: Arc<str>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled. `root_ca` is PEM.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    root_ca: Arc<str>,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<String>::new(LONGEST_WAIT, context.metrics.queue("root_ca_certificate_publisher"));
    informers.namespaces().on_change({
        let queue = queue.clone();
        move |change| {
            if let Change::Applied { new, .. } = change {
                queue.add(new.name_any());
            }
        }
    });
    informers.root_ca_config_maps().on_change({
        let queue = queue.clone();
        move |change| queue.add(change.object().namespace().unwrap_or_default())
    });
    let publisher = Arc::new(Publisher {
        client: context.client.clone(),
        namespaces: informers.namespaces().store(),
        config_maps: informers.root_ca_config_maps().store(),
        root_ca,
    });
    async move {
        publisher.namespaces.synced().await;
        publisher.config_maps.synced().await;
        let work = |name| {
            let publisher = publisher.clone();
            async move { publisher.publish(name).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

impl Publisher {
    async fn publish(&self, namespace: String) -> kube::Result<Outcome> {
        let known = self.namespaces.get(&ObjectKey::new("", namespace.as_str()));
        if !known.is_some_and(|namespace| namespace::is_active(&namespace)) {
            return Ok(Outcome::Done);
        }
        let current = self.config_maps.get(&ObjectKey::new(namespace.as_str(), NAME));
        let Some(wanted) = wanted(current.as_deref(), &self.root_ca) else { return Ok(Outcome::Done) };
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), &namespace);
        let written = match current {
            None => api.create(&PostParams::default(), &wanted).await,
            Some(_) => api.replace(NAME, &PostParams::default(), &wanted).await,
        };
        match written {
            Err(kube::Error::Api(status)) if status.code == 404 || namespace::is_terminating(&status) => {
                Ok(Outcome::Done)
            }
            // The cache is behind: it is told of what is there soon.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Retry),
            written => written.map(|_| Outcome::Done),
        }
    }
}

/// The ConfigMap to write, unless the one there is as it should be. Pure.
fn wanted(current: Option<&ConfigMap>, root_ca: &str) -> Option<ConfigMap> {
    let data = BTreeMap::from([(KEY.to_owned(), root_ca.to_owned())]);
    let described = |map: &ConfigMap| {
        map.annotations().get(DESCRIPTION_ANNOTATION).is_some_and(|description| !description.is_empty())
    };
    if current.is_some_and(|map| map.data.as_ref() == Some(&data) && described(map)) {
        return None;
    }
    let mut map = current.cloned().unwrap_or_else(|| ConfigMap {
        metadata: ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    });
    map.data = Some(data);
    map.annotations_mut().insert(DESCRIPTION_ANNOTATION.into(), DESCRIPTION.into());
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_change_is_changed_back() {
        let published = wanted(None, "PEM").unwrap();
        assert_eq!(wanted(Some(&published), "PEM"), None, "nothing to do");
        let data =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(key, pem)| ((*key).to_owned(), (*pem).to_owned())).collect();
        let undescribed =
            ConfigMap { metadata: ObjectMeta { annotations: None, ..published.metadata.clone() }, ..published.clone() };
        for (name, spoiled) in [
            ("a changed value", ConfigMap { data: Some(data(&[(KEY, "spoiled")])), ..published.clone() }),
            ("a further key", ConfigMap { data: Some(data(&[(KEY, "PEM"), ("extra", "x")])), ..published.clone() }),
            ("no description", undescribed),
        ] {
            assert_eq!(wanted(Some(&spoiled), "PEM").as_ref(), Some(&published), "{name}");
        }
        assert!(wanted(Some(&published), "ANOTHER").is_some());
    }
}
