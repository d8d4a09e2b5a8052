//! The shape every elected operator shares: a health port beside an election, and work while it leads.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::events::Recorder;
use crate::health::{HealthPort, Readiness};
use crate::leader_election::{self, LeaderElectionOptions};
use crate::{Error, HealthOptions, Metrics, OnReady};

/// Says once that an operator is ready. Cheap to clone; later calls change nothing.
#[derive(Clone)]
pub struct Ready {
    on_ready: Arc<Mutex<Option<OnReady>>>,
    readiness: Readiness,
}

impl Ready {
    /// A signal that calls `on_ready`.
    pub fn new(on_ready: OnReady) -> Self {
        Self { on_ready: Arc::new(Mutex::new(Some(on_ready))), readiness: Readiness::default() }
    }

    /// Says that the operator is ready.
    pub fn set(&self) {
        self.readiness.set();
        let on_ready = self.on_ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_ready) = on_ready {
            on_ready();
        }
    }

    /// What /readyz answers from.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}

/// What an operator works with.
#[derive(Clone)]
pub struct Context {
    /// The API server's client.
    pub client: Client,
    /// Where events are recorded.
    pub recorder: Recorder,
    /// What /metrics shows.
    pub metrics: Metrics,
    /// To be set when the caches are filled.
    pub ready: Ready,
}

/// Serves the health port and, while this copy holds the Lease named `component`, runs `act`: from the start each
/// time, dropped when leadership is lost or `shutdown` is cancelled. Standing by counts as ready.
///
/// # Errors
/// A flag that does not fit, a taken port, or what `act` fails with.
pub async fn run_elected<F, Acting>(
    component: &'static str,
    client: Client,
    election: &LeaderElectionOptions,
    health: &HealthOptions,
    shutdown: CancellationToken,
    on_ready: OnReady,
    mut act: F,
) -> Result<(), Error>
where
    F: FnMut(Context) -> Acting,
    Acting: Future<Output = Result<(), Error>>,
{
    election.validate()?;
    let port = HealthPort::bind(health).await?;
    let metrics = Metrics::default();
    let ready = Ready::new(on_ready);
    let (recorder, recording) = Recorder::new(client.clone(), component);
    let context = Context { client: client.clone(), recorder, metrics: metrics.clone(), ready: ready.clone() };
    let electing =
        leader_election::run(client, election, component, &metrics, &shutdown, || ready.set(), || act(context.clone()));
    tokio::select! {
        outcome = electing => outcome,
        () = port.serve(ready.readiness(), metrics.clone()) => Ok(()),
        () = recording => Ok(()),
    }
}
