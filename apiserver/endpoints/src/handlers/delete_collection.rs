//! DELETE of a collection.

use apimachinery::status::StatusError;
use http::{Response, StatusCode};

use super::Call;
use crate::body::Body;
use crate::{options, streaming};

pub(crate) async fn delete_collection(mut call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let list = options::list(call.query(), false, "")?;
    let options = super::delete::delete_options(&mut call).await?;
    let shape = call.shape(&form)?;
    let listed = call.registry().delete_collection(&call.context, &call.target, &options, &list).await?;
    let chunks = streaming::list(&call.target.row, shape, listed)?;
    Ok(form.chunks(StatusCode::OK, chunks))
}
