//! The service `kubernetes` of the namespace `default`, through which pods reach this server; the addresses it leads to; and
//! the block of addresses that all services are given one of.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use apimachinery::StatusError;
use apimachinery::status::Reason;
use registry::{GetOptions, Registry, RequestContext, Row, Target};
use serde_json::{Value, json};

use crate::{bootstrap, identity};

const NAME: &str = "kubernetes";
const NAMESPACE: &str = "default";
const PORT: u16 = 443;

/// Creates what is missing of the block, the service and its endpoints. `local` is where this server listens.
pub async fn publish(registry: &Arc<Registry>, local: SocketAddr) -> Result<(), StatusError> {
    let blocks = &registry.ranges().cluster_ips;
    let Some(block) = blocks.first() else { return Ok(()) };
    let cidrs: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let ready = json!({"type": "Ready", "status": "True", "reason": "", "message": "Kubernetes Service CIDR is ready"});
    let block_object = json!({
        "metadata": {"name": NAME, "finalizers": ["networking.k8s.io/service-cidr-finalizer"]},
        "spec": {"cidrs": cidrs},
        "status": {"conditions": [ready]},
    });
    let Some(address) = block.address(1) else {
        return create(registry, "networking.k8s.io", "servicecidrs", block_object).await;
    };
    let service = json!({
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address.to_string(),
            "clusterIPs": [address.to_string()],
            "ipFamilies": [family(address)],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": PORT, "protocol": "TCP", "targetPort": local.port()}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    });
    tokio::try_join!(
        create(registry, "networking.k8s.io", "servicecidrs", block_object),
        create(registry, "", "services", service),
        publish_endpoints(registry, local),
    )?;
    Ok(())
}

async fn publish_endpoints(registry: &Arc<Registry>, local: SocketAddr) -> Result<(), StatusError> {
    let Some(own) = reachable(local.ip()) else { return Ok(()) };
    let port = json!({"name": "https", "port": local.port(), "protocol": "TCP"});
    let endpoints = json!({
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": own.to_string()}], "ports": [port]}],
    });
    let slice = json!({
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": family(own),
        "endpoints": [{"addresses": [own.to_string()], "conditions": {"ready": true}}],
        "ports": [port],
    });
    tokio::try_join!(
        create(registry, "", "endpoints", endpoints),
        create(registry, "discovery.k8s.io", "endpointslices", slice),
    )?;
    Ok(())
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// The address at which pods reach a server that listens on `bound`: that one, or where it says nothing to others the one
/// this machine sends from. No packet is sent to learn it.
fn reachable(bound: IpAddr) -> Option<IpAddr> {
    if !bound.is_unspecified() && !bound.is_loopback() {
        return Some(bound);
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address of documentation: whatever way leads out leads there.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), PORT)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

async fn create(registry: &Arc<Registry>, group: &str, resource: &str, object: Value) -> Result<(), StatusError> {
    let ctx = RequestContext::new(identity::loopback(), bootstrap::FIELD_MANAGER);
    let table = registry.table();
    let row: &Arc<Row> = table.row(group, "v1", resource).ok_or_else(StatusError::unknown_resource)?;
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let target = Target::new(row.clone(), namespace, NAME);
    match registry.get(&ctx, &target, &GetOptions::default()).await {
        Ok(_) => Ok(()),
        Err(error) if *error.reason() == Reason::NotFound => {
            bootstrap::create(registry, &ctx, row.clone(), object).await
        }
        Err(error) => Err(error),
    }
}
