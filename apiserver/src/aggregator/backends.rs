//! The servers of others: one for each service and way of trusting it, however many groups and versions it answers for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use endpoints::aggregation::{Backend, Trust, client_config};
use parking_lot::Mutex;
use serde_json::Value;

use super::certificate::ProxyCertificate;
use super::discovery::Documents;

/// A service, and how it is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    pub namespace: String,
    pub name: String,
    pub port: u16,
    /// `None` for `insecureSkipTLSVerify`.
    pub ca_bundle: Option<String>,
}

impl Reference {
    /// Where an APIService is answered; `None` if it is here.
    pub fn of(service: &Value) -> Option<Self> {
        let spec = service.get("spec")?;
        let of = spec.get("service").filter(|of| !of.is_null())?;
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let port = of.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let insecure = spec.get("insecureSkipTLSVerify").and_then(Value::as_bool).unwrap_or_default();
        Some(Self {
            namespace: text(of, "namespace"),
            name: text(of, "name"),
            port: port.unwrap_or(443),
            ca_bundle: (!insecure).then(|| text(spec, "caBundle")),
        })
    }
}

/// Another server, and what it said it serves.
#[derive(Debug)]
pub(super) struct Server {
    pub reference: Reference,
    /// Connections to it, or why there cannot be any.
    pub backend: Result<Arc<Backend>, String>,
    pub documents: Documents,
}

/// Those that APIServices name now.
pub(super) struct Backends {
    certificate: Arc<ProxyCertificate>,
    servers: Mutex<HashMap<Reference, Weak<Server>>>,
}

impl Backends {
    pub fn new(certificate: Arc<ProxyCertificate>) -> Self {
        Self { certificate, servers: Mutex::default() }
    }

    /// The server of a reference: the one that others have, if there is one.
    pub fn get(&self, reference: &Reference) -> Arc<Server> {
        let mut servers = self.servers.lock();
        if let Some(known) = servers.get(reference).and_then(Weak::upgrade) {
            return known;
        }
        servers.retain(|_, server| server.strong_count() > 0);
        let server = Arc::new(Server {
            reference: reference.clone(),
            backend: self.connect(reference).map(Arc::new),
            documents: Documents::default(),
        });
        servers.insert(reference.clone(), Arc::downgrade(&server));
        server
    }

    fn connect(&self, reference: &Reference) -> Result<Backend, String> {
        let trust = match &reference.ca_bundle {
            Some(bundle) => Trust::Authorities(bundle.clone()),
            None => Trust::Anybody,
        };
        let tls = client_config(&trust, Some(self.certificate.clone()))?;
        Backend::new(&format!("{}.{}.svc", reference.name, reference.namespace), tls)
    }
}
