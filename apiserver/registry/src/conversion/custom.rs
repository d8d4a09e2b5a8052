//! Custom resources in the versions of their definition, as its conversion strategy says.

use std::time::Duration;

use admission::webhook::{Client, ClientConfig};
use apimachinery::{ObjectExt, StatusError, field_sets};
use base64::Engine;
use serde_json::Value;

use super::review::{self, Invalid};
use crate::table::{Conversion, Versions};

/// How long a webhook may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most objects that are sent in one review.
const BATCH: usize = 500;

/// A conversion webhook as a definition states it.
#[derive(Debug)]
pub struct Webhook {
    client_config: ClientConfig,
    review_versions: Vec<String>,
}

impl Webhook {
    /// From `spec.conversion.webhook`; `None` if it cannot be read, which definitions are not taken with.
    pub(crate) fn read(webhook: &Value) -> Option<Self> {
        let mut client_config: ClientConfig = serde_json::from_value(webhook.get("clientConfig")?.clone()).ok()?;
        let pem = base64::engine::general_purpose::STANDARD.decode(&client_config.ca_bundle).unwrap_or_default();
        if pem.trim_ascii().is_empty() {
            client_config.ca_bundle.clear();
        }
        let versions = webhook.get("conversionReviewVersions").and_then(Value::as_array);
        let review_versions = versions.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Self { client_config, review_versions })
    }
}

/// An error as upstream's handlers answer what they have no words for: 500 and the text.
fn error(words: String) -> StatusError {
    StatusError::unstructured(words)
}

impl Versions {
    /// Whether a conversion takes a call.
    pub(crate) fn asks_a_webhook(&self) -> bool {
        matches!(self.conversion, Conversion::Webhook(_))
    }

    /// Brings objects to the version named `version` and drops what that does not know. They are converted all or none.
    ///
    /// # Errors
    /// 500 in upstream's words for versions that the definition does not have, and for what the webhook does.
    pub(crate) async fn convert(
        &self,
        client: &Client,
        mut objects: Vec<Value>,
        version: &str,
    ) -> Result<Vec<Value>, StatusError> {
        let desired = self.group_version(version).to_string();
        for object in &objects {
            self.check(object, &desired)?;
        }
        match &self.conversion {
            Conversion::None => objects.iter_mut().for_each(|object| self.rename(object, &desired)),
            Conversion::Webhook(webhook) => {
                let mut others: Vec<&mut Value> =
                    objects.iter_mut().filter(|object| object.api_version() != desired).collect();
                for batch in others.chunks_mut(BATCH) {
                    self.ask(client, webhook, batch, &desired).await?;
                }
            }
        }
        Ok(objects)
    }

    /// [`Self::convert`] of one object where no webhook is to be asked; with one nothing but the check is done.
    pub(crate) fn convert_without_call(&self, object: &mut Value, version: &str) -> Result<(), StatusError> {
        let desired = self.group_version(version).to_string();
        self.check(object, &desired)?;
        if !self.asks_a_webhook() {
            self.rename(object, &desired);
        }
        Ok(())
    }

    fn check(&self, object: &Value, desired: &str) -> Result<(), StatusError> {
        let from = object.api_version();
        for (words, version) in [("to", desired), ("from", from)] {
            if from != desired && !self.has(version) {
                return Err(error(format!("request to convert CR {words} an invalid group/version: {version}")));
            }
        }
        Ok(())
    }

    fn rename(&self, object: &mut Value, desired: &str) {
        if object.api_version() != desired {
            let kind = object.kind().to_owned();
            object.set_type_meta(desired, &kind);
            self.prune(object);
        }
    }

    async fn ask(
        &self,
        client: &Client,
        webhook: &Webhook,
        batch: &mut [&mut Value],
        desired: &str,
    ) -> Result<(), StatusError> {
        let Some(first) = batch.first() else { return Ok(()) };
        let of = format!("conversion webhook for {}, Kind={}", first.api_version(), first.kind());
        let version = review::version(&webhook.review_versions)
            .ok_or_else(|| error("no supported conversion review versions".to_owned()))?;
        let uid = uuid::Uuid::new_v4().to_string();
        batch.iter_mut().for_each(|object| field_sets::expand(object));
        let sent: Vec<&Value> = batch.iter().map(|object| &**object).collect();
        let body = review::encode(version, &uid, desired, &sent);
        let failed = |why: String| error(format!("{of} failed: {why}"));
        let answer = client.post(&webhook.client_config, TIMEOUT, body).await.map_err(failed)?;
        let converted = review::decode(&answer, version, &uid).map_err(failed)?;
        if converted.len() != batch.len() {
            return Err(error(format!("{of} returned {} objects, expected {}", converted.len(), batch.len())));
        }
        // Nothing is taken of an answer of which a part is refused.
        let accepted = converted.into_iter().zip(&sent).map(|(converted, original)| {
            review::accept(original, converted, desired).map_err(|invalid| {
                error(match invalid {
                    Invalid::Type(why) => format!("{of} returned invalid object at index 0: {why}"),
                    Invalid::Object(why) => format!("{of} returned invalid object: {why}"),
                    Invalid::Metadata(why) => format!("{of} returned invalid metadata: {why}"),
                })
            })
        });
        let accepted = accepted.collect::<Result<Vec<_>, _>>()?;
        for (object, mut converted) in batch.iter_mut().zip(accepted) {
            self.prune(&mut converted);
            **object = converted;
        }
        Ok(())
    }
}
