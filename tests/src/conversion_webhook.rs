//! A conversion webhook over TLS: between `v1`, with `spec.host` and `spec.port`, and `v2`, with `spec.hostPort`.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::json_server::JsonServer;

/// What the webhook does with an answer before it is sent.
pub type Change = fn(&mut Value);

/// A running webhook; it ends with the runtime.
pub struct ConversionWebhook {
    server: JsonServer,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many objects each review held, and the version wanted.
    reviews: Mutex<Vec<(usize, String)>>,
    change: Mutex<Option<Change>>,
}

impl ConversionWebhook {
    /// The service that it can be asked as.
    pub const SERVICE: &str = "convert";

    /// Starts it on a free port; its certificate is for that address and for the service [`Self::SERVICE`].
    pub async fn start() -> Self {
        let state = Arc::new(State::default());
        let asked = state.clone();
        let names = [format!("{}.default.svc", Self::SERVICE)];
        let server = JsonServer::start(&names, move |_, review| answer(&review, &asked)).await;
        Self { server, state }
    }

    /// `spec.conversion` of a definition that asks it.
    pub fn conversion(&self) -> Value {
        self.asked_at("url", json!(format!("https://{}/convert", self.server.address)))
    }

    /// `spec.conversion` of a definition that asks it as a service, and that service, of the namespace `default`.
    pub fn conversion_by_service(&self) -> (Value, Value) {
        let port = self.server.address.port();
        let reference = json!({"name": Self::SERVICE, "namespace": "default", "port": port, "path": "/convert"});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": Self::SERVICE},
            "spec": {"type": "ExternalName", "externalName": "localhost"}});
        (self.asked_at("service", reference), service)
    }

    fn asked_at(&self, field: &str, place: Value) -> Value {
        let mut config = json!({"caBundle": self.server.ca_bundle()});
        config[field] = place;
        json!({"strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1", "v1beta1"], "clientConfig": config}})
    }

    /// Changes its answers from now on.
    pub fn change_answers(&self, change: Option<Change>) {
        *self.state.change.lock().unwrap_or_else(PoisonError::into_inner) = change;
    }

    /// The reviews since this was last asked: how many objects each held, and the version wanted.
    pub fn take_reviews(&self) -> Vec<(usize, String)> {
        std::mem::take(&mut *self.state.reviews.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answer(review: &Value, state: &State) -> Value {
    let desired = review["request"]["desiredAPIVersion"].as_str().unwrap_or_default().to_owned();
    let objects = review["request"]["objects"].as_array().cloned().unwrap_or_default();
    state.reviews.lock().unwrap_or_else(PoisonError::into_inner).push((objects.len(), desired.clone()));
    let converted: Vec<Value> = objects.into_iter().map(|object| convert(object, &desired)).collect();
    let mut answer = json!({"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": {
        "uid": review["request"]["uid"], "result": {"status": "Success"}, "convertedObjects": converted}});
    if let Some(change) = *state.change.lock().unwrap_or_else(PoisonError::into_inner) {
        change(&mut answer);
    }
    answer
}

fn convert(mut object: Value, desired: &str) -> Value {
    let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
    let mut take =
        |field: &str| spec.remove(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    if desired.ends_with("/v2") {
        let both = format!("{}:{}", take("host"), take("port"));
        spec.insert("hostPort".to_owned(), both.into());
    } else {
        let both = take("hostPort");
        let (host, port) = both.split_once(':').unwrap_or((&both, ""));
        spec.extend([("host".to_owned(), host.into()), ("port".to_owned(), port.into())]);
    }
    object["spec"] = spec.into();
    object["apiVersion"] = desired.into();
    // What is not its own is put back by whoever asked.
    object["metadata"]["generation"] = json!(77);
    object
}
