//! GET of one object.

use apimachinery::status::StatusError;
use http::{Response, StatusCode};

use super::Call;
use crate::body::Body;
use crate::options;

pub(crate) async fn get(call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let shape = call.shape(&form)?;
    let options = options::get(call.query());
    let object = call.registry().get(&call.context, &call.target, &options).await?;
    super::object(&form, &shape, &call.target.row, StatusCode::OK, &object)
}
