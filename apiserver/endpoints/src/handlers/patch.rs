//! PATCH of an object or a subresource, in four forms.

use apimachinery::status::StatusError;
use http::Response;
use registry::Patch;

use super::Call;
use crate::body::Body;
use crate::{decode, negotiation, options};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

pub(crate) async fn patch(mut call: Call<'_>) -> Result<Response<Body>, StatusError> {
    // Custom resources have no merge keys that a strategic merge could follow.
    let known: &[&str] =
        if call.target.row.is_custom() { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
    let sent = negotiation::media_type(call.headers());
    let Some(kind) = known.iter().find(|known| **known == sent) else {
        return Err(negotiation::unsupported_media_type(known));
    };
    let form = call.form()?;
    let bytes = call.take_body().await?;
    let options = options::patch(call.query(), *kind == APPLY)?;
    let shape = call.shape(&form)?;
    let patch = match *kind {
        JSON => Patch::Json(bytes),
        MERGE => Patch::Merge(bytes),
        STRATEGIC => Patch::Strategic(bytes),
        _ => Patch::Apply(decode::apply(&bytes)?),
    };
    let written = call.registry().patch(&call.context, &call.target, patch, &options).await?;
    super::written(&form, &shape, &call.target.row, &written)
}
