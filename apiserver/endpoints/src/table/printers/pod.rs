//! Pods.

use k8s_openapi::api::core::v1::{PodSpec, PodStatus};
use serde_json::{Value, json};

use super::{AGE, Clock, NAME, Object, Printer, field, or_none, words};

pub(super) static POD: Printer = Printer::new(
    &[
        NAME,
        words("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        words("Status", "The aggregate status of the containers in this pod."),
        words(
            "Restarts",
            "The number of times the containers in this pod have been restarted and when the last container in this pod has \
             restarted.",
        ),
        AGE,
        field::<PodStatus>("IP", "podIP").wide(),
        field::<PodSpec>("Node", "nodeName").wide(),
        field::<PodStatus>("Nominated Node", "nominatedNodeName").wide(),
        field::<PodSpec>("Readiness Gates", "readinessGates").wide(),
    ],
    pod,
)
.with_conditions(conditions);

fn pod(pod: Object<'_>, clock: Clock) -> Vec<Value> {
    let mut state = State {
        reason: pod.text_or("/status/reason", pod.text("/status/phase")).to_owned(),
        total: pod.list("/spec/containers").len(),
        ..State::default()
    };
    let scheduled = pod.condition("PodScheduled");
    if scheduled.is_some_and(|condition| condition.text("/reason") == "SchedulingGated") {
        state.reason = "SchedulingGated".to_owned();
    }
    let initializing = state.init_containers(pod);
    let initialized = pod.condition("Initialized").is_some_and(|condition| condition.text("/status") == "True");
    if !initializing || initialized {
        state.containers(pod);
    }
    if pod.has("/metadata/deletionTimestamp") {
        let phase = pod.text("/status/phase");
        if pod.text("/status/reason") == "NodeLost" {
            state.reason = "Unknown".to_owned();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            state.reason = "Terminating".to_owned();
        }
    }
    let restarts = match (state.restarts, &state.last_restart) {
        (restarts @ 1.., Some(at)) => format!("{restarts} ({} ago)", clock.age(Some(at))),
        (restarts, _) => restarts.to_string(),
    };
    let ip = pod.list("/status/podIPs").next().map_or("", |ip| ip.text("/ip"));
    let gates = pod.list("/spec/readinessGates");
    let readiness = if gates.len() == 0 {
        "<none>".to_owned()
    } else {
        let total = gates.len();
        let met = |gate: Object<'_>| {
            let condition = pod.condition(gate.text("/conditionType"));
            condition.is_some_and(|condition| condition.text("/status") == "True")
        };
        format!("{}/{total}", gates.filter(|gate| met(*gate)).count())
    };
    vec![
        pod.name(),
        format!("{}/{}", state.ready, state.total).into(),
        state.reason.into(),
        restarts.into(),
        pod.age(clock),
        or_none(ip).into(),
        or_none(pod.text("/spec/nodeName")).into(),
        or_none(pod.text("/status/nominatedNodeName")).into(),
        readiness.into(),
    ]
}

/// What a row says of itself: that the Pod has come to its end.
fn conditions(pod: Object<'_>) -> Option<Value> {
    let (reason, message) = match pod.text("/status/phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

#[derive(Default)]
struct State {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    /// Restarts of init containers that go on running, counted also once the Pod is initialized.
    sidecar_restarts: i64,
    last_restart: Option<String>,
    last_sidecar_restart: Option<String>,
}

fn later(time: &mut Option<String>, container: Object<'_>) {
    let finished = container.text("/lastState/terminated/finishedAt");
    // RFC 3339 in UTC without fractions sorts as text.
    if !finished.is_empty() && time.as_deref().is_none_or(|before| before < finished) {
        *time = Some(finished.to_owned());
    }
}

/// How a container ended, where it gave no reason.
fn ending(terminated: Object<'_>) -> String {
    match terminated.int("/signal") {
        0 => format!("ExitCode:{}", terminated.int("/exitCode")),
        signal => format!("Signal:{signal}"),
    }
}

impl State {
    /// Reads the init containers; whether they have still to run.
    fn init_containers(&mut self, pod: Object<'_>) -> bool {
        let sidecars: Vec<&str> = pod
            .list("/spec/initContainers")
            .filter(|container| container.text("/restartPolicy") == "Always")
            .map(|container| container.text("/name"))
            .collect();
        self.total += sidecars.len();
        let all = pod.list("/spec/initContainers").len();
        for (at, container) in pod.list("/status/initContainerStatuses").enumerate() {
            self.restarts += container.int("/restartCount");
            later(&mut self.last_restart, container);
            let sidecar = sidecars.contains(&container.text("/name"));
            if sidecar {
                self.sidecar_restarts += container.int("/restartCount");
                later(&mut self.last_sidecar_restart, container);
            }
            let terminated = container.get("/state/terminated").map(Object);
            let waiting = container.text("/state/waiting/reason");
            self.reason = match terminated {
                Some(terminated) if terminated.int("/exitCode") == 0 => continue,
                None if sidecar && container.flag("/started") => {
                    if container.flag("/ready") {
                        self.ready += 1;
                    }
                    continue;
                }
                Some(terminated) if terminated.text("/reason").is_empty() => format!("Init:{}", ending(terminated)),
                Some(terminated) => format!("Init:{}", terminated.text("/reason")),
                None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
                None => format!("Init:{at}/{all}"),
            };
            return true;
        }
        false
    }

    fn containers(&mut self, pod: Object<'_>) {
        self.restarts = self.sidecar_restarts;
        self.last_restart = self.last_sidecar_restart.take();
        let mut running = false;
        let mut failed = None;
        for container in pod.list("/status/containerStatuses").rev() {
            self.restarts += container.int("/restartCount");
            later(&mut self.last_restart, container);
            let waiting = container.text("/state/waiting/reason");
            let terminated = container.get("/state/terminated").map(Object);
            if !waiting.is_empty() {
                self.reason = waiting.to_owned();
            } else if let Some(terminated) = terminated {
                self.reason = match terminated.text("/reason") {
                    "" => ending(terminated),
                    reason => reason.to_owned(),
                };
                if terminated.int("/exitCode") != 0 {
                    failed = Some(self.reason.clone());
                }
            } else if container.flag("/ready") && container.has("/state/running") {
                running = true;
                self.ready += 1;
            }
        }
        // A container that is done beside others: the Pod is not completed.
        if self.reason == "Completed" {
            let ready = pod.condition("Ready").is_some_and(|condition| condition.text("/status") == "True");
            match failed {
                _ if running && ready => self.reason = "Running".to_owned(),
                Some(failed) => self.reason = failed,
                None if running => self.reason = "NotReady".to_owned(),
                None => {}
            }
        }
    }
}
