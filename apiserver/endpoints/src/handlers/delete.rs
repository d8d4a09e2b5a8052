//! DELETE of one object.

use apimachinery::status::StatusError;
use http::{Response, StatusCode};
use registry::Deleted;

use super::Call;
use crate::body::Body;
use crate::{decode, negotiation, options};

pub(crate) async fn delete(mut call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let options = delete_options(&mut call).await?;
    let shape = call.shape(&form)?;
    match call.registry().delete(&call.context, &call.target, &options).await? {
        Deleted::Done(status) => Ok(form.success(StatusCode::OK, &status)),
        Deleted::Object { object, accepted } => {
            let code = if accepted { StatusCode::ACCEPTED } else { StatusCode::OK };
            super::object(&form, &shape, &call.target.row, code, &object)
        }
    }
}

/// The options of a delete: the body's if there is a body, else the query's.
pub(super) async fn delete_options(call: &mut Call<'_>) -> Result<registry::DeleteOptions, StatusError> {
    let bytes = call.take_body().await?;
    let body = if bytes.is_empty() {
        None
    } else {
        decode::delete_options(&bytes, negotiation::content_encoding(call.headers())?)?
    };
    options::delete(call.query(), body.as_ref())
}
