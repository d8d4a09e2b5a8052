//! Server-side apply of a Deployment whose containers have fifty fields.

use std::io::Write as _;

use serde_json::{Value, json};

use super::scene::Scene;
use crate::kinds::NAMESPACE;
use crate::load::{Clients, Took};
use crate::wire::{Method, Request};

/// As many that no two requests for one meet.
const DEPLOYMENTS: usize = 256;
const CONTAINERS: usize = 5;

/// Applies what is there already, then with another image each time, so many times.
pub fn measured(scene: &mut Scene<'_>, count: usize) {
    let deployments = DEPLOYMENTS.min(count);
    let pattern = &pattern();
    let apply = |clients: &mut Clients, count: usize, tag: &(dyn Fn(usize) -> usize + Sync)| -> Took {
        clients.run(count, |number, request| one(pattern, number % deployments, tag(number), request))
    };
    scene.measure("apply, create", deployments, |clients| apply(clients, deployments, &|_| 0));
    scene.measure("apply, unchanged", count, |clients| apply(clients, count, &|_| 0));
    scene.measure("apply, one field", count, |clients| apply(clients, count, &|number| number + 1));
    scene.clients.run(deployments, |number, request| {
        request.method = Method::Delete;
        request.path = path(number);
    });
}

fn one([first, second, third]: &[String; 3], number: usize, tag: usize, request: &mut Request) {
    request.method = Method::Patch;
    request.content_type = "application/apply-patch+yaml";
    request.path = path(number) + "?fieldManager=bench&force=true";
    request.body.clear();
    // Writing to memory does not fail.
    let _ = write!(request.body, "{first}{number:04}{second}{tag}{third}");
}

fn path(number: usize) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/applied-{number:04}")
}

/// The Deployment before, between and after the number in its name and the tag of an image.
fn pattern() -> [String; 3] {
    const NUMBER: &str = "%number%";
    const TAG: &str = "%tag%";
    let containers: Vec<Value> = (0..CONTAINERS).map(|at| container(at, if at == 0 { TAG } else { "1" })).collect();
    let labels = json!({"app": "bench"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("applied-{NUMBER}"), "labels": labels},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": containers, "volumes": [{"name": "data", "emptyDir": {}}]}}},
    });
    let text = deployment.to_string();
    let (first, rest) = text.split_once(NUMBER).expect("the number");
    let (second, third) = rest.split_once(TAG).expect("the tag");
    [first, second, third].map(str::to_owned)
}

/// Ten fields.
fn container(at: usize, tag: &str) -> Value {
    let variable = |at: usize| json!({"name": format!("VARIABLE_{at}"), "value": format!("value {at}")});
    json!({
        "name": format!("container-{at}"),
        "image": format!("registry.example.com/bench/container-{at}:{tag}"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/serve", "--listen=:8080", "--verbose"],
        "workingDir": "/srv",
        "ports": [{"name": format!("http-{at}"), "containerPort": 8080 + at}],
        "env": (0..4).map(variable).collect::<Vec<_>>(),
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080 + at}, "periodSeconds": 5},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_containers_have_fifty_fields() {
        let fields: usize = (0..CONTAINERS).map(|at| container(at, "1").as_object().unwrap().len()).sum();
        assert_eq!(fields, 50);
    }
}
