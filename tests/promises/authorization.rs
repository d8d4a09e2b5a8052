//! Who may do what, with real kubectl.

use serde_json::{Value, json};
use tests::authorization_webhook::AuthorizationWebhook;
use tests::decisions::Decisions;
use tests::{ControlPlane, Part, Store, on_each_store};
use tokio::runtime::Runtime;

on_each_store!(
    a_binding_counts_from_the_moment_it_is_written,
    nobody_gives_what_they_do_not_have,
    default_roles_come_back_with_the_next_start,
    operators_are_refused_nothing_they_need,
    another_server_is_asked_in_its_turn_what_users_may_do,
);

fn a_binding_counts_from_the_moment_it_is_written(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    let forbidden = r#"Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default""#;
    let refused = || kubectl.refused(&["get", "pods", "--as", "alice"], "");
    assert_eq!(refused().trim(), forbidden);
    kubectl.run(&["create", "role", "reader", "--verb", "get,list", "--resource", "pods"]);
    kubectl.run(&["create", "rolebinding", "reader", "--role", "reader", "--user", "alice"]);
    kubectl.run(&["get", "pods", "--as", "alice"]);
    assert_eq!(kubectl.run(&["auth", "can-i", "list", "pods", "--as", "alice"]).trim(), "yes");
    assert_eq!(kubectl.refused(&["auth", "can-i", "delete", "pods", "--as", "alice"], "").trim(), "no");
    let listed = kubectl.run(&["auth", "can-i", "--list", "--as", "alice"]);
    let of_pods: Vec<&str> = listed.lines().filter(|line| line.starts_with("pods ")).collect();
    assert!(of_pods.len() == 1 && of_pods[0].ends_with("[get list]"), "{listed}");
    kubectl.run(&["delete", "role", "reader"]);
    let missing = r#"RBAC: role.rbac.authorization.k8s.io "reader" not found"#;
    assert_eq!(refused().trim(), format!("{forbidden}: {missing}"));
    kubectl.run(&["delete", "rolebinding", "reader"]);
    assert_eq!(refused().trim(), forbidden);
}

fn nobody_gives_what_they_do_not_have(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run(&["create", "rolebinding", "admin", "--clusterrole", "admin", "--user", "alice"]);
    let held = ["create", "role", "held", "--verb", "get", "--resource", "secrets", "--as", "alice"];
    kubectl.run(&held);
    let words = "is forbidden: user \"alice\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC \
                 permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"list\"]}";
    let role = ["create", "role", "more", "--verb", "get,list", "--resource", "nodes", "--as", "alice"];
    let refused = kubectl.refused(&role, "");
    assert!(refused.contains(words), "{refused}");
    let binding = ["create", "rolebinding", "all", "--clusterrole", "cluster-admin", "--user", "bob", "--as", "alice"];
    let refused = kubectl.refused(&binding, "");
    assert!(refused.contains("{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"), "{refused}");
    kubectl.run(&["create", "role", "grants", "--verb", "escalate", "--resource", "roles"]);
    kubectl.run(&["create", "rolebinding", "grants", "--role", "grants", "--user", "alice"]);
    kubectl.run(&role);
}

fn default_roles_come_back_with_the_next_start(store: Store) {
    let mut plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run(&["delete", "clusterrole", "system:discovery"]);
    let fewer = r#"[{"op": "replace", "path": "/rules", "value": [{"nonResourceURLs": ["/more"], "verbs": ["get"]}]}]"#;
    kubectl.run(&["patch", "clusterrole", "system:public-info-viewer", "--type", "json", "-p", fewer]);
    let kept = ["annotate", "clusterrole", "system:monitoring", "--overwrite"];
    kubectl.run(&[&kept[..], &["rbac.authorization.kubernetes.io/autoupdate=false"]].concat());
    kubectl.run(&["patch", "clusterrole", "system:monitoring", "--type", "json", "-p", fewer]);
    plane.kill();
    plane.restart();
    kubectl.run(&["get", "clusterrole", "system:discovery"]);
    let urls = |role: &str| kubectl.run(&["get", "clusterrole", role, "-o", "jsonpath={.rules[*].nonResourceURLs[*]}"]);
    assert_eq!(urls("system:public-info-viewer"), "/more /healthz /livez /readyz /version /version/");
    assert_eq!(urls("system:monitoring"), "/more", "who says so keeps a role as it is");
}

fn operators_are_refused_nothing_they_need(store: Store) {
    let mut plane = ControlPlane::start_with(Part::Everything, store, &["-v=4"]);
    let kubectl = plane.kubectl();
    kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]);
    kubectl.run(&["wait", "app/web", "--for=condition=Available", "--timeout=60s"]);
    kubectl.run(&["scale", "app/web", "--replicas=1"]);
    kubectl.run(&["create", "deployment", "web", "--image", "nginx", "--replicas", "2"]);
    kubectl.run(&["create", "job", "once", "--image", "busybox"]);
    kubectl.run(&["wait", "deployment/web", "--for", "condition=Available", "--timeout", "60s"]);
    kubectl.run(&["wait", "job/once", "--for", "condition=Complete", "--timeout", "60s"]);
    kubectl.run(&["create", "namespace", "going"]);
    kubectl.run(&["delete", "namespace", "going"]);
    kubectl.run(&["delete", "deployment", "web"]);
    kubectl.run(&["delete", "app", "web"]);
    let metrics = kubectl.run(&["get", "--raw", "/metrics"]);
    let refused: Vec<&str> = metrics.lines().filter(|line| line.contains("code=\"403\"")).collect();
    assert!(refused.is_empty(), "somebody was refused:\n{}", refused.join("\n"));
    for (user, verb, resource) in [
        ("system:kube-scheduler", "delete", "nodes"),
        ("system:coxswain:node", "get", "secrets"),
        ("system:coxswain:admission-webhook", "create", "pods"),
    ] {
        let asked = ["auth", "can-i", verb, resource, "--all-namespaces", "--as", user];
        let answer = kubectl.refused(&asked, "");
        assert!(answer.starts_with("no"), "{user} may {verb} {resource}: {answer}");
    }
    let decisions = Decisions::of(&plane.process().output());
    let mut unused = Vec::new();
    for (role, user) in [
        ("controller-manager", "system:kube-controller-manager"),
        ("scheduler", "system:kube-scheduler"),
        ("admission-webhook", "system:coxswain:admission-webhook"),
        ("node", "system:coxswain:node"),
    ] {
        assert_eq!(decisions.refused(user), [""; 0], "{user} was refused");
        let role = kubectl.run(&["get", "clusterrole", &format!("system:coxswain:{role}"), "-o", "json"]);
        let role: Value = serde_json::from_str(&role).unwrap();
        unused.extend(
            decisions
                .unused(user, role["rules"].as_array().unwrap())
                .into_iter()
                .map(|right| format!("{user}: {right}")),
        );
    }
    // What is needed, but not every day: repeated events, objects that were there before, and what the server asks within.
    let seldom = |right: &str| {
        right.contains(": patch events.")
            || right.contains("update apps/finalizers.")
            || right.contains("create mutatingwebhookconfigurations.")
            || right.contains("create validatingwebhookconfigurations.")
            || right.starts_with("system:coxswain:admission-webhook: create events.")
            || right.starts_with("system:coxswain:node: patch nodes.")
    };
    unused.retain(|right| !seldom(right));
    assert_eq!(unused, [""; 0], "rights that were never used");
}

/// Alice may read, Eve nothing at all, of others there is nothing to say.
fn rule(spec: &Value) -> Value {
    match spec["user"].as_str() {
        Some("alice") => json!({"allowed": spec["resourceAttributes"]["verb"] == "list", "reason": "only to read"}),
        Some("eve") => json!({"allowed": false, "denied": true, "reason": "Eve listens"}),
        _ => json!({"allowed": false}),
    }
}

fn another_server_is_asked_in_its_turn_what_users_may_do(store: Store) {
    let runtime = Runtime::new().unwrap();
    let webhook = runtime.block_on(AuthorizationWebhook::start(rule));
    let folder = tempfile::tempdir().unwrap();
    let file = webhook.kubeconfig(folder.path(), "t0p-s3cret");
    let file = format!("--authorization-webhook-config-file={}", file.display());
    let flags = |modes: &'static str| [modes, "--authorization-webhook-version=v1", &*file].map(str::to_owned);
    let start = |store, modes| {
        let flags = flags(modes);
        ControlPlane::start_with(Part::ApiServer, store, &flags.each_ref().map(String::as_str))
    };
    let plane = start(store, "--authorization-mode=Webhook,RBAC");
    let kubectl = plane.kubectl();
    for user in ["bob", "eve"] {
        kubectl.run(&["create", "rolebinding", user, "--clusterrole", "view", "--user", user]);
    }
    let list =
        |user: &'static str| ["get", "--raw", "/api/v1/namespaces/default/pods?labelSelector=a%3Db", "--as", user];
    kubectl.run(&list("alice"));
    kubectl.run(&list("alice"));
    let asked = webhook.take_questions("alice");
    assert_eq!(asked.len(), 1, "the answer is remembered: {asked:?}");
    assert_eq!(asked[0].api_version, "authorization.k8s.io/v1");
    assert_eq!(asked[0].authorization, "Bearer t0p-s3cret");
    let selector = json!({"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]});
    let of_pods = json!({"namespace": "default", "verb": "list", "version": "v1", "resource": "pods",
        "labelSelector": selector});
    let spec = json!({"user": "alice", "groups": ["system:authenticated"], "resourceAttributes": of_pods});
    assert_eq!(asked[0].spec, spec);

    // What it refuses nobody grants, of what it has no opinion others decide.
    let refused = kubectl.refused(&list("eve"), "");
    assert!(refused.contains("User \"eve\" cannot list resource \"pods\""), "{refused}");
    assert!(refused.trim_end().ends_with(": Eve listens"), "{refused}");
    kubectl.run(&list("bob"));
    assert_eq!(webhook.take_questions("bob").len(), 1);
    let delete = ["delete", "--raw", "/api/v1/namespaces/default/pods/p", "--as", "alice"];
    let refused = kubectl.refused(&delete, "");
    assert!(refused.trim_end().ends_with("in the namespace \"default\": only to read"), "{refused}");
    // Members of system:masters are never asked about.
    assert_eq!(webhook.take_questions("kubernetes-admin"), []);

    // The order is the command line's.
    let other = start(Store::Embedded, "--authorization-mode=RBAC,Webhook");
    other.kubectl().run(&["create", "rolebinding", "eve", "--clusterrole", "view", "--user", "eve"]);
    webhook.take_questions("eve");
    other.kubectl().run(&list("eve"));
    assert_eq!(webhook.take_questions("eve"), []);

    // Where it does not answer, who is not known to be allowed is not refused either: it could not be found out.
    runtime.shutdown_background();
    let failed = kubectl.refused(&list("carol"), "");
    assert!(failed.contains("InternalError") && failed.contains("/authorize"), "{failed}");
    kubectl.run(&list("alice"));
    kubectl.run(&["get", "namespaces"]);
}
