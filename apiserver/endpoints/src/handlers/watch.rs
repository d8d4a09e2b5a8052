//! GET of a collection's (or an object's) changes.

use std::time::Duration;

use apimachinery::status::StatusError;
use futures::StreamExt;
use http::{Response, StatusCode};
use rand::Rng;
use tokio::time::Instant;

use super::Call;
use crate::body::Body;
use crate::filters::timeout::LEAST_TO_READ;
use crate::negotiation::{self, Encoding};
use crate::response::respond;
use crate::serve::Until;
use crate::text::Piece;
use crate::{joined, options, protobuf, streaming};

pub(crate) async fn watch(call: Call<'_>) -> Result<Response<Body>, StatusError> {
    let form = call.form()?;
    let mut options = options::list(call.query(), true, &call.target.name)?;
    if !call.target.row.can("watch") {
        return Err(StatusError::method_not_supported(&crate::routes::resource_of(&call.target), "watch"));
    }
    let shape = call.shape(&form)?;
    let media_type = negotiation::stream_media_type(&form.accepted)?;
    let timeout = options.timeout.unwrap_or_else(|| random_timeout(call.server.config.min_request_timeout));
    options.timeout = Some(timeout);
    let events = call.registry().watch(&call.context, &call.target, &options).await?;
    let count = call.server.config.metrics.watch_events(&call.target.row);
    let closing = call.connection.closing.clone();
    let end = async move {
        tokio::select! {
            () = closing.cancelled_owned() => {}
            () = tokio::time::sleep(timeout) => {}
        }
    };
    let row = call.target.row.clone();
    let frames = match form.accepted.encoding {
        Encoding::Protobuf => {
            let shared = call.server.envelopes.of(&row);
            protobuf::watch(row, shape, events, shared).left_stream()
        }
        Encoding::Json | Encoding::Yaml => streaming::watch(row, shape, events).right_stream(),
    };
    let frames = frames.inspect(move |frame| count.observe(frame.len()));
    let frames = joined::joined(frames).map(Piece::Text).take_until(end);
    let mut response = respond(StatusCode::OK, media_type);
    // Who reads is told of the end; who does not is cut off.
    response.extensions_mut().insert(Until(Instant::now() + timeout + LEAST_TO_READ));
    *response.body_mut() = Body::Stream(Box::pin(frames));
    Ok(response)
}

/// Between once and twice `least`, so that watches do not all end at the same moment.
fn random_timeout(least: Duration) -> Duration {
    least.mul_f64(rand::rng().random_range(1.0..2.0))
}
