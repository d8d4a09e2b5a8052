//! POST of an object to its collection, or to a subresource that creates.

use apimachinery::status::StatusError;
use http::Response;

use super::Call;
use crate::body::Body;
use crate::options;

pub(crate) async fn create(mut call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let (encoding, bytes) = call.read_body().await?;
    let options = options::create(call.query())?;
    let shape = call.shape(&form)?;
    let body = call.decode(&bytes, encoding)?;
    drop(bytes);
    if call.target.subresource.is_empty() {
        // A custom resource's path may carry a name here; the object's own counts.
        call.target.name.clear();
    }
    let mut written = call.registry().create(&call.context, &call.target, body, &options).await?;
    written.created = true;
    super::written(&form, &shape, &call.target.row, &written)
}
