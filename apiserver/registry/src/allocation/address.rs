//! Cluster IPs: an `IPAddress` object each, within the blocks of the `ServiceCIDR`s that are ready.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use apimachinery::status::Reason;
use apimachinery::validation::{Cidr, parse_cidr_sloppy};
use apimachinery::{ObjectExt, StatusError, UserInfo};
use serde_json::{Value, json};

use super::{offsets, reserved};
use crate::options::{CreateOptions, DeleteOptions, ListOptions};
use crate::registry::Registry;
use crate::{RequestContext, Target};

/// Why there is no address, in upstream's words.
#[derive(Debug)]
pub(super) enum Refused {
    /// The reason.
    Why(String),
    /// The store or another part failed.
    Failed(StatusError),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Why(why) => f.write_str(why),
            Self::Failed(error) => f.write_str(error.message()),
        }
    }
}

/// How many addresses are tried blindly before those that are taken are looked up.
const BLIND: usize = 4;

/// Takes an address of a family that is free. A dry run takes none: it is shown the block's first.
pub(super) async fn next(registry: &Registry, service: &Value, v4: bool, dry_run: bool) -> Result<IpAddr, Refused> {
    let blocks: Vec<Cidr> = blocks(registry).await?.into_iter().filter(|block| block.network.is_ipv4() == v4).collect();
    if dry_run {
        return blocks.first().map(|block| block.network).ok_or_else(|| Refused::Why("range is full".into()));
    }
    for block in blocks {
        let (first, size) = usable(&block);
        let mut taken: Option<HashSet<String>> = None;
        for (tries, offset) in offsets(size, reserved(size, 16, 256)).enumerate() {
            let Some(address) = block.address(first + offset) else { continue };
            if tries == BLIND {
                taken = Some(all(registry).await?);
            }
            if taken.as_ref().is_some_and(|taken| taken.contains(&address.to_string())) {
                continue;
            }
            if claim(registry, service, address).await? {
                return Ok(address);
            }
        }
    }
    Err(Refused::Why("range is full".into()))
}

/// Takes this address.
pub(super) async fn this(registry: &Registry, service: &Value, address: IpAddr, dry_run: bool) -> Result<(), Refused> {
    let block = blocks(registry).await?.into_iter().find(|block| block.contains(address));
    let Some(block) = block else {
        return Err(Refused::Why("the provided network does not match the current range".into()));
    };
    let (first, size) = usable(&block);
    let is_usable = block.address(first).is_some_and(|first| address >= first)
        && block.address(first + size - 1).is_none_or(|last| address <= last);
    if !is_usable {
        let why = format!("the provided IP ({address}) is not in the valid range. The range of valid IPs is {block}");
        return Err(Refused::Why(why));
    }
    if dry_run || claim(registry, service, address).await? {
        return Ok(());
    }
    Err(Refused::Why("provided IP is already allocated".into()))
}

/// Gives an address back.
pub(super) async fn release(registry: &Registry, address: IpAddr) {
    let Ok(collection) = collection(registry, "ipaddresses") else { return };
    let target = Target { name: address.to_string(), ..collection };
    // Boxed: a deletion of a service leads here.
    let deleted = Box::pin(registry.delete(&context(), &target, &DeleteOptions::default())).await;
    match deleted {
        Err(error) if *error.reason() != Reason::NotFound => {
            tracing::warn!(%address, error = %error.message(), "a cluster IP was not released");
        }
        _ => {}
    }
}

/// The first usable offset and how many there are: neither the network's own address nor, of IPv4, the broadcast address.
fn usable(block: &Cidr) -> (u128, u128) {
    let all = if block.host_bits() >= 64 { 1 << 64 } else { 1_u128 << block.host_bits() };
    let unusable = if block.network.is_ipv4() { 2 } else { 1 };
    if all <= unusable { (0, all) } else { (1, all - unusable) }
}

/// Makes the address' object; false if another has it.
async fn claim(registry: &Registry, service: &Value, address: IpAddr) -> Result<bool, Refused> {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": address.to_string(),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": family,
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {"resource": "services", "namespace": service.namespace(), "name": service.name()}},
    });
    let target = collection(registry, "ipaddresses").map_err(Refused::Failed)?;
    // Boxed: a creation of a service leads here.
    let made = Box::pin(registry.create(&context(), &target, object.into(), &CreateOptions::default())).await;
    match made {
        Ok(_) => Ok(true),
        Err(error) if *error.reason() == Reason::AlreadyExists => Ok(false),
        Err(error) => Err(Refused::Failed(error)),
    }
}

/// The names of the addresses that are taken.
async fn all(registry: &Registry) -> Result<HashSet<String>, Refused> {
    Ok(list(registry, "ipaddresses").await?.iter().map(|address| address.name().to_owned()).collect())
}

/// The blocks of the `ServiceCIDR`s that are ready; where the default one has not been made yet, those it will have.
async fn blocks(registry: &Registry) -> Result<Vec<Cidr>, Refused> {
    let all = list(registry, "servicecidrs").await?;
    if !all.iter().any(|cidr| cidr.name() == "kubernetes") {
        return Ok(registry.ranges().cluster_ips.clone());
    }
    // As upstream: one that nobody has judged yet is ready.
    let is_ready = |cidr: &&Arc<Value>| {
        let conditions = cidr.pointer("/status/conditions").and_then(Value::as_array);
        let judged = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        cidr.deletion_timestamp().is_none() && judged.is_none_or(|condition| condition["status"] == "True")
    };
    let texts = all.iter().filter(is_ready).filter_map(|cidr| cidr.pointer("/spec/cidrs").and_then(Value::as_array));
    Ok(texts.flatten().filter_map(|text| Some(parse_cidr_sloppy(text.as_str()?)?.1)).collect())
}

async fn list(registry: &Registry, resource: &str) -> Result<Vec<Arc<Value>>, Refused> {
    let listed = match collection(registry, resource) {
        Ok(target) => registry.list(&context(), &target, &ListOptions::default()).await,
        Err(error) => Err(error),
    };
    let values = listed.and_then(|listed| listed.items.iter().map(|item| item.value()).collect());
    values.map_err(Refused::Failed)
}

fn collection(registry: &Registry, resource: &str) -> Result<Target, StatusError> {
    let table = registry.table();
    let row = table.row("networking.k8s.io", "v1", resource).ok_or_else(StatusError::unknown_resource)?;
    Ok(Target::new(row.clone(), "", ""))
}

/// The server acts for itself here.
pub(super) fn context() -> RequestContext {
    RequestContext::new(Arc::new(UserInfo::new("system:apiserver", ["system:masters"])), "kube-apiserver")
}
