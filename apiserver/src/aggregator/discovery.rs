//! What another server says it serves: asked for when its APIService changes and each minute, and kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::user::{SYSTEM_MASTERS, UserInfo};
use endpoints::aggregation::discovery::{AGGREGATED, Freshness, Version, aggregated, listed};
use endpoints::aggregation::{Answer, Backend};
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::backends::Server;

/// An answer may take this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// As whom other servers are asked.
pub(super) const AGGREGATOR: &str = "system:kube-aggregator";

/// The aggregated document of a server.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<Option<Arc<Known>>>);

#[derive(Debug)]
struct Known {
    versions: HashMap<(String, String), Version>,
    etag: Option<HeaderValue>,
    /// When it was asked for.
    asked: Instant,
}

/// What `server` serves in a group and version, no older than `since`. Where it does not answer, what it last said, marked
/// as stale, and `false`.
pub(super) async fn version(server: &Server, group: &str, version: &str, since: Instant) -> (Version, bool) {
    let mut known = server.documents.0.lock().await;
    let fetched = match &*known {
        Some(fresh) if fresh.asked > since => Ok(Ok(fresh.clone())),
        last => fetch(server, last.as_deref()).await,
    };
    let of_version = |known: &Known| {
        let of = known.versions.get(&(group.to_owned(), version.to_owned())).cloned();
        of.unwrap_or_else(|| Version { version: version.to_owned(), ..Version::default() })
    };
    let problem = match fetched {
        Ok(Ok(fresh)) => {
            *known = Some(fresh.clone());
            return (of_version(&fresh), true);
        }
        Ok(Err(NotAggregated)) => match resources(server, group, version).await {
            Ok(found) => return (found, true),
            Err(problem) => problem,
        },
        Err(problem) => problem,
    };
    let of = &server.reference;
    tracing::debug!(namespace = of.namespace, service = of.name, group, version, problem, "discovery failed");
    let mut stale = known
        .as_deref()
        .map(of_version)
        .unwrap_or_else(|| of_version(&Known { versions: HashMap::new(), etag: None, asked: since }));
    stale.freshness = Freshness::Stale;
    (stale, false)
}

/// A server without the aggregated form.
struct NotAggregated;

async fn fetch(server: &Server, last: Option<&Known>) -> Result<Result<Arc<Known>, NotAggregated>, String> {
    let asked = Instant::now();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(AGGREGATED));
    if let Some(etag) = last.and_then(|last| last.etag.clone()) {
        headers.insert(IF_NONE_MATCH, etag);
    }
    let answer = get(server, "/apis", &UserInfo::new(AGGREGATOR, [SYSTEM_MASTERS]), headers).await?;
    match (answer.status, last) {
        (StatusCode::NOT_MODIFIED, Some(last)) => {
            Ok(Ok(Arc::new(Known { versions: last.versions.clone(), etag: last.etag.clone(), asked })))
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) => Err("service unavailable".to_owned()),
        (StatusCode::OK, _) if is_aggregated(&answer) => {
            let versions = aggregated(&answer.body)?;
            Ok(Ok(Arc::new(Known { versions, etag: answer.headers.get(ETAG).cloned(), asked })))
        }
        _ => Ok(Err(NotAggregated)),
    }
}

/// The first form of discovery, of one version.
async fn resources(server: &Server, group: &str, version: &str) -> Result<Version, String> {
    let path = super::availability::path(group, version);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = get(server, &path, &UserInfo::new(AGGREGATOR, [""; 0]), headers).await?;
    if answer.status != StatusCode::OK {
        return Err(format!("{path} was answered {}", answer.status.as_u16()));
    }
    listed(version, &answer.body)
}

pub(super) async fn get(server: &Server, path: &str, user: &UserInfo, headers: HeaderMap) -> Result<Answer, String> {
    let backend: &Arc<Backend> = server.backend.as_ref().map_err(Clone::clone)?;
    let address = backend.address().await?;
    match tokio::time::timeout(PATIENCE, backend.get(&address, path, user, headers)).await {
        Ok(answer) => answer.map_err(|failure| failure.0),
        Err(_) => Err("request timed out".to_owned()),
    }
}

fn is_aggregated(answer: &Answer) -> bool {
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parameters = content_type.split(';').map(str::trim);
    let json = parameters.next() == Some("application/json");
    let parameters: Vec<&str> = parameters.collect();
    let has = |parameter: &str| parameters.contains(&parameter);
    json && has("g=apidiscovery.k8s.io") && has("as=APIGroupDiscoveryList") && (has("v=v2") || has("v=v2beta1"))
}
