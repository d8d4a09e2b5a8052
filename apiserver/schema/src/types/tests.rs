use serde_json::json;

use super::*;

fn served(object: &Value) -> String {
    String::from_utf8(to_vec(object)).unwrap()
}

#[test]
fn objects_of_built_in_kinds_are_in_gos_order() {
    let cases = [
        (
            "a pod",
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"creationTimestamp": "t", "labels": {"b": "1", "a": "2"}, "name": "p", "namespace": "n", "uid": "u"},
                "spec": {
                    "containers": [{"image": "i", "name": "c", "ports": [{"containerPort": 1, "protocol": "TCP"}]}],
                    "nodeName": "x", "volumes": [{"emptyDir": {}, "name": "v"}],
                },
                "status": {"phase": "Pending", "conditions": []},
            }),
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"u","creationTimestamp":"t","labels":{"a":"2","b":"1"}},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i","ports":[{"containerPort":1,"protocol":"TCP"}]}],"nodeName":"x"},"status":{"phase":"Pending","conditions":[]}}"#,
        ),
        (
            "what is not known comes last, sorted",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "zz": 1, "aa": {"b": 1, "a": 2}, "data": {"k": "v"}, "metadata": {"name": "c"}}),
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c"},"data":{"k":"v"},"aa":{"a":2,"b":1},"zz":1}"#,
        ),
        (
            "a custom resource is sorted",
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a", "annotations": {}}}),
            r#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"annotations":{},"name":"a"}}"#,
        ),
        (
            "Go's escapes",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"<a>": "&\u{2028}é\u{7f}"}}),
            "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"data\":{\"\\u003ca\\u003e\":\"\\u0026\\u2028é\u{7f}\"}}",
        ),
        (
            "field sets in the order of path elements",
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"managedFields": [{
                "apiVersion": "v1", "fieldsType": "FieldsV1", "manager": "m", "operation": "Apply", "time": "t",
                "subresource": "status",
                "fieldsV1": {"f:b": {
                    "i:10": {}, "i:9": {}, "v:2": {}, "v:10": {}, ".": {}, "f:z": {},
                    "k:{\"p\":443}": {}, "k:{\"p\":80}": {}, "v:\"a\"": {},
                }, "f:a": {}},
            }]}}),
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","time":"t","fieldsType":"FieldsV1","fieldsV1":{"f:a":{},"f:b":{".":{},"f:z":{},"k:{\"p\":80}":{},"k:{\"p\":443}":{},"v:2":{},"v:10":{},"v:\"a\"":{},"i:9":{},"i:10":{}}},"subresource":"status"}]}}"#,
        ),
        (
            "schemas of a definition",
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {"versions": [
                {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "description": "d", "properties": {
                    "list": {"items": {"type": "string", "format": "date"}, "type": "array"},
                    "map": {"additionalProperties": {"type": "string", "format": "date"}, "type": "object"},
                    "any": {"additionalProperties": true, "default": {"b": 1, "a": 2}},
                }}}, "storage": true, "served": true},
            ]}}),
            r#"{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"description":"d","type":"object","properties":{"any":{"default":{"a":2,"b":1},"additionalProperties":true},"list":{"type":"array","items":{"type":"string","format":"date"}},"map":{"type":"object","additionalProperties":{"type":"string","format":"date"}}}}}}]}}"#,
        ),
    ];
    for (what, object, want) in cases {
        assert_eq!(served(&object), want, "{what}");
        let back: Value = serde_json::from_slice(&to_vec(&object)).unwrap();
        assert_eq!(back, object, "{what}: nothing is lost");
    }
}

#[test]
fn errors_show_internal_types() {
    let cases = [
        (
            "core.Taint",
            json!({"key": "a", "value": "b", "effect": "NoSchedule"}),
            r#"{"Key":"a","Value":"b","Effect":"NoSchedule","TimeAdded":null}"#,
        ),
        (
            "[]apiextensions.CustomResourceDefinitionVersion",
            json!([{"name": "v1", "served": true, "storage": false}]),
            r#"[{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]"#,
        ),
        (
            "core.ServicePort",
            json!({"port": 80, "protocol": "TCP", "targetPort": 0}),
            r#"{"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}"#,
        ),
        (
            "policy.PodDisruptionBudgetSpec",
            json!({"minAvailable": 1, "maxUnavailable": "10%", "selector": {"matchLabels": {"a": "b"}}}),
            r#"{"MinAvailable":1,"Selector":{"matchLabels":{"a":"b"}},"MaxUnavailable":"10%","UnhealthyPodEvictionPolicy":null}"#,
        ),
        (
            "storage.VolumeAttachmentSpec",
            json!({"attacher": "d", "source": {"persistentVolumeName": "p"}, "nodeName": "n"}),
            r#"{"Attacher":"d","Source":{"PersistentVolumeName":"p","InlineVolumeSpec":null},"NodeName":"n"}"#,
        ),
        (
            "apps.StatefulSetUpdateStrategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {}}),
            r#"{"Type":"RollingUpdate","RollingUpdate":{"Partition":0,"MaxUnavailable":null}}"#,
        ),
        (
            "apps.DeploymentStrategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}),
            r#"{"Type":"RollingUpdate","RollingUpdate":{"MaxUnavailable":0,"MaxSurge":"25%"}}"#,
        ),
        (
            "core.Volume",
            json!({"name": "v", "hostPath": {"path": "/p"}}),
            r#"{"Name":"v","HostPath":{"Path":"/p","Type":null},"#,
        ),
        (
            "core.PodTemplateSpec",
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"hostNetwork": true, "containers": []}}),
            r#"{"labels":{"a":"b"},"Spec":{"Volumes":null,"InitContainers":null,"Containers":[],"#,
        ),
        (
            "core.PodSecurityContext",
            Value::Null,
            r#"{"HostNetwork":false,"HostPID":false,"HostIPC":false,"ShareProcessNamespace":null,"HostUsers":null,"#,
        ),
        (
            "admissionregistration.NamedRuleWithOperations",
            json!({"operations": ["*"], "resourceNames": ["n"], "apiGroups": ["g"]}),
            r#"{"ResourceNames":["n"],"RuleWithOperations":{"Operations":["*"],"APIGroups":["g"],"#,
        ),
        ("map[string]string", json!({"b": "<", "a": "x"}), r#"{"a":"x","b":"\u003c"}"#),
        ("*core.Probe", Value::Null, "null"),
        (
            "core.ResourceRequirements",
            json!({"limits": {"cpu": "1"}}),
            r#"{"Limits":{"cpu":"1"},"Requests":null,"Claims":null}"#,
        ),
        (
            "apiextensions.ValidationRule",
            json!({"rule": "self.a > 5"}),
            r#"{"Rule":"self.a \u003e 5","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}"#,
        ),
        (
            "meta.v1.LabelSelector",
            json!({"matchExpressions": [], "matchLabels": {}}),
            r#"{"matchLabels":{},"matchExpressions":[]}"#,
        ),
        (
            "meta.v1.OwnerReference",
            json!({"uid": "u", "name": "n", "kind": "k", "apiVersion": "v"}),
            r#"{"apiVersion":"v","kind":"k","name":"n","uid":"u"}"#,
        ),
        ("no.SuchType", json!({"b": 1, "a": 2}), r#"{"a":2,"b":1}"#),
    ];
    for (name, value, want) in cases {
        let text = json(name, &value);
        assert!(text.starts_with(want), "{name}\n got {text}\nwant {want}");
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{name}: {text}");
    }
}

#[test]
fn a_pod_spec_shows_every_field() {
    let spec = json!({
        "containers": [{
            "name": "c", "image": "busybox:1", "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent", "resources": {},
        }],
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "nodeSelector": {"a": "c"}, "securityContext": {}, "schedulerName": "default-scheduler",
        "tolerations": [{"key": "k", "operator": "Exists"}],
    });
    assert_eq!(
        json("core.PodSpec", &spec),
        r#"{"Volumes":null,"InitContainers":null,"Containers":[{"Name":"c","Image":"busybox:1","Command":null,"Args":null,"WorkingDir":"","Ports":null,"EnvFrom":null,"Env":null,"Resources":{"Limits":null,"Requests":null,"Claims":null},"ResizePolicy":null,"RestartPolicy":null,"RestartPolicyRules":null,"VolumeMounts":null,"VolumeDevices":null,"LivenessProbe":null,"ReadinessProbe":null,"StartupProbe":null,"Lifecycle":null,"TerminationMessagePath":"/dev/termination-log","TerminationMessagePolicy":"File","ImagePullPolicy":"IfNotPresent","SecurityContext":null,"Stdin":false,"StdinOnce":false,"TTY":false}],"EphemeralContainers":null,"RestartPolicy":"Never","TerminationGracePeriodSeconds":30,"ActiveDeadlineSeconds":null,"DNSPolicy":"ClusterFirst","NodeSelector":{"a":"c"},"ServiceAccountName":"","AutomountServiceAccountToken":null,"NodeName":"","SecurityContext":{"HostNetwork":false,"HostPID":false,"HostIPC":false,"ShareProcessNamespace":null,"HostUsers":null,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"SupplementalGroups":null,"SupplementalGroupsPolicy":null,"FSGroup":null,"FSGroupChangePolicy":null,"Sysctls":null,"SeccompProfile":null,"AppArmorProfile":null,"SELinuxChangePolicy":null},"ImagePullSecrets":null,"Hostname":"","Subdomain":"","SetHostnameAsFQDN":null,"Affinity":null,"SchedulerName":"default-scheduler","Tolerations":[{"Key":"k","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}],"HostAliases":null,"PriorityClassName":"","Priority":null,"PreemptionPolicy":null,"DNSConfig":null,"ReadinessGates":null,"RuntimeClassName":null,"Overhead":null,"EnableServiceLinks":null,"TopologySpreadConstraints":null,"OS":null,"SchedulingGates":null,"ResourceClaims":null,"Resources":null,"HostnameOverride":null,"SchedulingGroup":null}"#
    );
}

#[test]
fn a_definitions_versions_give_what_they_share_to_the_spec() {
    let version = |name: &str, schema: Value| json!({"name": name, "served": true, "storage": true, "schema": schema});
    let spec = |versions: [Value; 2]| json!({"group": "g", "versions": versions, "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"name": "s", "namespace": "n"}}, "conversionReviewVersions": ["v1"]}}});
    let shared =
        json("apiextensions.CustomResourceDefinitionSpec", &spec([version("a", json!({})), version("b", json!({}))]));
    assert!(
        shared.contains(r#""Version":"a""#) && shared.contains(r#""Validation":{"OpenAPIV3Schema":null}"#),
        "{shared}"
    );
    assert!(shared.contains(r#""WebhookClientConfig":{"URL":null,"Service":{"Namespace":"n","Name":"s","Path":null,"Port":0},"CABundle":null}"#), "{shared}");
    let own = version(
        "b",
        json!({"openAPIV3Schema": {"type": "object", "items": {"type": "string"}, "additionalProperties": false}}),
    );
    let own = json("apiextensions.CustomResourceDefinitionSpec", &spec([version("a", json!({})), own]));
    assert!(own.contains(r#""Validation":null"#) && own.contains(r#""Schema":{"OpenAPIV3Schema":null}"#), "{own}");
    assert!(own.contains(r#""AdditionalProperties":{"Allows":false,"Schema":null}"#), "{own}");
    assert!(own.contains(r#""Items":{"Schema":{"ID":"","#) && own.contains(r#""JSONSchemas":null}"#), "{own}");
}

#[test]
fn changes_are_shown_as_a_diff_of_lines() {
    let container = |image: &str| json!({"name": "dbg", "image": image, "command": ["sh"]});
    assert_eq!(
        diff("core.EphemeralContainer", &container("busybox"), &container("other")),
        "@@ -1,6 +1,6 @@\n {\n  \"Name\": \"dbg\",\n- \"Image\": \"busybox\",\n+ \"Image\": \"other\",\n  \"Command\": [\n   \"sh\"\n  ],\n"
    );
}

#[test]
fn field_sets_that_are_texts_are_written_as_they_are() {
    let object = |kind: &str| {
        json!({"apiVersion": "v1", "kind": kind, "fieldsV1": "{}", "metadata": {"fieldsV1": "{}", "managedFields": [
        {"manager": "m", "fieldsV1": "{\"f:b\":{},\"f:a\":{}}"}, {"fieldsV1": {}}]}})
    };
    for (kind, metadata) in [
        (
            "ConfigMap",
            r#"{"managedFields":[{"manager":"m","fieldsV1":{"f:b":{},"f:a":{}}},{"fieldsV1":{}}],"fieldsV1":"{}"}"#,
        ),
        (
            "Widget",
            r#"{"fieldsV1":"{}","managedFields":[{"fieldsV1":{"f:b":{},"f:a":{}},"manager":"m"},{"fieldsV1":{}}]}"#,
        ),
    ] {
        let text = String::from_utf8(to_vec(&object(kind))).unwrap();
        assert!(text.contains(metadata) && text.contains(r#""fieldsV1":"{}""#), "{text}");
    }
}
