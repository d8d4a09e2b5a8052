//! This server behind another one, the host: it serves the groups that definitions add, and nothing else. The host's clients
//! come through its proxy, which says who they are; what they may do, whose their tokens are, which namespaces there are and
//! which webhooks are to be called the host is asked.

mod authority;
mod registration;
mod tokens;
mod trust;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use admission::Lister;
use async_trait::async_trait;
use authorization::{Paths, Privileged, Union};
use endpoints::authentication::{AUDIENCE, Authenticator};
use kube::Client;
use registry::Registry;
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authorization::SubjectAccessReviews;
use crate::config::Config;
use crate::error::Error;
use crate::host::{self, HostLister, Kind, Reviews};
use crate::identity::{ADMIN, Identity};
use crate::options::ReviewVersion;
use crate::pki::Authority;
use crate::serving::certificates;
use crate::surroundings::Surroundings;
use authority::SharedAuthority;
use tokens::HostTokens;

/// How long the host's answers about rights are remembered (upstream's, of delegated authorization).
const RIGHTS_TTL: Duration = Duration::from_secs(10);
/// How long the host may take to say whom to trust.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// What everybody may ask (upstream's, of delegated authorization).
const PATHS: &[&str] = &["/healthz", "/livez", "/readyz"];
/// The admission plugins that run here: the others are about kinds of the host's.
const ADMISSION_PLUGINS: [&str; 3] = ["NamespaceLifecycle", "MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"];
/// The group of definitions.
const DEFINITIONS: &str = "apiextensions.k8s.io";

/// The service of the host that leads to this server: `namespace/name` or `namespace/name:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port, 443 unless stated.
    pub port: u16,
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not NAMESPACE/NAME or NAMESPACE/NAME:PORT");
        let (namespace, rest) = text.split_once('/').ok_or_else(wrong)?;
        let (name, port) = match rest.split_once(':') {
            Some((name, port)) => (name, port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
            None => (rest, 443),
        };
        if [namespace, name].iter().any(|part| part.is_empty() || part.contains('/')) {
            return Err(wrong());
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned(), port })
    }
}

impl ServiceName {
    /// The names under which the host and its clients reach it.
    fn dns_names(&self) -> Vec<String> {
        let Self { namespace, name, .. } = self;
        ["", ".svc", ".svc.cluster.local"].map(|end| format!("{name}.{namespace}{end}")).to_vec()
    }
}

/// A host in front, as a server is told of it.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// How it is reached; without a file as the service account of a Pod.
    pub kubeconfig: Option<PathBuf>,
    /// How it reaches this server; it is not told where this is not known.
    pub service: Option<ServiceName>,
}

/// A server behind a host.
pub(crate) struct Aggregated {
    config: Config,
    client: Client,
    service: Option<ServiceName>,
    /// Signs what this server shows.
    authority: Arc<Authority>,
    /// Signs who may do everything here, whatever the host says.
    clients: Authority,
    /// Ends what is followed of the host.
    stop: CancellationToken,
}

impl Aggregated {
    /// Behind `host`. What follows it ends with `stop`.
    ///
    /// # Errors
    /// It cannot be found, or is needed for the certificate and does not answer.
    pub async fn new(config: &Config, host: &Host, stop: CancellationToken) -> Result<Self, Error> {
        let client = host::connect(host.kubeconfig.as_deref()).await?;
        let folder = config.cert_dir();
        if let Some(service) = &host.service {
            let authority = SharedAuthority::new(&client, &service.namespace, folder.clone());
            authority.adopt(&authority.read().await?)?;
        }
        Ok(Self {
            config: config.clone(),
            client,
            service: host.service.clone(),
            authority: Arc::new(Authority::open(&folder)?),
            clients: Authority::of_clients(&folder)?,
            stop,
        })
    }

    fn own_clients(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        certificates(self.clients.certificate(), "client-ca.crt")
    }
}

#[async_trait]
impl Surroundings for Aggregated {
    fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    fn names(&self) -> Vec<String> {
        self.service.as_ref().map(ServiceName::dns_names).unwrap_or_default()
    }

    fn client_authority(&self) -> &Authority {
        &self.clients
    }

    /// Any: the host may name others while this runs.
    fn client_certificates(&self) -> Vec<CertificateDer<'static>> {
        Vec::new()
    }

    fn identities(&self) -> Vec<Identity> {
        vec![ADMIN]
    }

    fn lister(&self, registry: &Arc<Registry>) -> Arc<dyn Lister> {
        Arc::new(HostLister::start(self.client.clone(), registry.lister(), &self.stop))
    }

    fn admission_plugins(&self) -> Vec<&'static str> {
        let all = self.config.admission_plugins();
        all.filter(|plugin| ADMISSION_PLUGINS.contains(plugin)).collect()
    }

    async fn prepare(&mut self, registry: &Arc<Registry>) -> Result<(), Error> {
        registry.update_table(|table| table.without_builtin_but(DEFINITIONS));
        Ok(())
    }

    async fn complete(&mut self, server: &mut endpoints::Config) -> Result<(), Error> {
        let options = self.config.options();
        let audiences = options.authentication.api_audiences.clone();
        let authenticator = Authenticator::new(vec![AUDIENCE.to_owned()])
            .anonymous(options.anonymous_auth)
            .with(Arc::new(HostTokens::new(self.client.clone(), audiences)));
        let followed = trust::follow(&self.client, authenticator.clone(), self.own_clients()?, self.stop.clone());
        tokio::time::timeout(FIRST_ANSWER, followed)
            .await
            .map_err(|_| Error::Host("it does not say whom to trust (the log has the reason)".to_owned()))?;
        server.authenticator = authenticator;
        let reviews = Arc::new(Reviews::new(self.client.clone(), Kind::SubjectAccess));
        let rights = SubjectAccessReviews::new(reviews, ReviewVersion::V1, RIGHTS_TTL, RIGHTS_TTL);
        server.authorizer = Arc::new(Union(vec![Arc::new(Privileged), Arc::new(Paths(PATHS)), Arc::new(rights)]));
        Ok(())
    }

    fn spawn(self: Box<Self>, registry: &Arc<Registry>, tasks: &TaskTracker) {
        if let Some(service) = self.service {
            let authority = SharedAuthority::new(&self.client, &service.namespace, self.config.cert_dir());
            tasks.spawn(registration::keep(self.client, registry.clone(), service, authority, self.stop));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_with_its_namespace() {
        let service = |text: &str| text.parse::<ServiceName>().map(|s| (s.namespace, s.name, s.port));
        assert_eq!(service("a/b"), Ok(("a".into(), "b".into(), 443)));
        assert_eq!(service("a/b:8443"), Ok(("a".into(), "b".into(), 8443)));
        for wrong in ["", "b", "/b", "a/", "a/b:0", "a/b:x", "a/b/c"] {
            assert!(service(wrong).is_err(), "{wrong}");
        }
    }
}
