//! Waiting for a condition.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a condition may take before a test fails. Far more than any takes; nothing is asserted about time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `check` again and again until it answers; fails with `what` and its last reason after a minute.
pub fn eventually<T, E: Display>(what: &str, mut check: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match check() {
            Ok(value) => return value,
            Err(why) => assert!(Instant::now() < deadline, "waited for: {what}\nlast seen: {why}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// [`eventually`] for asynchronous checks.
pub async fn eventually_async<T, E: Display, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut check: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(why) => assert!(Instant::now() < deadline, "waited for: {what}\nlast seen: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
