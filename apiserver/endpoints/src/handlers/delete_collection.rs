//! DELETE of a collection.

use apimachinery::status::StatusError;
use http::Response;

use super::Call;
use crate::body::Body;
use crate::options;

pub(crate) async fn delete_collection(mut call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let list = options::list(call.query(), false, "")?;
    let options = super::delete::delete_options(&mut call).await?;
    let shape = call.shape(&form)?;
    let listed = call.registry().delete_collection(&call.context, &call.target, &options, &list).await?;
    super::listed(&form, shape, &call.target.row, listed).await
}
