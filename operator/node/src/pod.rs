//! The life of a Pod, as state: what its status is to say next. Pure. What has happened is read from the status
//! itself, so a node that starts anew goes on where it was.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Annotation of a Pod: its containers end after this many seconds. Without it those of a Job end after
/// `JOB_SECONDS`, and others run until they are deleted.
pub const RUN_SECONDS: &str = "coxswain.dev/simulated-run-seconds";
/// Annotation of a Pod: the exit code with which its containers end; 0 without it.
pub const EXIT_CODE: &str = "coxswain.dev/simulated-exit-code";

/// How long the containers of a Job's Pod run: a Job is there to end.
const JOB_SECONDS: i64 = 1;
/// How many seconds pass between looks for a free address.
const ADDRESS_WAIT: i64 = 5;

/// What is to be done for a Pod now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write this status.
    Write(Box<PodStatus>),
    /// The Pod has ended and is to go: delete it with grace period 0.
    Remove,
    /// Nothing until this time.
    Wait(Timestamp),
    /// Nothing until it changes.
    Rest,
}

/// What the node knows of itself and the Pod's place on it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The node's address.
    pub host: Ipv4Addr,
    /// The Pod's address, if there is one left.
    pub pod: Option<Ipv4Addr>,
}

/// What is to be done for `pod` at `now`.
pub fn next(pod: &Pod, place: Place, now: Timestamp) -> Step {
    let Some(spec) = &pod.spec else { return Step::Rest };
    let before = pod.status.clone().unwrap_or_default();
    let phase = before.phase.as_deref().unwrap_or("Pending");
    let going = pod.metadata.deletion_timestamp.is_some();
    if matches!(phase, "Succeeded" | "Failed") || (going && before.container_statuses.iter().flatten().all(has_ended)) {
        return if going { Step::Remove } else { Step::Rest };
    }
    let life = Life { pod, place, now };
    if going {
        return life.write(life.stopped(before));
    }
    if before.start_time.is_none() {
        return life.write(life.accepted(before));
    }
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let statuses = before.init_container_statuses.as_deref().unwrap_or_default();
    if inits.iter().any(|init| !init_is_done(init, status_of(statuses, &init.name))) {
        return life.write(life.initializing(before));
    }
    let running = before.container_statuses.as_deref().unwrap_or_default();
    if running.iter().all(|status| !is_running(status) && !has_ended(status)) {
        if place.pod.is_none() && spec.host_network != Some(true) {
            return Step::Wait(after(Some(&Time(now)), ADDRESS_WAIT)); // one may become free
        }
        return life.write(life.started(before));
    }
    life.running(before)
}

struct Life<'a> {
    pod: &'a Pod,
    place: Place,
    now: Timestamp,
}

impl Life<'_> {
    fn containers(&self) -> &[Container] {
        self.pod.spec.as_ref().map_or(&[], |spec| &spec.containers)
    }

    fn inits(&self) -> &[Container] {
        self.pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default()
    }

    fn write(&self, mut status: PodStatus) -> Step {
        status.observed_generation = self.pod.metadata.generation;
        Step::Write(Box::new(status))
    }

    fn at(&self) -> Option<Time> {
        Some(Time(Timestamp::from_second(self.now.as_second()).unwrap_or(self.now)))
    }

    fn condition(
        &self,
        status: &mut PodStatus,
        type_: &str,
        holds: bool,
        reason: Option<&str>,
        message: Option<String>,
    ) {
        let conditions = status.conditions.get_or_insert_default();
        let value = if holds { "True" } else { "False" };
        let previous = conditions.iter().position(|condition| condition.type_ == type_);
        let since = previous
            .map(|index| &conditions[index])
            .filter(|condition| condition.status == value)
            .and_then(|condition| condition.last_transition_time.clone())
            .or_else(|| self.at());
        let condition = PodCondition {
            type_: type_.into(),
            status: value.into(),
            reason: reason.map(Into::into),
            message,
            last_transition_time: since,
            observed_generation: self.pod.metadata.generation,
            ..PodCondition::default()
        };
        match previous {
            Some(index) => conditions[index] = condition,
            None => conditions.push(condition),
        }
    }

    /// Ready and ContainersReady follow the containers.
    fn readiness(&self, status: &mut PodStatus, ended: bool) {
        let unready: Vec<&str> = status
            .container_statuses
            .iter()
            .flatten()
            .filter(|container| !container.ready)
            .map(|container| container.name.as_str())
            .collect();
        let ready = unready.is_empty();
        let (reason, message) = match (ready, ended) {
            (true, _) => (None, None),
            (false, true) => (Some("PodCompleted"), None),
            (false, false) => {
                (Some("ContainersNotReady"), Some(format!("containers with unready status: [{}]", unready.join(" "))))
            }
        };
        self.condition(status, "ContainersReady", ready, reason, message.clone());
        self.condition(status, "Ready", ready, reason, message);
    }

    fn waiting(&self, container: &Container, reason: &str) -> ContainerStatus {
        ContainerStatus {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            started: Some(false),
            state: Some(ContainerState {
                waiting: Some(ContainerStateWaiting { reason: Some(reason.into()), message: None }),
                ..ContainerState::default()
            }),
            ..ContainerStatus::default()
        }
    }

    fn run(&self, status: &mut ContainerStatus) {
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        status.container_id = Some(format!("simulated://{uid}/{}/{}", status.name, status.restart_count));
        status.image_id = status.image.clone();
        status.ready = true;
        status.started = Some(true);
        status.state = Some(ContainerState {
            running: Some(ContainerStateRunning { started_at: self.at() }),
            ..ContainerState::default()
        });
    }

    fn end(&self, status: &mut ContainerStatus, exit_code: i32) {
        let started_at =
            status.state.as_ref().and_then(|state| state.running.as_ref()).and_then(|run| run.started_at.clone());
        status.ready = false;
        status.started = Some(false);
        status.state = Some(ContainerState {
            terminated: Some(ContainerStateTerminated {
                container_id: status.container_id.clone(),
                exit_code,
                reason: Some(if exit_code == 0 { "Completed" } else { "Error" }.into()),
                started_at: started_at.or_else(|| self.at()),
                finished_at: self.at(),
                ..ContainerStateTerminated::default()
            }),
            ..ContainerState::default()
        });
    }

    fn accepted(&self, mut status: PodStatus) -> PodStatus {
        let inits = self.inits();
        status.phase = Some("Pending".into());
        status.start_time = self.at();
        status.host_ip = Some(self.place.host.to_string());
        status.host_ips = Some(vec![HostIP { ip: self.place.host.to_string() }]);
        status.init_container_statuses =
            (!inits.is_empty()).then(|| inits.iter().map(|init| self.waiting(init, "PodInitializing")).collect());
        let reason = if inits.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        status.container_statuses = Some(self.containers().iter().map(|of| self.waiting(of, reason)).collect());
        self.condition(&mut status, "PodScheduled", true, None, None);
        self.condition(&mut status, "PodReadyToStartContainers", false, None, None);
        self.initialized(&mut status);
        self.readiness(&mut status, false);
        status
    }

    fn initialized(&self, status: &mut PodStatus) {
        let statuses = status.init_container_statuses.clone().unwrap_or_default();
        let incomplete: Vec<&str> = self
            .inits()
            .iter()
            .filter(|init| !init_is_done(init, status_of(&statuses, &init.name)))
            .map(|init| init.name.as_str())
            .collect();
        let message =
            (!incomplete.is_empty()).then(|| format!("containers with incomplete status: [{}]", incomplete.join(" ")));
        let reason = message.as_ref().map(|_| "ContainersNotInitialized");
        self.condition(status, "Initialized", incomplete.is_empty(), reason, message);
    }

    /// One init container after the other: the one that runs ends, and the next one starts.
    fn initializing(&self, mut status: PodStatus) -> PodStatus {
        let mut statuses = status.init_container_statuses.take().unwrap_or_default();
        for init in self.inits() {
            let known = statuses.iter().position(|status| status.name == init.name);
            let index = known.unwrap_or_else(|| {
                statuses.push(self.waiting(init, "PodInitializing"));
                statuses.len() - 1
            });
            let current = &mut statuses[index];
            if init_is_done(init, Some(current)) {
                continue;
            }
            if is_running(current) {
                self.end(current, 0);
                current.ready = true; // what has completed counts as ready
            } else {
                self.run(current);
                current.ready = is_sidecar(init);
                if !is_sidecar(init) {
                    break;
                }
            }
        }
        status.init_container_statuses = Some(statuses);
        self.condition(&mut status, "PodReadyToStartContainers", true, None, None);
        self.initialized(&mut status);
        status
    }

    fn started(&self, mut status: PodStatus) -> PodStatus {
        let on_host = self.pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        let address = if on_host { Some(self.place.host) } else { self.place.pod };
        status.phase = Some("Running".into());
        status.pod_ip = address.map(|address| address.to_string());
        status.pod_ips = address.map(|address| vec![PodIP { ip: address.to_string() }]);
        let mut statuses = status.container_statuses.take().unwrap_or_default();
        for container in self.containers() {
            let known = statuses.iter().position(|status| status.name == container.name);
            let index = known.unwrap_or_else(|| {
                statuses.push(self.waiting(container, "ContainerCreating"));
                statuses.len() - 1
            });
            self.run(&mut statuses[index]);
        }
        status.container_statuses = Some(statuses);
        self.condition(&mut status, "PodScheduled", true, None, None);
        self.condition(&mut status, "PodReadyToStartContainers", true, None, None);
        self.initialized(&mut status);
        self.readiness(&mut status, false);
        status
    }

    /// Every container and sidecar has been told to stop, and did.
    fn stopped(&self, mut status: PodStatus) -> PodStatus {
        let statuses = status.container_statuses.iter_mut().chain(status.init_container_statuses.iter_mut()).flatten();
        for container in statuses.filter(|container| !has_ended(container)) {
            self.end(container, 0);
        }
        self.readiness(&mut status, false);
        status
    }

    fn annotation(&self, name: &str) -> Option<i64> {
        self.pod.metadata.annotations.as_ref()?.get(name)?.parse().ok()
    }

    fn is_of_a_job(&self) -> bool {
        let owners = self.pod.metadata.owner_references.iter().flatten();
        let mut jobs = owners.filter(|of| of.kind == "Job" && of.api_version.starts_with("batch/"));
        jobs.any(|of| of.controller == Some(true))
    }

    /// Containers run until they are told to end by annotation, or because a Job has them; the restart policy says what follows.
    fn running(&self, mut status: PodStatus) -> Step {
        let before = status.conditions.clone();
        self.readiness(&mut status, false);
        if status.conditions != before {
            return self.write(status); // others have marked it while the node was not heard
        }
        let Some(seconds) = self.annotation(RUN_SECONDS).or_else(|| self.is_of_a_job().then_some(JOB_SECONDS)) else {
            return Step::Rest;
        };
        let exit_code = self.annotation(EXIT_CODE).and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
        let policy = self.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
        let restarts = policy == "Always" || (policy == "OnFailure" && exit_code != 0);
        let mut wake: Option<Timestamp> = None;
        let mut changed = false;
        for container in status.container_statuses.iter_mut().flatten() {
            let due = match container.state.as_ref() {
                Some(ContainerState { running: Some(run), .. }) => after(run.started_at.as_ref(), seconds),
                Some(ContainerState { terminated: Some(end), .. }) if restarts => {
                    after(end.finished_at.as_ref(), restart_wait(container.restart_count))
                }
                _ => continue,
            };
            if due > self.now {
                wake = Some(wake.map_or(due, |wake| wake.min(due)));
                continue;
            }
            changed = true;
            if has_ended(container) {
                container.last_state = container.state.take();
                container.restart_count += 1;
                self.run(container);
            } else {
                self.end(container, exit_code);
            }
        }
        if !changed {
            return wake.map_or(Step::Rest, Step::Wait);
        }
        let all_ended = status.container_statuses.iter().flatten().all(has_ended);
        let ended = all_ended && !restarts;
        if ended {
            status.phase = Some(if exit_code == 0 { "Succeeded" } else { "Failed" }.into());
            for sidecar in status.init_container_statuses.iter_mut().flatten().filter(|sidecar| is_running(sidecar)) {
                self.end(sidecar, 0);
            }
        }
        self.readiness(&mut status, ended);
        self.write(status)
    }
}

/// The wait before a container is started again: none, then 10 s, doubled up to five minutes, as the kubelet does.
fn restart_wait(restarts: i32) -> i64 {
    match restarts {
        0 => 0,
        n => 10_i64.saturating_mul(1 << (n - 1).clamp(0, 5)).min(300),
    }
}

fn after(time: Option<&Time>, seconds: i64) -> Timestamp {
    let since = time.map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    since.saturating_add(SignedDuration::from_secs(seconds.max(0))).unwrap_or(Timestamp::MAX)
}

fn status_of<'a>(statuses: &'a [ContainerStatus], name: &str) -> Option<&'a ContainerStatus> {
    statuses.iter().find(|status| status.name == name)
}

fn is_sidecar(init: &Container) -> bool {
    init.restart_policy.as_deref() == Some("Always")
}

fn init_is_done(init: &Container, status: Option<&ContainerStatus>) -> bool {
    status.is_some_and(|status| has_ended(status) || (is_sidecar(init) && is_running(status)))
}

fn is_running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some())
}

fn has_ended(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.terminated.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const PLACE: Place = Place { host: Ipv4Addr::new(172, 18, 0, 2), pod: Some(Ipv4Addr::new(10, 244, 0, 2)) };

    fn pod(spec: Value, annotations: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "uid": "u", "generation": 1, "annotations": annotations}, "spec": spec,
        }))
        .unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// Walks until the Pod rests or waits; tells each status as `phase container=state… ready`.
    fn walk(pod: &mut Pod, now: Timestamp) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match next(pod, PLACE, now) {
                Step::Write(status) => {
                    told.push(tell(&status));
                    pod.status = Some(*status);
                }
                Step::Wait(until) => {
                    told.push(format!("wait {}", until.as_second()));
                    return told;
                }
                Step::Remove => {
                    told.push("remove".into());
                    return told;
                }
                Step::Rest => return told,
            }
            assert!(told.len() < 20, "it never rests: {told:?}");
        }
    }

    fn tell(status: &PodStatus) -> String {
        let state = |container: &ContainerStatus| {
            let state = container.state.clone().unwrap_or_default();
            let word = match (state.running, state.terminated) {
                (Some(_), _) => "running".to_owned(),
                (_, Some(end)) => format!("ended({})", end.exit_code),
                _ => state.waiting.and_then(|waiting| waiting.reason).unwrap_or_default(),
            };
            let restarts =
                if container.restart_count > 0 { format!("#{}", container.restart_count) } else { String::new() };
            format!(" {}={word}{restarts}", container.name)
        };
        let containers: String = status
            .init_container_statuses
            .iter()
            .flatten()
            .chain(status.container_statuses.iter().flatten())
            .map(state)
            .collect();
        let ready = status.conditions.iter().flatten().any(|found| found.type_ == "Ready" && found.status == "True");
        format!("{}{containers}{}", status.phase.as_deref().unwrap_or("-"), if ready { " ready" } else { "" })
    }

    #[test]
    fn a_pod_of_a_job_ends_by_itself() {
        let mut pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "c"}]}), json!({}));
        walk(&mut pod, at(0));
        assert_eq!(next(&pod, PLACE, at(JOB_SECONDS)), Step::Rest, "of nobody");
        let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]);
        pod.metadata.owner_references = serde_json::from_value(owner).unwrap();
        walk(&mut pod, at(JOB_SECONDS));
        assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Succeeded"));
    }

    #[test]
    fn a_pod_is_pending_then_running_and_ready() {
        let mut pod = pod(json!({"containers": [{"name": "c", "image": "nginx"}]}), json!({}));
        assert_eq!(walk(&mut pod, at(5)), ["Pending c=ContainerCreating", "Running c=running ready"]);
        let status = pod.status.unwrap();
        assert_eq!(status.pod_ip.as_deref(), Some("10.244.0.2"));
        assert_eq!(status.host_ip.as_deref(), Some("172.18.0.2"));
        assert_eq!(status.start_time, Some(Time(at(5))));
        let types: Vec<&str> = status.conditions.iter().flatten().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"]);
    }

    #[test]
    fn init_containers_run_one_after_the_other_and_sidecars_stay() {
        let spec = json!({
            "initContainers": [{"name": "a"}, {"name": "s", "restartPolicy": "Always"}, {"name": "b"}],
            "containers": [{"name": "c"}],
        });
        assert_eq!(
            walk(&mut pod(spec, json!({})), at(0)),
            [
                "Pending a=PodInitializing s=PodInitializing b=PodInitializing c=PodInitializing",
                "Pending a=running s=PodInitializing b=PodInitializing c=PodInitializing",
                "Pending a=ended(0) s=running b=running c=PodInitializing",
                "Pending a=ended(0) s=running b=ended(0) c=PodInitializing",
                "Running a=ended(0) s=running b=ended(0) c=running ready",
            ]
        );
    }

    #[test]
    fn a_pod_that_was_marked_while_its_node_was_silent_is_ready_again() {
        let mut pod = pod(json!({"containers": [{"name": "c"}]}), json!({}));
        walk(&mut pod, at(0));
        for condition in pod.status.as_mut().unwrap().conditions.iter_mut().flatten() {
            if condition.type_ == "Ready" {
                (condition.status, condition.reason) = ("False".into(), Some("NodeNotReady".into()));
            }
        }
        assert_eq!(walk(&mut pod, at(60)), ["Running c=running ready"]);
    }

    #[test]
    fn a_deleted_pod_stops_before_it_goes() {
        let mut pod = pod(json!({"containers": [{"name": "c"}]}), json!({}));
        walk(&mut pod, at(0));
        pod.metadata.deletion_timestamp = Some(Time(at(1)));
        assert_eq!(walk(&mut pod, at(1)), ["Running c=ended(0)", "remove"]);
    }

    #[test]
    fn a_pod_deleted_before_it_started_just_goes() {
        let mut pod = pod(json!({"containers": [{"name": "c"}]}), json!({}));
        pod.metadata.deletion_timestamp = Some(Time(at(1)));
        assert_eq!(walk(&mut pod, at(1)), ["remove"]);
    }

    #[test]
    fn what_ends_by_annotation_is_restarted_by_its_policy() {
        for (policy, code, expected) in [
            ("Never", "0", vec!["Succeeded c=ended(0)"]),
            ("Never", "3", vec!["Failed c=ended(3)"]),
            ("OnFailure", "0", vec!["Succeeded c=ended(0)"]),
            ("OnFailure", "1", vec!["Running c=ended(1)", "Running c=running#1 ready", "wait 20"]),
            ("Always", "0", vec!["Running c=ended(0)", "Running c=running#1 ready", "wait 20"]),
        ] {
            let annotations = json!({RUN_SECONDS: "10", EXIT_CODE: code});
            let mut pod = pod(json!({"restartPolicy": policy, "containers": [{"name": "c"}]}), annotations);
            assert_eq!(walk(&mut pod, at(0)).last().unwrap(), "wait 10");
            assert_eq!(walk(&mut pod, at(10)), expected, "{policy} {code}");
        }
    }

    #[test]
    fn a_pod_without_an_address_looks_again() {
        let mut waiting = pod(json!({"containers": [{"name": "c"}]}), json!({}));
        let Step::Write(accepted) = next(&waiting, PLACE, at(0)) else { panic!("it is not accepted") };
        waiting.status = Some(*accepted);
        assert_eq!(next(&waiting, Place { pod: None, ..PLACE }, at(10)), Step::Wait(at(10 + ADDRESS_WAIT)));
    }
}
