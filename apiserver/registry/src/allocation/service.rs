//! Addresses and ports of services, through their changes of type.

use std::net::IpAddr;

use apimachinery::field::{Error, Path};
use apimachinery::gvk::GroupKind;
use apimachinery::status::Reason;
use apimachinery::validation::parse_ip_sloppy;
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::address::{self, Refused};
use super::ports::{self, Taken};
use super::{Allocated, Allocation, Claims};
use crate::Target;
use crate::options::DeleteOptions;
use crate::registry::Registry;
use crate::strategy::service::{
    HEADLESS, carry_over, families, needs_cluster_ip, needs_health_check, needs_node_ports, node_ports, spec_of,
};

/// The allocation of services.
pub(crate) static SERVICE: Service = Service;

/// The first port that a dry run is shown: one of no range.
const DRY_PORT: i64 = 32769;

#[derive(Debug)]
pub(crate) struct Service;

#[async_trait]
impl Allocation for Service {
    async fn begin(
        &self,
        registry: &Registry,
        service: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Claims, StatusError> {
        carry_over(service, old);
        let available: Vec<&str> = registry
            .ranges()
            .cluster_ips
            .iter()
            .map(|block| if block.network.is_ipv4() { "IPv4" } else { "IPv6" })
            .collect();
        families::settle(service, old, &available)
            .map_err(|errors| StatusError::invalid(&GroupKind::new("", "Service"), service.name(), errors))?;
        let mut claims = Claims::default();
        let claimed = claim_all(registry, service, old, dry_run, &mut claims).await;
        if dry_run {
            claims = Claims::default();
        }
        match claimed {
            Ok(()) => Ok(claims),
            Err(error) => {
                claims.settle(registry, false).await;
                Err(error)
            }
        }
    }

    async fn end(&self, registry: &Registry, service: &Value) {
        remove_endpoints(registry, service).await;
        let spec = spec_of(service);
        let mut had = Allocated { addresses: addresses(service), ports: all_ports(spec) };
        if needs_health_check(service) {
            had.ports.extend(health_check_port(service));
        }
        had.give_back(registry).await;
    }
}

async fn claim_all(
    registry: &Registry,
    service: &mut Value,
    old: Option<&Value>,
    dry_run: bool,
    claims: &mut Claims,
) -> Result<(), StatusError> {
    if !old.is_some_and(|old| families::keeps_preference(service, old)) {
        claim_addresses(registry, service, old, dry_run, claims).await?;
    }
    let had = |test: fn(&Value) -> bool| old.is_some_and(test);
    if needs_node_ports(service) || needs_health_check(service) || had(needs_node_ports) || had(needs_health_check) {
        let before = service.clone();
        let claimed = ports::change(registry, dry_run, |taken| {
            let mut service = before.clone();
            let mut op =
                Ports { taken, dry: dry_run, last_dry: DRY_PORT - 1, claimed: Allocated::default(), left: Vec::new() };
            op.node_ports(&mut service, old)?;
            op.health_check_port(&mut service, old)?;
            Ok((service, op.claimed, op.left))
        });
        let (with_ports, claimed, left) = claimed.await?;
        *service = with_ports;
        claims.taken.ports = claimed.ports;
        claims.left.ports = left;
    }
    Ok(())
}

/// Takes the addresses that a service has none of yet, and notes those it leaves.
async fn claim_addresses(
    registry: &Registry,
    service: &mut Value,
    old: Option<&Value>,
    dry_run: bool,
    claims: &mut Claims,
) -> Result<(), StatusError> {
    let families = texts(spec_of(service), "ipFamilies");
    let from = match old {
        None => 0,
        Some(old) if !needs_cluster_ip(old) => 0,
        Some(old) => {
            let before = addresses(old);
            if texts(spec_of(old), "clusterIPs").first().is_some_and(|ip| ip == HEADLESS) {
                return Ok(());
            }
            if !needs_cluster_ip(service) {
                claims.left.addresses = before;
                return Ok(());
            }
            let had = texts(spec_of(old), "ipFamilies").len();
            if had == 2 && families.len() == 1 {
                claims.left.addresses = before.into_iter().skip(1).collect();
            }
            if !(had == 1 && families.len() == 2) {
                return Ok(());
            }
            1
        }
    };
    let mut ips = texts(spec_of(service), "clusterIPs");
    if !needs_cluster_ip(service) || ips.first().is_some_and(|ip| ip == HEADLESS) {
        return Ok(());
    }
    let shown = json!(ips);
    for (i, family) in families.iter().enumerate().skip(from) {
        match ips.get(i).filter(|ip| !ip.is_empty()) {
            Some(ip) => {
                let Some(address) = parse_ip_sloppy(ip) else {
                    let why = format!("failed to parse service IP {}", apimachinery::quote::quoted(ip));
                    return Err(StatusError::internal(why));
                };
                let taken = address::this(registry, service, address, dry_run).await;
                taken.map_err(|refused| match refused {
                    Refused::Failed(error) if *error.reason() != Reason::Invalid => error,
                    refused => {
                        let path = Path::new("spec").child("clusterIPs");
                        let why = format!("failed to allocate IP {ip}: {refused}");
                        invalid(service, Error::invalid(&path, shown.clone(), why))
                    }
                })?;
                claims.taken.addresses.push(address);
            }
            None => {
                let taken = address::next(registry, service, family == "IPv4", dry_run).await;
                let address = taken
                    .map_err(|refused| StatusError::internal(format!("failed to allocate a serviceIP: {refused}")))?;
                claims.taken.addresses.push(address);
                if i < ips.len() {
                    ips[i] = address.to_string();
                } else {
                    ips.push(address.to_string());
                }
            }
        }
    }
    if let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut)
        && let Some(first) = ips.first()
    {
        spec.insert("clusterIP".into(), first.as_str().into());
        spec.insert("clusterIPs".into(), json!(ips));
    }
    Ok(())
}

/// One attempt at the ports of a service.
struct Ports<'a> {
    taken: &'a mut Taken,
    dry: bool,
    last_dry: i64,
    claimed: Allocated,
    left: Vec<u16>,
}

impl Ports<'_> {
    fn take(&mut self, port: i64) -> Result<(), String> {
        let port = self.taken.take(port)?;
        self.claimed.ports.push(port);
        Ok(())
    }

    fn take_any(&mut self) -> Result<i64, String> {
        if self.dry {
            self.last_dry += 1;
            return Ok(self.last_dry);
        }
        let port = self.taken.take_any()?;
        self.claimed.ports.push(port);
        Ok(i64::from(port))
    }

    fn node_ports(&mut self, service: &mut Value, old: Option<&Value>) -> Result<(), StatusError> {
        let before: Vec<u16> = old.map(|old| all_ports(spec_of(old))).unwrap_or_default();
        if !needs_node_ports(service) {
            if old.is_some_and(needs_node_ports) {
                self.left = before;
            }
            return Ok(());
        }
        let spec = spec_of(service);
        let fills = spec["type"] == "NodePort" || spec["allocateLoadBalancerNodePorts"] == true;
        let mut ports = spec["ports"].as_array().cloned().unwrap_or_default();
        let number = |port: &Value, field: &str| port.get(field).and_then(Value::as_i64).unwrap_or(0);
        let mut of_port: Vec<(i64, i64)> = Vec::new();
        for i in 0..ports.len() {
            let asked = number(&ports[i], "nodePort");
            if asked == 0 && !fills {
                continue;
            }
            let same_port = number(&ports[i], "port");
            // A new service shares one node port among protocols of the same port.
            let known = of_port.iter().find(|(port, _)| *port == same_port && old.is_none()).map(|(_, given)| *given);
            let wanted = match (asked, known) {
                (0, Some(known)) => {
                    ports[i]["nodePort"] = known.into();
                    continue;
                }
                (0, None) if old.is_none() => {
                    let named = ports.iter().filter(|port| number(port, "port") == same_port);
                    named.map(|port| number(port, "nodePort")).find(|port| *port != 0).unwrap_or(0)
                }
                (asked, Some(known)) if asked == known => continue,
                (asked, _) => asked,
            };
            let held = u16::try_from(wanted).is_ok_and(|wanted| before.contains(&wanted));
            let again = old.is_some() && self.claimed.ports.iter().any(|port| i64::from(*port) == wanted);
            let given = if wanted == 0 {
                self.take_any().map_err(|why| StatusError::internal(format!("failed to allocate a nodePort: {why}")))?
            } else {
                if !held && !again {
                    self.take(wanted).map_err(|why| {
                        let path = Path::new("spec").child("ports").index(i).child("nodePort");
                        invalid(service, Error::invalid(&path, wanted, why))
                    })?;
                }
                wanted
            };
            ports[i]["nodePort"] = given.into();
            if known.is_none() {
                of_port.push((same_port, given));
            }
        }
        if let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut)
            && !ports.is_empty()
        {
            spec.insert("ports".into(), ports.into());
        }
        let kept = node_ports(spec_of(service));
        self.left = before.into_iter().filter(|port| !kept.contains(&i64::from(*port))).collect();
        Ok(())
    }

    fn health_check_port(&mut self, service: &mut Value, old: Option<&Value>) -> Result<(), StatusError> {
        match (old.is_some_and(needs_health_check), needs_health_check(service)) {
            (false, true) => {}
            (true, false) => {
                self.left.extend(old.and_then(health_check_port));
                return Ok(());
            }
            _ => return Ok(()),
        }
        let asked = spec_of(service)["healthCheckNodePort"].as_i64().unwrap_or(0);
        if asked != 0 {
            return self.take(asked).map_err(|why| {
                StatusError::internal(format!("failed to allocate requested HealthCheck NodePort {asked}: {why}"))
            });
        }
        let port = self
            .take_any()
            .map_err(|why| StatusError::internal(format!("failed to allocate a HealthCheck NodePort 0: {why}")))?;
        if let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("healthCheckNodePort".into(), port.into());
        }
        Ok(())
    }
}

fn texts(spec: &Value, field: &str) -> Vec<String> {
    let list = spec.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The addresses that a service has.
fn addresses(service: &Value) -> Vec<IpAddr> {
    if !needs_cluster_ip(service) {
        return Vec::new();
    }
    texts(spec_of(service), "clusterIPs").iter().filter_map(|ip| parse_ip_sloppy(ip)).collect()
}

fn all_ports(spec: &Value) -> Vec<u16> {
    node_ports(spec).into_iter().filter_map(|port| u16::try_from(port).ok()).collect()
}

fn health_check_port(service: &Value) -> Option<u16> {
    let port = spec_of(service).get("healthCheckNodePort").and_then(Value::as_u64)?;
    u16::try_from(port).ok().filter(|port| *port != 0)
}

fn invalid(service: &Value, error: Error) -> StatusError {
    StatusError::invalid(&GroupKind::new("", "Service"), service.name(), vec![error])
}

/// Endpoints go with their service, so that a new one of its name does not begin with old ones.
async fn remove_endpoints(registry: &Registry, service: &Value) {
    let table = registry.table();
    let Some(row) = table.row("", "v1", "endpoints") else { return };
    let target = Target::new(row.clone(), service.namespace(), service.name());
    let deleted = Box::pin(registry.delete(&address::context(), &target, &DeleteOptions::default())).await;
    match deleted {
        Err(error) if *error.reason() != Reason::NotFound => {
            tracing::warn!(service = service.name(), error = %error.message(), "endpoints were not deleted");
        }
        _ => {}
    }
}
