//! Reviews put to the host: it is asked what a user may do, and whose a token is.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use kube::Client;

use crate::webhook::{Ask, Failure};

/// How long an answer may take (upstream's, of delegated authentication).
const PATIENCE: Duration = Duration::from_secs(10);

/// What a review is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `SubjectAccessReview`: what a user may do.
    SubjectAccess,
    /// `TokenReview`: whose a token is.
    Token,
}

/// Reviews of one kind.
pub(crate) struct Reviews {
    client: Client,
    kind: Kind,
}

impl Reviews {
    /// Reviews put through `client`.
    pub fn new(client: Client, kind: Kind) -> Self {
        Self { client, kind }
    }

    async fn send(&self, question: Bytes) -> Result<Bytes, Failure> {
        let path = match self.kind {
            Kind::SubjectAccess => "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            Kind::Token => "/apis/authentication.k8s.io/v1/tokenreviews",
        };
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(question.to_vec());
        let request = request.map_err(|error| Failure::lasting(error.to_string()))?;
        match self.client.request_text(request).await {
            Ok(answer) => Ok(answer.into()),
            Err(kube::Error::Api(status)) => {
                let code = StatusCode::from_u16(status.code).unwrap_or_default();
                let again = status.details.as_ref().is_some_and(|details| details.retry_after_seconds > 0);
                Err(Failure::answered(status.message, code, again))
            }
            Err(error) => Err(Failure::lasting(super::chain(&error))),
        }
    }
}

#[async_trait]
impl Ask for Reviews {
    async fn ask(&self, question: Bytes) -> Result<Bytes, Failure> {
        let asked = tokio::time::timeout(PATIENCE, self.send(question)).await;
        asked.unwrap_or_else(|_| Err(Failure::lasting("the host does not answer: context deadline exceeded")))
    }
}
