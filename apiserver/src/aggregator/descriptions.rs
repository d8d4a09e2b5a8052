//! How another server describes its API in OpenAPI.

use apimachinery::user::UserInfo;
use endpoints::aggregation::openapi::{Descriptions, Part, location, part};
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::backends::Server;
use super::discovery::get;

/// As whom descriptions are asked for.
const AGGREGATOR: &str = "system:aggregator";

/// The descriptions of a group and version. `before` is what was said last, of which a server need not say again what is
/// the same.
///
/// # Errors
/// It does not answer, or not with descriptions.
pub(super) async fn fetch(
    server: &Server,
    group: &str,
    version: &str,
    before: Option<&Descriptions>,
) -> Result<Descriptions, String> {
    let path = format!("apis/{group}/{version}");
    let index = ask(server, "/openapi/v3", None).await?;
    let v3 = match index.status {
        StatusCode::OK => location(&index.body, &path)?,
        // One that knows v2 alone.
        StatusCode::NOT_FOUND => None,
        status => return Err(format!("/openapi/v3 was answered {}", status.as_u16())),
    };
    let known = before.and_then(|before| before.v2.as_ref());
    Ok(Descriptions { v3, v2: fetch_v2(server, &format!("/{path}/"), known).await? })
}

async fn fetch_v2(server: &Server, path: &str, known: Option<&Part>) -> Result<Option<Part>, String> {
    let document = ask(server, "/openapi/v2", known.map(|known| known.hash.as_str())).await?;
    match (document.status, known) {
        (StatusCode::NOT_MODIFIED, Some(known)) => Ok(Some(known.clone())),
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (StatusCode::OK, _) => {
            let hash = document.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
            // It may be large: reading it takes its time, and nobody waits for it.
            let path = path.to_owned();
            let read = tokio::task::spawn_blocking(move || part(&document.body, &path, hash)).await;
            read.map_err(|error| error.to_string())?.map(Some)
        }
        (status, _) => Err(format!("/openapi/v2 was answered {}", status.as_u16())),
    }
}

async fn ask(server: &Server, path: &str, etag: Option<&str>) -> Result<endpoints::aggregation::Answer, String> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(etag) = etag.filter(|etag| !etag.is_empty()).and_then(|etag| HeaderValue::from_str(etag).ok()) {
        headers.insert(IF_NONE_MATCH, etag);
    }
    get(server, path, &UserInfo::new(AGGREGATOR, [""; 0]), headers).await
}
