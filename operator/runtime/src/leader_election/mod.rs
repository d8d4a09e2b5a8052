//! Leader election by a Lease in `coordination.k8s.io`, by client-go's algorithm: of all copies at most one acts.
//!
//! What keeps two from acting: every write of the Lease names the resourceVersion that was read, so of two claims one
//! loses; others wait the lease duration from the moment *they* saw a renewal, by their own monotonic clock; and the
//! leader stops when it has not renewed within the renew deadline, counted from *before* its last good renewal was
//! sent, which is shorter. (`kube-lease-manager` compares wall clocks of different hosts and takes an expired Lease
//! with a patch that names no resourceVersion; both could let two copies act.)

mod record;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Error, Metrics, flags};
use record::{Candidate, Observed, Step};

/// How long giving up the Lease may take when the process stops.
const RELEASE_DEADLINE: Duration = Duration::from_millis(800);

/// Flags of leader election, named as upstream's.
#[derive(clap::Args, Clone, Debug)]
pub struct LeaderElectionOptions {
    /// Act only while holding the Lease. Of several copies exactly one acts.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub leader_elect: bool,
    /// How long others wait after the last renewal they saw before they take the Lease.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = flags::duration)]
    pub leader_elect_lease_duration: Duration,
    /// How long the leader tries to renew before it stops acting. Less than the lease duration.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = flags::duration)]
    pub leader_elect_renew_deadline: Duration,
    /// How long to wait between tries to acquire or renew.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = flags::duration)]
    pub leader_elect_retry_period: Duration,
    /// Namespace of the Lease.
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    pub leader_elect_resource_namespace: String,
    /// Name of this copy in the Lease; the host's name and a random part when unset. No two running copies may share it.
    #[arg(long, value_name = "NAME")]
    pub leader_elect_identity: Option<String>,
}

impl Default for LeaderElectionOptions {
    fn default() -> Self {
        Self {
            leader_elect: true,
            leader_elect_lease_duration: Duration::from_secs(15),
            leader_elect_renew_deadline: Duration::from_secs(10),
            leader_elect_retry_period: Duration::from_secs(2),
            leader_elect_resource_namespace: "kube-system".into(),
            leader_elect_identity: None,
        }
    }
}

impl LeaderElectionOptions {
    /// Checks what the durations must be to each other, as client-go does.
    ///
    /// # Errors
    /// [`Error::Flag`].
    pub fn validate(&self) -> Result<(), Error> {
        let flag = |flag, message: &str| Err(Error::Flag { flag, message: message.into() });
        if !self.leader_elect {
            return Ok(());
        }
        if self.leader_elect_lease_duration < Duration::from_secs(1) {
            return flag("leader-elect-lease-duration", "must be at least 1s");
        }
        if self.leader_elect_lease_duration <= self.leader_elect_renew_deadline {
            return flag("leader-elect-lease-duration", "must be greater than --leader-elect-renew-deadline");
        }
        if self.leader_elect_renew_deadline.as_secs_f64() <= self.leader_elect_retry_period.as_secs_f64() * JITTER {
            return flag("leader-elect-renew-deadline", "must be greater than 1.2 times --leader-elect-retry-period");
        }
        if self.leader_elect_retry_period.is_zero() {
            return flag("leader-elect-retry-period", "must be greater than zero");
        }
        Ok(())
    }
}

/// Candidates that wait do so up to this much longer, at random, so that they do not try at the same moments.
const JITTER: f64 = 1.2;

/// Runs `act` while this copy leads, anew each time it comes to lead; what is left of it when leadership is lost or
/// `shutdown` is cancelled is dropped at once. Then the Lease is given up. `standing_by` is called once, after the
/// first look at the Lease, when another copy holds it.
///
/// # Errors
/// [`Error::Flag`] for durations that do not fit; what `act` returns.
pub async fn run<F, Acting>(
    client: Client,
    options: &LeaderElectionOptions,
    lease: &str,
    metrics: &Metrics,
    shutdown: &CancellationToken,
    standing_by: impl FnOnce(),
    mut act: F,
) -> Result<(), Error>
where
    F: FnMut() -> Acting,
    Acting: Future<Output = Result<(), Error>>,
{
    options.validate()?;
    if !options.leader_elect {
        return tokio::select! {
            outcome = act() => outcome,
            () = shutdown.cancelled() => Ok(()),
        };
    }
    let mut standing_by = Some(standing_by);
    let mut elector = Elector::new(client, options, lease);
    metrics.leads(lease, false);
    loop {
        let renewed = tokio::select! {
            renewed = elector.acquire(|| if let Some(standing_by) = standing_by.take() { standing_by() }) => renewed,
            () = shutdown.cancelled() => return Ok(()),
        };
        tracing::info!(lease, identity = elector.candidate.identity, "leading");
        metrics.leads(lease, true);
        let held = Held::since(renewed, elector.renew_deadline);
        let outcome = tokio::select! {
            // In this order: what was renewed is known before the work goes on.
            biased;
            () = shutdown.cancelled() => Some(Ok(())),
            () = elector.renew(renewed, &held) => None,
            outcome = held.limit(act()) => Some(outcome),
        };
        metrics.leads(lease, false);
        let Some(outcome) = outcome else {
            tracing::warn!(lease, "leadership lost, standing by");
            continue;
        };
        elector.release().await;
        return outcome;
    }
}

/// Until when this copy may act.
struct Held(Mutex<Instant>);

impl Held {
    fn since(renewed: Instant, renew_deadline: Duration) -> Self {
        Self(Mutex::new(renewed + renew_deadline))
    }

    fn extend(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn lapsed(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) <= Instant::now()
    }

    /// `acting`, looked at anew before each of its steps: a process that was stopped for longer than the deadline must
    /// not go on acting in the moment before its timers tell it. What is held back wakes with the renewal, which is
    /// polled by the same task.
    async fn limit<T>(&self, acting: impl Future<Output = T>) -> T {
        let mut acting = pin!(acting);
        poll_fn(|context| if self.lapsed() { Poll::Pending } else { acting.as_mut().poll(context) }).await
    }
}

struct Elector {
    api: Api<Lease>,
    candidate: Candidate,
    renew_deadline: Duration,
    retry_period: Duration,
    observed: Option<Observed>,
    /// Whether a failed write made it unsure that `observed` is what is stored.
    stale: bool,
}

impl Elector {
    fn new(client: Client, options: &LeaderElectionOptions, lease: &str) -> Self {
        let namespace = options.leader_elect_resource_namespace.clone();
        Self {
            api: Api::namespaced(client, &namespace),
            candidate: Candidate {
                namespace,
                name: lease.to_owned(),
                identity: options.leader_elect_identity.clone().unwrap_or_else(identity),
                lease_duration: options.leader_elect_lease_duration,
            },
            renew_deadline: options.leader_elect_renew_deadline,
            retry_period: options.leader_elect_retry_period,
            observed: None,
            stale: false,
        }
    }

    /// Returns when the Lease is held, with the moment just before it was taken.
    async fn acquire(&mut self, mut standing_by: impl FnMut()) -> Instant {
        // A watch tells of a release at once; the retry period alone would do, later.
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.candidate.name));
        let mut changes = pin!(watcher::watcher(self.api.clone(), config));
        loop {
            let started = Instant::now();
            let wait = self.retry_period.mul_f64(rand::random_range(1.0..JITTER));
            let mut until = started + wait;
            match timeout(self.renew_deadline, self.try_claim(true)).await {
                Ok(Ok(None)) => return started,
                Ok(Ok(Some(expires))) => {
                    standing_by();
                    until = until.min(expires.max(started + Duration::from_millis(10)));
                }
                Ok(Err(error)) => {
                    tracing::debug!(lease = self.candidate.name, error = %crate::error::line(&error), "Lease not acquired")
                }
                Err(_) => tracing::debug!(lease = self.candidate.name, "Lease not acquired in time"),
            }
            // Wait for the time, or for a change by which the Lease is no longer someone else's.
            let mut watching = true;
            loop {
                tokio::select! {
                    () = sleep_until(until) => break,
                    change = changes.next(), if watching => match change {
                        Some(Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease))) => {
                            let seen = Observed::update(self.observed.take(), lease, Instant::now());
                            let free = seen.holder().is_none();
                            self.observed = Some(seen);
                            if free {
                                break;
                            }
                        }
                        Some(Ok(watcher::Event::Delete(_))) => break,
                        Some(Ok(watcher::Event::Init | watcher::Event::InitDone)) => (),
                        Some(Err(_)) | None => watching = false,
                    },
                }
            }
        }
    }

    /// Renews until the deadline passes without success, or someone else holds the Lease.
    async fn renew(&mut self, mut renewed: Instant, held: &Held) {
        loop {
            sleep(self.retry_period.min((renewed + self.renew_deadline).saturating_duration_since(Instant::now())))
                .await;
            let started = Instant::now();
            let left = (renewed + self.renew_deadline).saturating_duration_since(started);
            if left.is_zero() {
                return;
            }
            match timeout(left, self.try_claim(false)).await {
                Ok(Ok(None)) => {
                    renewed = started;
                    held.extend(renewed + self.renew_deadline);
                }
                Ok(Ok(Some(_))) => return,
                Ok(Err(error)) => {
                    tracing::warn!(lease = self.candidate.name, error = %crate::error::line(&error), "Lease not renewed")
                }
                Err(_) => return,
            }
        }
    }

    /// One try. `None` when the Lease is held; else when the other's hold of it expires.
    async fn try_claim(&mut self, read_first: bool) -> kube::Result<Option<Instant>> {
        if read_first || self.stale || self.observed.is_none() {
            self.read().await?;
        }
        match self.candidate.step(self.observed.as_ref(), Instant::now(), Timestamp::now()) {
            Step::Wait(expires) => Ok(Some(expires)),
            Step::Create(lease) => {
                let written = self.api.create(&PostParams::default(), &lease).await;
                self.written(written)
            }
            Step::Replace(lease) => {
                let written = self.api.replace(&self.candidate.name, &PostParams::default(), &lease).await;
                self.written(written)
            }
        }
    }

    fn written(&mut self, written: kube::Result<Lease>) -> kube::Result<Option<Instant>> {
        match written {
            Ok(lease) => {
                self.observed = Some(Observed::update(self.observed.take(), lease, Instant::now()));
                Ok(None)
            }
            Err(error) => {
                // Whatever happened, what is known of the Lease may be stale: read it before the next try. What was
                // seen stays the measure of how long another's record has not changed.
                self.stale = true;
                Err(error)
            }
        }
    }

    async fn read(&mut self) -> kube::Result<()> {
        match self.api.get_opt(&self.candidate.name).await? {
            Some(lease) => self.observed = Some(Observed::update(self.observed.take(), lease, Instant::now())),
            None => self.observed = None,
        }
        self.stale = false;
        Ok(())
    }

    async fn release(&mut self) {
        match timeout(RELEASE_DEADLINE, self.try_release()).await {
            Ok(Ok(())) => tracing::info!(lease = self.candidate.name, "Lease released"),
            Ok(Err(error)) => {
                tracing::warn!(lease = self.candidate.name, error = %crate::error::line(&error), "Lease not released")
            }
            Err(_) => tracing::warn!(lease = self.candidate.name, "Lease not released in time"),
        }
    }

    async fn try_release(&mut self) -> kube::Result<()> {
        loop {
            let free = self.observed.as_ref().and_then(|seen| self.candidate.release(seen, Timestamp::now()));
            let Some(free) = free else { return Ok(()) };
            match self.api.replace(&self.candidate.name, &PostParams::default(), &free).await {
                Ok(_) => return Ok(()),
                // A renewal that was on its way when the work ended.
                Err(kube::Error::Api(status)) if status.code == 409 => self.read().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The host's name and a random part, as client-go's binaries name themselves.
fn identity() -> String {
    format!("{}_{:016x}{:016x}", host_name(), rand::random::<u64>(), rand::random::<u64>())
}

/// The host's name, `localhost` where it cannot be told.
pub(crate) fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    told.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_was_stopped_past_its_deadline_takes_no_further_step() {
        let held = Held::since(Instant::now(), Duration::from_secs(10));
        let steps = std::cell::Cell::new(0);
        let mut acting = pin!(held.limit(async {
            loop {
                steps.set(steps.get() + 1);
                tokio::task::yield_now().await;
            }
        }));
        assert!(futures::poll!(acting.as_mut()).is_pending());
        assert_eq!(steps.get(), 1);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(futures::poll!(acting.as_mut()).is_pending());
        assert_eq!(steps.get(), 1, "it went on after the deadline");
        held.extend(Instant::now() + Duration::from_secs(10));
        assert!(futures::poll!(acting.as_mut()).is_pending());
        assert_eq!(steps.get(), 2, "it stood still after a renewal");
    }
}
