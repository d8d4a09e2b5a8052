use super::families::settle;
use super::*;

fn service(spec: Value) -> Value {
    let mut service = json!({"metadata": {"name": "s"}, "spec": spec});
    Service.apply_defaults(&mut service);
    carry_over(&mut service, None);
    settle(&mut service, None, &["IPv4"]).unwrap();
    service
}

fn said(errors: ErrorList) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_headless_service_without_selector_has_both_families() {
    let cases = [
        (json!({"clusterIP": "None"}), json!(["IPv4", "IPv6"]), "RequireDualStack"),
        (json!({"clusterIP": "None", "selector": {"a": "b"}}), json!(["IPv4"]), "SingleStack"),
        (json!({"clusterIP": "None", "ipFamilyPolicy": "SingleStack"}), json!(["IPv4"]), "SingleStack"),
        (json!({}), json!(["IPv4"]), "SingleStack"),
    ];
    for (spec, families, policy) in cases {
        let made = service(spec.clone());
        let got = (&made["spec"]["ipFamilies"], &made["spec"]["ipFamilyPolicy"]);
        assert_eq!(got, (&families, &json!(policy)), "{spec}");
    }
}

#[test]
fn families_that_the_cluster_has_not_are_refused() {
    for (spec, words) in [
        (json!({"ipFamilyPolicy": "RequireDualStack"}), "this cluster is not configured for dual-stack services"),
        (
            json!({"ipFamilies": ["IPv6"]}),
            "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
        ),
        (json!({"ipFamilies": ["IPv4", "IPv6"]}), "when multiple IP families are specified"),
        (json!({"clusterIP": "fd00::1"}), "[\"fd00::1\"]: IPv6 is not configured on this cluster"),
        (json!({"ipFamilies": ["IPv4", "IPv4"]}), "spec.ipFamilies[1]: Duplicate value: \"IPv4\""),
    ] {
        let mut service = json!({"spec": spec});
        Service.apply_defaults(&mut service);
        carry_over(&mut service, None);
        let errors = said(settle(&mut service, None, &["IPv4"]).unwrap_err());
        assert!(errors.len() == 1 && errors[0].contains(words), "{spec}: {errors:?}");
    }
}

#[test]
fn affinity_keeps_its_settings_only_while_it_is_on() {
    let settings = json!({"clientIP": {"timeoutSeconds": 5}});
    let off = service(json!({"sessionAffinity": "None", "sessionAffinityConfig": settings}));
    assert_eq!(off["spec"].get("sessionAffinityConfig"), None);
    let on = service(json!({"sessionAffinity": "ClientIP"}));
    assert_eq!(on["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10800);
}

#[test]
fn ports_and_affinity_are_checked() {
    let wrong = service(json!({"clusterIP": "None", "sessionAffinity": "Sometimes",
        "ports": [{"port": 70000}, {"name": "http", "port": 80}, {"name": "http", "port": 81, "targetPort": "web"}]}));
    assert_eq!(
        said(validate::service(&wrong, None)),
        [
            "spec.ports[0].name: Required value",
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.ports[2].name: Duplicate value: \"http\"",
            "spec.sessionAffinity: Unsupported value: \"Sometimes\": supported values: \"ClientIP\", \"None\"",
        ]
    );
    assert_eq!(validate::service(&service(json!({})), None).len(), 1, "a service with an address needs ports");
}

#[test]
fn what_a_headless_service_ignores_is_warned_of() {
    let ignored = service(json!({"clusterIP": "None", "externalIPs": ["192.0.2.1"], "sessionAffinity": "ClientIP"}));
    assert_eq!(
        validate::warnings(&ignored),
        ["spec.externalIPs is ignored for headless services", "spec.SessionAffinity is ignored for headless services"]
    );
    assert!(validate::warnings(&service(json!({"sessionAffinity": "ClientIP"}))).is_empty());
}

#[test]
fn what_the_server_filled_in_follows_the_type() {
    let old = service(json!({"type": "NodePort", "clusterIP": "10.0.0.9", "ports": [{"port": 80, "nodePort": 30001}]}));
    let mut external = old.clone();
    external["spec"]["type"] = json!("ExternalName");
    external["spec"]["externalName"] = json!("a.example.com");
    transition::drop_what_the_type_has_not(&mut external, &old);
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "externalTrafficPolicy"] {
        assert_eq!(external["spec"].get(field), None, "{field}");
    }
    assert_eq!(external["spec"]["ports"][0].get("nodePort"), None);
    let mut again = json!({"spec": {"type": "NodePort", "ports": [{"port": 81}]}});
    Service.apply_defaults(&mut again);
    carry_over(&mut again, Some(&old));
    assert_eq!(again["spec"]["ports"][0]["nodePort"], 30001);
    assert_eq!(again["spec"]["clusterIPs"], json!(["10.0.0.9"]));
}
