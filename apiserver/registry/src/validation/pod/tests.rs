//! What clients read of a wrong spec: a fragment laid over a valid pod, and upstream's words for it.

use apimachinery::field::{ErrorList, Path};
use serde_json::{Value, json};

use super::{Options, spec, template};
use crate::strategy::pod_template;

/// A valid pod's spec with a container `c`, and `fragment` over both: keys `c.…` go to the container.
fn spec_with(fragment: &Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "i:1"}]});
    for (key, value) in fragment.as_object().unwrap() {
        match key.strip_prefix("c.") {
            Some(key) => spec["containers"][0][key] = value.clone(),
            None => spec[key] = value.clone(),
        }
    }
    pod_template::apply_defaults(spec.as_object_mut().unwrap());
    spec
}

fn found(fragment: &Value) -> Vec<String> {
    let mut errors = ErrorList::new();
    let options = Options { is_pod: true, ..Options::default() };
    let metadata = json!({"name": "p"});
    spec::validate(&spec_with(fragment), Some(&metadata), &Path::new("spec"), &options, &mut errors);
    errors.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(cases: &[(Value, &[&str])]) {
    for (fragment, expected) in cases {
        assert_eq!(found(fragment), *expected, "{fragment}");
    }
}

#[test]
fn a_plain_spec_is_valid() {
    check(&[(json!({}), &[])]);
}

#[test]
fn containers_are_named_once_and_say_what_they_run() {
    check(&[
        (json!({"containers": []}), &["spec.containers: Required value"]),
        (
            json!({"containers": [{"name": "a", "image": ""}, {"image": "i"}, {"name": "a", "image": "i"}]}),
            &[
                "spec.containers[0].image: Required value",
                "spec.containers[1].name: Required value",
                "spec.containers[2].name: Duplicate value: \"a\"",
            ],
        ),
        (
            json!({"c.imagePullPolicy": "Sometimes", "c.terminationMessagePolicy": "Shout"}),
            &[
                "spec.containers[0].terminationMessagePolicy: Unsupported value: \"Shout\": supported values: \"File\", \"FallbackToLogsOnError\"",
                "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
            ],
        ),
        (
            json!({"initContainers": [{"name": "c", "image": "i", "livenessProbe": {"tcpSocket": {"port": 1}}}]}),
            &[
                "spec.initContainers[0].name: Duplicate value: \"c\"",
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            ],
        ),
    ]);
}

#[test]
fn ports_are_in_range_and_taken_once() {
    check(&[
        (
            json!({"c.ports": [{"containerPort": 0}, {"containerPort": 70000, "protocol": "ICMP"}, {"containerPort": 1, "name": "Bad_"}]}),
            &[
                "spec.containers[0].ports[0].containerPort: Required value",
                "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.containers[0].ports[1].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
                "spec.containers[0].ports[2].name: Invalid value: \"Bad_\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            ],
        ),
        (
            json!({"c.ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}]}),
            &["spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//8080\""],
        ),
        (
            json!({"hostNetwork": true, "c.ports": [{"containerPort": 80, "hostPort": 81}]}),
            &[
                "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
            ],
        ),
    ]);
}

#[test]
fn variables_have_one_source_each() {
    check(&[
        (
            json!({"c.env": [{"name": ""}, {"name": "a=b"}, {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "B", "valueFrom": {}}]}),
            &[
                "spec.containers[0].env[0].name: Required value",
                "spec.containers[0].env[1].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
                "spec.containers[0].env[2].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
                "spec.containers[0].env[3].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            ],
        ),
        (
            json!({"c.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.x"}}}, {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}},
                {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}, {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "spec.schedulerName"}}}]}),
            &[
                "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"status.x\": error converting fieldPath: field label not supported: status.x",
                "spec.containers[0].env[1].valueFrom.resourceFieldRef.resource: Unsupported value: \"limits.gpu\": supported values: \"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \"requests.ephemeral-storage\", \"requests.memory\"",
                "spec.containers[0].env[2].valueFrom.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported with the cpu resource",
                "spec.containers[0].env[3].valueFrom.fieldRef.fieldPath: Unsupported value: \"spec.schedulerName\": supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\"",
            ],
        ),
        (
            json!({"c.envFrom": [{}, {"configMapRef": {"name": ""}}]}),
            &[
                "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
                "spec.containers[0].envFrom[1].configMapRef.name: Required value",
            ],
        ),
    ]);
}

#[test]
fn mounts_and_devices_are_of_volumes_there_are() {
    check(&[
        (
            json!({"volumes": [{"name": "v"}], "c.volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "/x"}, {"name": "w", "mountPath": "/a"}, {"name": "v", "mountPath": "", "mountPropagation": "Bidirectional"}]}),
            &[
                "spec.containers[0].volumeMounts.subPath: Invalid value: \"/x\": must be a relative path",
                "spec.containers[0].volumeMounts[1].name: Not found: \"w\"",
                "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique",
                "spec.containers[0].volumeMounts[2].mountPath: Required value",
                "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers",
            ],
        ),
        (
            json!({"volumes": [{"name": "v"}], "c.volumeDevices": [{"name": "v", "devicePath": "/../x"}, {"name": "", "devicePath": ""}]}),
            &[
                "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                "spec.containers[0].volumeDevices[0].devicePath: Invalid value: \"/../x\": can not contain backsteps ('..')",
                "spec.containers[0].volumeDevices[1].name: Required value",
                "spec.containers[0].volumeDevices[1].name: Not found: \"\"",
                "spec.containers[0].volumeDevices[1].devicePath: Required value",
            ],
        ),
    ]);
}

#[test]
fn volumes_have_one_source_and_what_it_needs() {
    check(&[
        (
            json!({"volumes": [{"name": "a", "emptyDir": {}, "nfs": {"server": "s", "path": "/"}}, {"name": "b", "csi": {"driver": ""}},
                {"name": "c", "iscsi": {"targetPortal": "p", "iqn": "iqn.2001-04.com.example:disk", "lun": 300}}, {"name": "d", "iscsi": {"targetPortal": "p", "iqn": "x", "lun": 0}}]}),
            &[
                "spec.volumes[0].nfs: Forbidden: may not specify more than 1 volume type",
                "spec.volumes[1].csi.driver: Required value",
                "spec.volumes[2].iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive",
                "spec.volumes[3].iscsi.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa",
            ],
        ),
        (
            json!({"volumes": [{"name": "a", "azureDisk": {"diskName": "d", "diskURI": "x", "kind": "Managed", "cachingMode": "Some"}}, {"name": "b", "quobyte": {"registry": "host", "volume": "v"}},
                {"name": "c", "flexVolume": {"driver": "d", "options": {"kubernetes.io/x": "y"}}}, {"name": "d", "fc": {"targetWWNs": ["a"], "wwids": ["b"]}}]}),
            &[
                "spec.volumes[0].azureDisk.cachingMode: Unsupported value: \"Some\": supported values: \"None\", \"ReadOnly\", \"ReadWrite\"",
                "spec.volumes[0].azureDisk.diskURI: Unsupported value: \"x\": supported values: \"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}\"",
                "spec.volumes[1].quobyte.registry: Invalid value: \"host\": must be a host:port pair or multiple pairs separated by commas",
                "spec.volumes[2].flexVolume.options[kubernetes.io/x]: Invalid value: \"kubernetes.io/x\": kubernetes.io and k8s.io namespaces are reserved",
                "spec.volumes[3].fc.targetWWNs: Invalid value: [\"a\"]: targetWWNs and wwids can not be specified simultaneously",
                "spec.volumes[3].fc.lun: Required value: lun is required if targetWWNs is specified",
            ],
        ),
        (
            json!({"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["Sometimes"], "resources": {"requests": {"storage": "0"}}}}}},
                {"name": "w", "persistentVolumeClaim": {"claimName": "p-v"}}]}),
            &[
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Unsupported value: \"Sometimes\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"",
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Invalid value: \"0\": must be greater than zero",
                "spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: \"p-v\": must not reference a PVC that gets created for an ephemeral volume",
            ],
        ),
    ]);
}

#[test]
fn probes_and_hooks_act_in_one_way() {
    check(&[
        (
            json!({"c.livenessProbe": {"exec": {"command": []}, "httpGet": {"port": 1}, "successThreshold": 2, "periodSeconds": -1}, "c.readinessProbe": {"terminationGracePeriodSeconds": 5, "grpc": {"port": 0}}}),
            &[
                "spec.containers[0].livenessProbe.exec.command: Required value",
                "spec.containers[0].livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type",
                "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
                "spec.containers[0].readinessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes",
            ],
        ),
        (
            json!({"c.lifecycle": {"preStop": {"sleep": {"seconds": 31}}, "postStart": {}, "stopSignal": "SIGTERM"}}),
            &[
                "spec.containers[0].lifecycle.postStart: Required value: must specify a handler type",
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
                "spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`",
            ],
        ),
    ]);
}

#[test]
fn affinity_tolerations_and_spread_are_checked() {
    let spread = |more: Value| {
        let mut one =
            json!({"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    };
    check(&[
        (
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}, {"key": "b", "operator": "Like"}], "matchFields": [{"key": "x", "operator": "In", "values": ["n"]}]}]},
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "preference": {}}]}}}),
            &[
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].operator: Invalid value: \"Like\": not a valid selector operator",
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: Invalid value: \"x\": not a valid field selector key",
                "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100",
            ],
        ),
        (
            json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "", "matchLabelKeys": ["a"]}]}}}),
            &[
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"\": name part must be non-empty",
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            ],
        ),
        (
            json!({"tolerations": [{"operator": "Equal"}, {"key": "a", "operator": "Exists", "value": "x"}, {"key": "a", "operator": "Near", "effect": "Some"}, {"key": "a", "tolerationSeconds": 1, "effect": "NoSchedule"}]}),
            &[
                "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
                "spec.tolerations[1].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
                "spec.tolerations[2].operator: Unsupported value: \"Near\": supported values: \"Equal\", \"Exists\"",
                "spec.tolerations[2].effect: Unsupported value: \"Some\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
                "spec.tolerations[3].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set",
            ],
        ),
        (
            json!({"topologySpreadConstraints": [spread(json!({"maxSkew": 0, "minDomains": 1})), spread(json!({"nodeTaintsPolicy": "Maybe"})), spread(json!({"topologyKey": "", "whenUnsatisfiable": "x"}))]}),
            &[
                "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
                "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{z, ScheduleAnyway}\"",
                "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
                "spec.topologySpreadConstraints[1].nodeTaintsPolicy: Unsupported value: \"Maybe\": supported values: \"Honor\", \"Ignore\"",
                "spec.topologySpreadConstraints[2].topologyKey: Required value: can not be empty",
                "spec.topologySpreadConstraints[2].whenUnsatisfiable: Unsupported value: \"x\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
            ],
        ),
    ]);
}

#[test]
fn a_container_starts_again_by_rules_it_states() {
    check(&[
        (
            json!({"c.restartPolicyRules": [{"action": "Explode"}]}),
            &[
                "spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used",
                "spec.containers[0].restartPolicyRules[0].action: Unsupported value: \"Explode\": supported values: \"Restart\", \"RestartAllContainers\"",
                "spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified",
            ],
        ),
        (
            json!({"restartPolicy": "Never", "c.resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}),
            &[
                "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when pod `restartPolicy` is 'Never'",
            ],
        ),
    ]);
}

#[test]
fn a_template_has_no_ephemeral_containers_and_names_its_labels() {
    let mut errors = ErrorList::new();
    let mut wrong = json!({"metadata": {"labels": {"a b": "c"}}, "spec": spec_with(&json!({"c.image": " i "}))});
    wrong["spec"]["ephemeralContainers"] = json!([{"name": "e", "image": "i"}]);
    pod_template::apply_defaults(wrong["spec"].as_object_mut().unwrap());
    template::validate(&wrong, &Path::new("spec").child("template"), &Options::default(), &mut errors);
    let found: Vec<String> = errors.iter().map(|error| error.to_string().chars().take(69).collect()).collect();
    assert_eq!(
        found,
        [
            "spec.template.labels: Invalid value: \"a b\": name part must consist of",
            "spec.template.spec.ephemeralContainers: Forbidden: ephemeral containe",
        ]
    );
}
