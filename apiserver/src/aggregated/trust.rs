//! Whom the host's clients are said to be: the ConfigMap `extension-apiserver-authentication` of `kube-system` holds the
//! authority of client certificates and what its front proxy is known by, and is followed as it changes.

use std::sync::Arc;

use apimachinery::gvk::GroupVersionResource;
use endpoints::authentication::{Authenticator, Authorities, FrontProxy, Headers};
use kube::Client;
use kube::runtime::watcher;
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::host::{self, Followed};
use crate::serving::certificates;

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// What the ConfigMap has said. As upstream: what was good stays until something else is.
#[derive(Default)]
struct Said {
    clients: Vec<CertificateDer<'static>>,
    proxies: Vec<CertificateDer<'static>>,
    headers: Headers,
    allowed_names: Vec<String>,
}

impl Said {
    /// Takes what is good, part by part; what is wrong with the rest.
    fn hear(&mut self, config_map: &Value) -> Vec<String> {
        let data = |key: &str| config_map["data"][key].as_str().unwrap_or_default();
        let mut problems = Vec::new();
        for (known, key) in [(&mut self.clients, "client-ca-file"), (&mut self.proxies, "requestheader-client-ca-file")]
        {
            match certificates(data(key), key) {
                Ok(found) => *known = found,
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        match names(&data) {
            Ok((headers, allowed_names)) => (self.headers, self.allowed_names) = (headers, allowed_names),
            Err(problem) => problems.push(problem),
        }
        problems
    }

    /// Makes `authenticator` trust whom it names, and the clients of `own` authorities.
    fn apply(&self, authenticator: &Authenticator, own: &[CertificateDer<'static>]) -> Result<(), String> {
        let clients = own.iter().chain(&self.clients).cloned().collect();
        let authorities = |of| Authorities::new(of).map(Arc::new).map_err(|error| error.to_string());
        authenticator.trust_clients(Some(authorities(clients)?));
        if !self.proxies.is_empty() {
            let proxies = authorities(self.proxies.clone())?;
            let proxy = FrontProxy::new(self.headers.clone(), proxies, self.allowed_names.clone());
            authenticator.trust_front_proxy(Some(Arc::new(proxy)));
        }
        Ok(())
    }
}

fn names<'a>(data: &impl Fn(&str) -> &'a str) -> Result<(Headers, Vec<String>), String> {
    let list = |key: &str| match data(key) {
        "" => Ok(Vec::new()),
        text => serde_json::from_str::<Vec<String>>(text).map_err(|error| format!("{key}: {error}")),
    };
    let headers = Headers::new(
        &list("requestheader-username-headers")?,
        &list("requestheader-uid-headers")?,
        &list("requestheader-group-headers")?,
        &list("requestheader-extra-headers-prefix")?,
    )?;
    Ok((headers, list("requestheader-allowed-names")?))
}

/// Tells `authenticator` whom to trust, now and whenever the host says otherwise, until `stop`. Certificates of `own`
/// authorities are taken besides those of the host's.
///
/// Returns when the host has answered for the first time, and does not when it never does.
pub(super) async fn follow(
    client: &Client,
    authenticator: Authenticator,
    own: Vec<CertificateDer<'static>>,
    stop: CancellationToken,
) {
    let api = host::api(client, &GroupVersionResource::new("", "v1", "configmaps"), NAMESPACE);
    let selection = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
    let followed = Followed::start(api, selection, stop.clone());
    followed.synced().await;
    let mut changes = followed.changes();
    changes.mark_unchanged();
    let mut said = Said::default();
    obey(&mut said, &followed, &authenticator, &own);
    tokio::spawn(async move {
        while let Some(Ok(())) = stop.run_until_cancelled(changes.changed()).await {
            obey(&mut said, &followed, &authenticator, &own);
        }
    });
}

fn obey(said: &mut Said, followed: &Followed, authenticator: &Authenticator, own: &[CertificateDer<'static>]) {
    match followed.get(NAMESPACE, NAME) {
        None => warn!("the host has no ConfigMap {NAMESPACE}/{NAME}"),
        Some(config_map) => {
            for problem in said.hear(&config_map) {
                warn!("the ConfigMap {NAMESPACE}/{NAME} of the host: {problem}");
            }
        }
    }
    match said.apply(authenticator, own) {
        Ok(()) => info!(clients = said.clients.len(), proxies = said.proxies.len(), "the host says whom to trust"),
        Err(problem) => warn!("whom the host trusts cannot be trusted here: {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pki::Authority;

    fn config_map(data: Value) -> Value {
        json!({ "data": data })
    }

    #[test]
    fn what_is_good_is_taken_and_stays_until_something_else_is() {
        let [one, other] = [(); 2].map(|()| Authority::make().unwrap().certificate);
        let mut said = Said::default();
        assert_eq!(said.hear(&config_map(json!({}))).len(), 2, "there are no certificates");
        let good = json!({
            "client-ca-file": one,
            "requestheader-client-ca-file": other,
            "requestheader-username-headers": "[\"X-Remote-User\"]",
            "requestheader-allowed-names": "[\"front-proxy-client\"]",
        });
        assert_eq!(said.hear(&config_map(good)), [""; 0]);
        assert_eq!((said.clients.len(), said.proxies.len()), (1, 1));
        assert_ne!(said.clients, said.proxies);
        let (headers, clients) = (said.headers.clone(), said.clients.clone());
        assert_ne!(headers, Headers::default());
        let bad = json!({
            "client-ca-file": "-----BEGIN CERTIFICATE-----\n#\n-----END CERTIFICATE-----\n",
            "requestheader-client-ca-file": format!("{one}{other}"),
            "requestheader-allowed-names": "front-proxy-client",
        });
        let problems = said.hear(&config_map(bad));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("client-ca-file") && problems[1].contains("requestheader-allowed-names"));
        assert_eq!((said.clients, said.headers, said.proxies.len()), (clients, headers, 2));
        assert_eq!(said.allowed_names, ["front-proxy-client"]);
    }
}
