//! Where a service is: at one of its endpoints, or at its cluster address.

use std::sync::atomic::{AtomicUsize, Ordering};

use apimachinery::ObjectExt;
use apimachinery::gvk::GroupVersionResource;
use serde_json::Value;

use crate::Lister;

/// A host (name or address) and a port to connect to.
pub type Address = (String, u16);

/// By which of its addresses a service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// Those of its ready endpoints; where it has none, its cluster address (somebody may route that).
    #[default]
    Any,
    /// Those of its ready endpoints (upstream's with `--enable-aggregator-routing`).
    Endpoints,
    /// Its cluster address (upstream's without).
    ClusterAddress,
}

/// The label of an endpoint slice that names its service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// An address of a service, looked up with `lister`. The error's words are upstream's.
pub async fn look_up<L>(lister: &L, routing: Routing, namespace: &str, name: &str, port: u16) -> Result<Address, String>
where
    L: Lister + ?Sized,
{
    let services = GroupVersionResource::new("", "v1", "services");
    let service = match lister.get(&services, namespace, name).await {
        Ok(None) => lister.get_fresh(&services, namespace, name).await,
        found => found,
    };
    let service = service.map_err(|error| error.to_string())?.ok_or_else(|| format!("service \"{name}\" not found"))?;
    let slices = match routing {
        Routing::ClusterAddress => Ok([].into()),
        _ => lister.list(&GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices")).await,
    };
    let slices = slices.unwrap_or_else(|_| [].into());
    let in_namespace = slices.iter().filter(|slice| slice.namespace() == namespace);
    let of_service: Vec<_> = in_namespace.filter(|slice| slice.label(SERVICE_NAME) == Some(name)).collect();
    let endpoints = match routing {
        Routing::Any if of_service.is_empty() => {
            lister.get(&GroupVersionResource::new("", "v1", "endpoints"), namespace, name).await.ok().flatten()
        }
        _ => None,
    };
    let slices = of_service.iter().map(|slice| &***slice);
    let found = addresses(&service, slices, endpoints.as_deref(), port, routing)?;
    one_of(&found).cloned().ok_or_else(|| none(name))
}

/// One after the other, so that no endpoint gets all.
pub fn one_of(addresses: &[Address]) -> Option<&Address> {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    addresses.get(TURN.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1))
}

fn none(service: &str) -> String {
    format!("no endpoints available for service \"{service}\"")
}

/// Every address at which `port` of a service is reached, at least one. The error's words are upstream's.
pub fn addresses<'a>(
    service: &Value,
    slices: impl Iterator<Item = &'a Value>,
    endpoints: Option<&Value>,
    port: u16,
    routing: Routing,
) -> Result<Vec<Address>, String> {
    let name = service.name();
    let text = |pointer: &str| service.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, cluster_address) = (text("/spec/type"), text("/spec/clusterIP"));
    if kind == "ExternalName" {
        return match routing {
            Routing::Endpoints => Err(format!("unsupported service type \"{kind}\"")),
            _ => Ok(vec![(text("/spec/externalName").to_owned(), port)]),
        };
    }
    if routing == Routing::ClusterAddress && cluster_address == "None" {
        return Err("cannot route to service with ClusterIP \"None\"".to_owned());
    }
    let port_name =
        port_name(service, port).ok_or_else(|| format!("no service port {port} found for service \"{name}\""))?;
    let mut found: Vec<Address> = match routing {
        Routing::ClusterAddress => Vec::new(),
        _ => slices.flat_map(|slice| of_slice(slice, port_name)).collect(),
    };
    if found.is_empty() && routing == Routing::Any {
        found = endpoints.map(|endpoints| of_endpoints(endpoints, port_name)).unwrap_or_default();
    }
    if found.is_empty() {
        match cluster_address {
            "" | "None" => return Err(none(name)),
            _ if routing == Routing::Endpoints => return Err(none(name)),
            address => found.push((address.to_owned(), port)),
        }
    }
    Ok(found)
}

/// The name of the port that a service listens on, often empty; `None` if it does not.
pub fn port_name(service: &Value, port: u16) -> Option<&str> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let of_number = ports.into_iter().flatten().find(|known| number(known, "port") == Some(port))?;
    Some(of_number.get("name").and_then(Value::as_str).unwrap_or_default())
}

/// The addresses of a slice's ready endpoints.
pub fn of_slice(slice: &Value, port_name: &str) -> Vec<Address> {
    let Some(port) = port_of(slice.get("ports"), port_name) else { return Vec::new() };
    let endpoints = slice.get("endpoints").and_then(Value::as_array).into_iter().flatten();
    let ready = endpoints.filter(|of| of.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true));
    ready.filter_map(|of| Some((of.pointer("/addresses/0")?.as_str()?.to_owned(), port))).collect()
}

fn of_endpoints(endpoints: &Value, port_name: &str) -> Vec<Address> {
    let subsets = endpoints.get("subsets").and_then(Value::as_array).into_iter().flatten();
    let of_subset = |subset: &Value| {
        let port = port_of(subset.get("ports"), port_name)?;
        let addresses = subset.get("addresses")?.as_array()?.iter();
        Some(addresses.filter_map(|of| Some((of.get("ip")?.as_str()?.to_owned(), port))).collect::<Vec<_>>())
    };
    subsets.filter_map(of_subset).flatten().collect()
}

fn port_of(ports: Option<&Value>, name: &str) -> Option<u16> {
    let ports = ports.and_then(Value::as_array)?;
    let named = |port: &&Value| port.get("name").and_then(Value::as_str).unwrap_or_default() == name;
    ports.iter().find(named).and_then(|port| number(port, "port"))
}

fn number(port: &Value, field: &str) -> Option<u16> {
    port.get(field).and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Routing::{Any, ClusterAddress, Endpoints};
    use super::*;

    #[test]
    fn a_service_is_at_its_ready_endpoints_or_at_its_cluster_address() {
        let service = json!({"metadata": {"name": "s"},
            "spec": {"clusterIP": "10.0.0.9", "ports": [{"name": "https", "port": 443}, {"port": 80}]}});
        let slice = |ready: Value| {
            json!({"ports": [{"name": "https", "port": 8443}],
                "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": ready}}, {"addresses": ["10.1.0.2"]}]})
        };
        let endpoints = json!({"subsets": [{"addresses": [{"ip": "10.2.0.1"}], "ports": [{"port": 8080}]}]});
        let external =
            json!({"metadata": {"name": "s"}, "spec": {"type": "ExternalName", "externalName": "a.example"}});
        let headless = json!({"metadata": {"name": "s"}, "spec": {"clusterIP": "None", "ports": [{"port": 443}]}});
        let unsupported = "unsupported service type \"ExternalName\"";
        let unroutable = "cannot route to service with ClusterIP \"None\"";
        let nowhere = "no endpoints available for service \"s\"";
        type Found = Result<Vec<(&'static str, u16)>, &'static str>;
        let cases: [(&Value, Option<Value>, u16, Routing, Found); 14] = [
            (&service, Some(slice(json!(true))), 443, Any, Ok(vec![("10.1.0.1", 8443), ("10.1.0.2", 8443)])),
            (&service, Some(slice(json!(false))), 443, Any, Ok(vec![("10.1.0.2", 8443)])),
            (&service, None, 443, Any, Ok(vec![("10.0.0.9", 443)])),
            (&service, None, 80, Any, Ok(vec![("10.2.0.1", 8080)])),
            (&service, None, 1, Any, Err("no service port 1 found for service \"s\"")),
            (&external, None, 6443, Any, Ok(vec![("a.example", 6443)])),
            (&headless, Some(slice(json!(true))), 443, Any, Err(nowhere)),
            (&service, Some(slice(json!(false))), 443, Endpoints, Ok(vec![("10.1.0.2", 8443)])),
            (&service, None, 443, Endpoints, Err(nowhere)),
            (&external, None, 6443, Endpoints, Err(unsupported)),
            (&service, Some(slice(json!(true))), 443, ClusterAddress, Ok(vec![("10.0.0.9", 443)])),
            (&service, None, 1, ClusterAddress, Err("no service port 1 found for service \"s\"")),
            (&headless, Some(slice(json!(true))), 443, ClusterAddress, Err(unroutable)),
            (&external, None, 6443, ClusterAddress, Ok(vec![("a.example", 6443)])),
        ];
        for (service, slice, port, routing, want) in cases {
            let of_port = (port == 80).then_some(&endpoints);
            let got = addresses(service, slice.iter(), of_port, port, routing);
            let want = want
                .map(|found| found.into_iter().map(|(host, port)| (host.to_owned(), port)).collect::<Vec<_>>())
                .map_err(str::to_owned);
            assert_eq!(got, want, "{service} {slice:?} {port} {routing:?}");
        }
    }
}
