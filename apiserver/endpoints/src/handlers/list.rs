//! GET of a collection.

use apimachinery::status::StatusError;
use http::Response;

use super::Call;
use crate::body::Body;
use crate::options;

pub(crate) async fn list(call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let options = options::list(call.query(), false, &call.target.name)?;
    let shape = call.shape(&form)?;
    let listed = call.registry().list(&call.context, &call.target, &options).await?;
    super::listed(&form, shape, &call.target.row, listed).await
}
