//! Requests with a deadline, repeated where that is safe.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::failure::Failure;
use crate::Error;

/// When a failed request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing, or the same however often.
    Always,
    /// Only if it never left, as it may have been done.
    IfUnsent,
}

/// How often and how long a request is tried. The channel picks an endpoint for each attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    attempts: u32,
    pub(super) timeout: Duration,
}

/// Between attempts, times the number of attempts so far.
const PAUSE: Duration = Duration::from_millis(20);

impl Caller {
    /// Endpoints take turns, and others' requests take some: there are a few more attempts than endpoints.
    pub(super) fn new(endpoints: usize, timeout: Duration) -> Self {
        let attempts = u32::try_from(endpoints).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(2);
        Self { attempts, timeout }
    }

    pub(super) async fn call<T, F>(self, repeat: Repeat, request: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let deadline = Instant::now() + self.timeout;
        let mut attempt = 1;
        loop {
            let failure = match timeout_at(deadline, request()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Failure::from(error),
                Err(_) => return Err(Failure::Other(Error::Timeout)),
            };
            let again = match failure {
                Failure::Unsent(_) => true,
                Failure::Transient(_) => repeat == Repeat::Always,
                _ => false,
            };
            if !again || attempt == self.attempts {
                return Err(failure);
            }
            sleep(PAUSE * attempt).await;
            attempt += 1;
        }
    }
}
