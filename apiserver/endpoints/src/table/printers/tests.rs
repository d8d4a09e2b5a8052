use serde_json::{Value, json};

use super::*;

fn cells(printer: &Printer, object: &Value) -> Value {
    (printer.cells)(Object(object), Clock::at("2026-01-01T00:10:00Z")).into()
}

fn pod_with(name: &str, spec: Value, status: Value) -> Value {
    json!({"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec, "status": status})
}

#[test]
fn pods_are_shown_in_the_state_people_look_for() {
    let one = json!({"containers": [{"name": "c"}]});
    let inits = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i1"}, {"name": "i2"}]});
    let cases = [
        ("pending", one.clone(), json!({"phase": "Pending"}), ["0/1", "Pending", "0"]),
        (
            "running",
            json!({"containers": [{"name": "c"}, {"name": "d"}], "nodeName": "n"}),
            json!({"phase": "Running", "containerStatuses": [
                {"ready": true, "restartCount": 2, "state": {"running": {}}},
                {"ready": false, "restartCount": 1, "state": {"running": {}}}]}),
            ["1/2", "Running", "3"],
        ),
        (
            "crash",
            one.clone(),
            json!({"phase": "Running", "containerStatuses": [
                {"restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
            ["0/1", "CrashLoopBackOff", "7"],
        ),
        (
            "restarted",
            one.clone(),
            json!({"phase": "Running", "containerStatuses": [
                {"ready": true, "restartCount": 1, "state": {"running": {}},
                 "lastState": {"terminated": {"finishedAt": "2026-01-01T00:09:30Z"}}}]}),
            ["1/1", "Running", "1 (30s ago)"],
        ),
        (
            "signal",
            one.clone(),
            json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 137, "signal": 9}}}]}),
            ["0/1", "Signal:9", "0"],
        ),
        ("evicted", one.clone(), json!({"phase": "Failed", "reason": "Evicted"}), ["0/1", "Evicted", "0"]),
        (
            "init 1 of 2",
            inits.clone(),
            json!({"phase": "Pending", "initContainerStatuses": [
                {"state": {"terminated": {"exitCode": 0}}}, {"state": {"running": {}}}]}),
            ["0/1", "Init:1/2", "0"],
        ),
        (
            "init error",
            inits,
            json!({"phase": "Pending", "initContainerStatuses": [
                {"restartCount": 1, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}),
            ["0/1", "Init:Error", "1"],
        ),
        (
            "sidecar",
            json!({"containers": [{"name": "c"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]}),
            json!({"phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}],
                   "containerStatuses": [{"ready": true, "state": {"running": {}}}],
                   "initContainerStatuses": [
                       {"name": "s", "ready": true, "started": true, "restartCount": 4, "state": {"running": {}}}]}),
            ["2/2", "Running", "4"],
        ),
        (
            "gated",
            one.clone(),
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            ["0/1", "SchedulingGated", "0"],
        ),
        (
            "not ready",
            json!({"containers": [{"name": "c"}, {"name": "d"}]}),
            json!({"phase": "Running", "containerStatuses": [
                {"ready": true, "state": {"running": {}}},
                {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}),
            ["1/2", "NotReady", "0"],
        ),
    ];
    for (name, spec, status, expected) in cases {
        let cells = cells(&pod::POD, &pod_with(name, spec, status));
        assert_eq!(cells.as_array().unwrap()[1..4], expected.map(Value::from), "{name}");
        assert_eq!(cells[4], "10m", "{name}");
    }
    let mut leaving = pod_with("leaving", one, json!({"phase": "Running"}));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
    assert_eq!(cells(&pod::POD, &leaving)[2], "Terminating");
}

#[test]
fn cells_are_those_of_upstream() {
    let with = |mut object: Value| {
        object["metadata"] = json!({"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"});
        object
    };
    for (group, resource, object, expected) in [
        ("", "configmaps", json!({"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}), json!(["x", 3, "10m"])),
        (
            "",
            "services",
            json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]},
                   "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}]}}}),
            json!(["x", "LoadBalancer", "10.0.0.1", "192.0.2.1,lb.example.com", "80:30080/TCP", "10m", "<none>"]),
        ),
        (
            "",
            "endpoints",
            json!({"subsets": [{"addresses": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}], "ports": [{"port": 80}, {"port": 81}]}]}),
            json!(["x", "192.0.2.1:80,192.0.2.2:80,192.0.2.1:81 + 1 more...", "10m"]),
        ),
        (
            "apps",
            "deployments",
            json!({"spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "e", "operator": "In", "values": ["y", "x"]}]},
                            "template": {"spec": {"containers": [{"name": "c1", "image": "i1"}, {"name": "c2", "image": "i2"}]}}},
                   "status": {"updatedReplicas": 2}}),
            json!(["x", "0/2", 2, 0, "10m", "c1,c2", "i1,i2", "a=b,e in (x,y)"]),
        ),
        (
            "batch",
            "jobs",
            json!({"spec": {"completions": 3, "template": {"spec": {"containers": []}}},
                   "status": {"startTime": "2026-01-01T00:08:00Z", "completionTime": "2026-01-01T00:09:00Z", "succeeded": 3,
                              "conditions": [{"type": "Complete", "status": "True"}]}}),
            json!(["x", "Complete", "3/3", "60s", "10m", "", "", "<none>"]),
        ),
        (
            "policy",
            "poddisruptionbudgets",
            json!({"spec": {"maxUnavailable": "30%"}}),
            json!(["x", "N/A", "30%", 0, "10m"]),
        ),
        (
            "rbac.authorization.k8s.io",
            "rolebindings",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [
                {"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
            json!(["x", "Role/r", "10m", "u", "g", "n/s"]),
        ),
        (
            "networking.k8s.io",
            "ingresses",
            json!({"spec": {"rules": [{"host": "a"}, {"host": "b"}, {"host": "c"}, {"host": "d"}], "tls": [{}]}}),
            json!(["x", "<none>", "a,b,c + 1 more...", "", "80, 443", "10m"]),
        ),
        (
            "discovery.k8s.io",
            "endpointslices",
            json!({"addressType": "IPv4"}),
            json!(["x", "IPv4", "<unset>", "<unset>", "10m"]),
        ),
    ] {
        let printer =
            of(&GroupVersionResource::new(group, "v1", resource)).unwrap_or_else(|| panic!("no printer of {resource}"));
        assert_eq!(cells(printer, &with(object)), expected, "{group} {resource}");
    }
}

#[test]
fn every_column_has_a_cell_and_every_field_that_it_shows_is_documented() {
    let object = json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}});
    let table = registry::Table::builtin();
    for row in table.rows() {
        let printer = of(&row.gvr).unwrap_or(&CREATED);
        let definitions: Value = serde_json::from_str(printer.definitions()).unwrap();
        let definitions = definitions.as_array().unwrap();
        let width = cells(printer, &object).as_array().unwrap().len();
        // Upstream's rows of addresses have an age without a column, and a class' handler no description.
        let (extra, silent) =
            (usize::from(row.gvr.resource == "ipaddresses"), usize::from(row.gvr.resource == "runtimeclasses"));
        assert_eq!(width, definitions.len() + extra, "{}", row.gvr);
        let undescribed = definitions.iter().filter(|column| column["description"] == "").count();
        assert_eq!(undescribed, silent, "{}: {definitions:?}", row.gvr);
    }
}
