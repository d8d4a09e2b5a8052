//! Where the service of a webhook is: its endpoints, else its cluster IP.

use apimachinery::ObjectExt;
use apimachinery::gvk::GroupVersionResource;
use serde_json::Value;

use super::hook::ServiceReference;
use crate::Lister;

/// A host (name or address) and port to connect to. The error's words are upstream's.
pub(super) async fn service(lister: &dyn Lister, reference: &ServiceReference) -> Result<(String, u16), String> {
    let ServiceReference { namespace, name, .. } = reference;
    let wanted = reference.port.unwrap_or(443);
    let services = GroupVersionResource::new("", "v1", "services");
    let service = match lister.get(&services, namespace, name).await {
        Ok(None) => lister.get_fresh(&services, namespace, name).await,
        found => found,
    };
    let service = service.map_err(|error| error.to_string())?.ok_or_else(|| format!("service \"{name}\" not found"))?;
    let text = |pointer: &str| service.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/spec/type") == "ExternalName" {
        return Ok((text("/spec/externalName").to_owned(), wanted));
    }
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let port = ports.into_iter().flatten().find(|port| number(port, "port") == Some(wanted));
    let port = port.ok_or_else(|| format!("no service port {wanted} found for service \"{name}\""))?;
    let port_name = port.get("name").and_then(Value::as_str).unwrap_or_default();
    if let Some(found) = slices(lister, reference, port_name).await {
        return Ok(found);
    }
    if let Some(found) = endpoints(lister, reference, port_name).await {
        return Ok(found);
    }
    match text("/spec/clusterIP") {
        "" | "None" => Err(format!("no endpoints available for service \"{name}\"")),
        address => Ok((address.to_owned(), wanted)),
    }
}

async fn slices(lister: &dyn Lister, reference: &ServiceReference, port_name: &str) -> Option<(String, u16)> {
    let resource = GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices");
    let slices = lister.list(&resource).await.ok()?;
    let of_service = slices.iter().filter(|slice| {
        slice.namespace() == reference.namespace && slice.label("kubernetes.io/service-name") == Some(&reference.name)
    });
    for slice in of_service {
        let Some(port) = port_of(slice.get("ports"), port_name) else { continue };
        let ready = slice
            .get("endpoints")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true));
        if let Some(address) = ready.and_then(|endpoint| endpoint.pointer("/addresses/0")).and_then(Value::as_str) {
            return Some((address.to_owned(), port));
        }
    }
    None
}

async fn endpoints(lister: &dyn Lister, reference: &ServiceReference, port_name: &str) -> Option<(String, u16)> {
    let resource = GroupVersionResource::new("", "v1", "endpoints");
    let endpoints = lister.get(&resource, &reference.namespace, &reference.name).await.ok()??;
    endpoints.get("subsets").and_then(Value::as_array)?.iter().find_map(|subset| {
        let port = port_of(subset.get("ports"), port_name)?;
        let address = subset.pointer("/addresses/0/ip").and_then(Value::as_str)?;
        Some((address.to_owned(), port))
    })
}

fn port_of(ports: Option<&Value>, name: &str) -> Option<u16> {
    let ports = ports.and_then(Value::as_array)?;
    let named = |port: &&Value| port.get("name").and_then(Value::as_str).unwrap_or_default() == name;
    ports.iter().find(named).and_then(|port| number(port, "port"))
}

fn number(port: &Value, field: &str) -> Option<u16> {
    port.get(field).and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok())
}
