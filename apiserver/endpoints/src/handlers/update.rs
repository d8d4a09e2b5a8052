//! PUT of an object or a subresource.

use apimachinery::status::{Reason, StatusError};
use http::Response;

use super::Call;
use crate::body::Body;
use crate::options;

pub(crate) async fn update(mut call: Call<'_>) -> Result<Response<Body>, StatusError> {
    if call.target.name.is_empty() {
        return Err(StatusError::bad_request("name must be provided"));
    }
    let form = call.form()?;
    let (encoding, bytes) = call.read_body().await?;
    let options = options::update(call.query())?;
    let shape = call.shape(&form)?;
    let body = call.decode(&bytes, encoding).map_err(|error| unreadable(&call, error))?;
    drop(bytes);
    let written = call.registry().update(&call.context, &call.target, body, &options).await?;
    super::written(&form, &shape, &call.target.row, &written)
}

/// Why a body is none; of a custom resource's scale upstream says one thing alone.
fn unreadable(call: &Call<'_>, error: StatusError) -> StatusError {
    let of_scale = call.target.row.is_custom() && call.target.subresource == "scale";
    if of_scale && *error.reason() == Reason::BadRequest { registry::unreadable_scale() } else { error }
}
