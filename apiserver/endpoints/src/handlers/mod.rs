//! One file a verb: negotiate, decode, call the registry, answer.

pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod delete_collection;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod update;
pub(crate) mod watch;

use std::sync::Arc;

use apimachinery::status::StatusError;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use registry::{Listed, Registry, RequestContext, Row, Served, Target, Written};

use crate::body::{Body, RequestBody};
use crate::decode::{self, Expected};
use crate::negotiation::{self, ContentEncoding, Encoding, Endpoint};
use crate::query::Query;
use crate::response::{self, Form};
use crate::server::{Connection, Exchange, Server};
use crate::table::{self, Shape};
use crate::{protobuf, routes, streaming};

/// A request for a resource.
pub(crate) struct Call<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The request.
    pub exchange: &'a Exchange,
    /// Where it came from.
    pub connection: &'a Connection,
    /// What the registry is told of it.
    pub context: RequestContext,
    /// What it is about.
    pub target: Target,
    /// Its body, not read yet.
    pub body: RequestBody,
}

impl Call<'_> {
    fn registry(&self) -> &Arc<Registry> {
        &self.server.config.registry
    }

    fn headers(&self) -> &HeaderMap {
        &self.exchange.parts.headers
    }

    fn query(&self) -> &Query {
        &self.exchange.query
    }

    /// What the client wants to be answered.
    fn form(&self) -> Result<Form, StatusError> {
        // All built-in kinds have one, and a custom resource's subresource may speak such a kind.
        let protobuf = !self.target.row.is_custom() || {
            let kind = routes::kind_of(&self.target);
            protobuf_encoding::supports(&kind.group_version().to_string(), &kind.kind)
        };
        let accepted = negotiation::negotiate(self.headers(), self.query(), Endpoint::Resource { protobuf })?;
        Ok(Form { accepted, gzip: response::accepts_gzip(self.headers()) })
    }

    /// The body's encoding and its bytes; 415 before anything is read.
    async fn read_body(&mut self) -> Result<(ContentEncoding, Bytes), StatusError> {
        let encoding = negotiation::content_encoding(self.headers())?;
        Ok((encoding, self.take_body().await?))
    }

    async fn take_body(&mut self) -> Result<Bytes, StatusError> {
        decode::read(std::mem::replace(&mut self.body, RequestBody::Full(Bytes::new()))).await
    }

    /// Decodes an object of the target's kind.
    fn decode(&self, bytes: &[u8], encoding: ContentEncoding) -> Result<registry::Body, StatusError> {
        let gvk = routes::kind_of(&self.target);
        let builtin = !self.target.row.is_custom() || gvk.group != self.target.row.gvr.group;
        decode::object(bytes, encoding, &Expected { gvk: &gvk, builtin })
    }

    /// What objects are shown as, and the checks that come with it.
    fn shape(&self, form: &Form) -> Result<Shape, StatusError> {
        table::shape(form, self.query(), &self.target)
    }
}

/// An answer of one object.
fn object(
    form: &Form,
    shape: &Shape,
    row: &Row,
    code: StatusCode,
    object: &Served,
) -> Result<Response<Body>, StatusError> {
    match shape {
        Shape::Object if form.accepted.encoding == Encoding::Protobuf => {
            Ok(form.encoded(code, protobuf::served(object)))
        }
        Shape::Object => Ok(form.json(code, object.bytes().clone())),
        shape => shape.one(row, object).map(|json| form.json(code, json)),
    }
}

/// An answer of a list.
async fn listed(form: &Form, shape: Shape, row: &Arc<Row>, listed: Listed) -> Result<Response<Body>, StatusError> {
    match form.accepted.encoding {
        Encoding::Protobuf => Ok(form.encoded(StatusCode::OK, Ok(protobuf::list(row, shape, listed).await?))),
        Encoding::Json | Encoding::Yaml => Ok(form.texts(StatusCode::OK, streaming::list(row, shape, listed)?)),
    }
}

/// The answer to create, update, patch and apply.
fn written(form: &Form, shape: &Shape, row: &Row, written: &Written) -> Result<Response<Body>, StatusError> {
    let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    object(form, shape, row, code, &written.object)
}
