//! Connections to Pods, Nodes and Services (exec, attach, log, port-forward, proxy): this server makes none.

use apimachinery::status::{Reason, StatusError};
use http::Response;

use super::Call;
use crate::body::Body;

pub(crate) fn connect(call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let resource = crate::routes::resource_of(&call.target);
    let subresource = &call.target.subresource;
    let message = format!("{resource}/{subresource} is not served: this server has no connections to nodes");
    Err(StatusError::new(501, Reason::Other("NotImplemented".into()), message))
}
