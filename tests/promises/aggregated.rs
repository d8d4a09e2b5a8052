//! The server behind another one, with real kubectl in front: `apiserver --aggregated`.

use std::process::Command;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tests::authority::Authority;
use tests::behind::{APPS, Behind, NAMESPACE};
use tests::json_server::JsonServer;
use tests::process::{Process, binary};
use tests::raw::{Answer, Protocol, Raw, Shown, Who, head};
use tests::{ControlPlane, Kubectl, Store, eventually, on_each_store};
use tokio::runtime::Runtime;

on_each_store!(
    kubectl_in_front_works_with_what_is_served_behind,
    the_front_says_who_clients_are_and_what_they_may_do,
    whom_the_front_trusts_is_followed_as_it_changes,
    what_the_front_admits_is_admitted,
    namespaces_of_the_front_end_with_what_is_in_them,
    the_front_knows_what_definitions_add_and_take_away,
    replicas_show_certificates_of_one_authority,
);

const LIST: &str = "/apis/coxswain.dev/v1/namespaces/default/apps";

fn app(name: &str) -> String {
    json!({"apiVersion": "coxswain.dev/v1", "kind": "App", "metadata": {"name": name},
        "spec": {"image": "nginx", "replicas": 2}})
    .to_string()
}

fn kubectl_in_front_works_with_what_is_served_behind(store: Store) {
    let mut behind = Behind::start(store);
    let kubectl = behind.front.kubectl();
    eventually("Apps are discovered", || {
        let resources = kubectl.attempt(&["api-resources", "--api-group", "coxswain.dev"])?;
        if resources.contains("apps") { Ok(()) } else { Err(resources) }
    });
    let mut watching = Process::start("kubectl", &mut kubectl.command(&["get", "apps", "--watch", "-o", "name"]));
    assert!(kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]).contains("app.coxswain.dev/web created"));
    watching.line("an App that appears", |line| line.contains("web").then_some(()));
    kubectl.run_with(&["apply", "--server-side", "-f", "-"], &app("api"));
    kubectl.run(&["scale", "app/web", "--replicas", "5"]);
    assert_eq!(kubectl.json(&["get", "app", "web"])["spec"]["replicas"], 5);
    assert!(kubectl.run(&["get", "apps"]).lines().next().unwrap_or_default().contains("DESIRED"), "its columns");
    let missing = kubectl.refused(&["get", "app", "none"], "");
    assert_eq!(missing.trim(), "Error from server (NotFound): apps.coxswain.dev \"none\" not found");
    eventually("Apps are described", || {
        let explained = kubectl.attempt(&["explain", "app.spec.policy"])?;
        if explained.contains("FIELD: policy") { Ok(()) } else { Err(explained) }
    });
    let typo = app("typo").replace("replicas", "replica");
    let refused = kubectl.refused(&["create", "-f", "-"], &typo);
    assert!(refused.contains("unknown field \"spec.replica\""), "{refused}");
    kubectl.run(&["delete", "app", "web"]);
    assert_eq!(kubectl.run(&["get", "apps", "-o", "name"]).trim(), "app.coxswain.dev/api");

    // They are kept behind, and outlive the server there; the front knows no definition of them.
    kubectl.refused(&["get", "crd", "apps.coxswain.dev"], "");
    assert_eq!(behind.server.kubectl().run(&["get", "apps", "-o", "name"]).trim(), "app.coxswain.dev/api");
    behind.server.kill();
    let gone = kubectl.refused(&["get", "--raw", LIST], "");
    assert!(gone.contains("unable to handle the request") || gone.contains("service unavailable"), "{gone}");
    behind.wait_for(APPS, "False");
    kubectl.run(&["get", "namespaces"]);
    behind.server.restart();
    behind.wait_for(APPS, "True");
    assert_eq!(kubectl.run(&["get", "apps", "-o", "name"]).trim(), "app.coxswain.dev/api");

    // Nothing else is served there than what definitions add, and definitions.
    let server = behind.server.kubectl();
    let groups: Value = serde_json::from_str(&server.run(&["get", "--raw", "/apis"])).unwrap();
    let names: Vec<&str> = groups["groups"].as_array().unwrap().iter().filter_map(|g| g["name"].as_str()).collect();
    assert_eq!(names, ["apiextensions.k8s.io", "coxswain.dev"]);
    for path in ["/api", "/api/v1", "/api/v1/namespaces", "/apis/apps/v1/deployments"] {
        let answer = Raw::ask(&behind.server, Who::Admin, &head("GET", path, ""));
        assert_eq!((answer.code, answer.body.as_str()), (404, "404 page not found\n"), "{path}: {answer:?}");
    }
    let aggregated = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n";
    let answer = Raw::ask(&behind.server, Who::Admin, &head("GET", "/apis", aggregated));
    assert!(answer.body.contains("\"coxswain.dev\"") && !answer.body.contains("\"batch\""), "{answer:?}");
}

/// A pair of certificate and key files.
fn pair(plane: &ControlPlane, name: &str) -> Shown {
    let file = |end: &str| plane.data_dir().join(format!("pki/{name}.{end}"));
    let certificate = CertificateDer::from_pem_file(file("crt")).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_file(file("key")).unwrap())
}

fn ask(plane: &ControlPlane, shown: Option<Shown>, headers: &str) -> Answer {
    let mut raw = Raw::open_with(plane, shown, Protocol::Http1).unwrap();
    raw.send(&head("GET", LIST, headers)).unwrap();
    raw.answer()
}

fn the_front_says_who_clients_are_and_what_they_may_do(store: Store) {
    let Behind { front, server } = Behind::start(store);
    let kubectl = front.kubectl();
    kubectl.run_with(&["create", "-f", "-"], &app("web"));
    let forbidden = |user: &str| {
        format!(
            "apps.coxswain.dev is forbidden: User \"{user}\" cannot list resource \"apps\" in API group \
             \"coxswain.dev\" in the namespace \"default\""
        )
    };
    // Through the front.
    let refused = kubectl.refused(&["get", "apps", "--as", "alice"], "");
    assert_eq!(refused.trim(), format!("Error from server (Forbidden): {}", forbidden("alice")));
    let reads = ["create", "role", "reader", "--verb", "get,list", "--resource", "apps.coxswain.dev"];
    eventually("Apps are discovered", || kubectl.attempt(&reads));
    kubectl.run(&["create", "rolebinding", "alice", "--role", "reader", "--user", "alice"]);
    assert!(kubectl.run(&["get", "apps", "--as", "alice"]).contains("web"));
    kubectl.refused(&["delete", "app", "web", "--as", "alice"], "");

    // By a token of the front's, to the server itself.
    let direct = |name: &str| {
        kubectl.run(&["create", "serviceaccount", name]);
        Kubectl::new(front.account_at("default", name, server.url(), &server.authority()))
    };
    let (reader, other) = (direct("reader"), direct("other"));
    kubectl.run(&["create", "rolebinding", "reader", "--role", "reader", "--serviceaccount", "default:reader"]);
    assert!(reader.run(&["get", "apps"]).contains("web"));
    let refused = other.refused(&["get", "apps"], "");
    assert!(refused.contains(&forbidden("system:serviceaccount:default:other")), "{refused}");
    // The front is not asked the same again and again.
    let asked = || {
        let metrics = kubectl.run(&["get", "--raw", "/metrics"]);
        let of = |resource: &str| -> f64 {
            let counted = |line: &&str| line.starts_with("apiserver_request_total{") && line.contains(resource);
            metrics.lines().filter(counted).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        [of("\"tokenreviews\""), of("\"subjectaccessreviews\"")]
    };
    let before = asked();
    for _ in 0..20 {
        reader.run(&["get", "--raw", LIST]);
    }
    let after = asked();
    assert!(before.iter().all(|count| *count > 0.0), "{before:?}");
    for (before, after) in before.into_iter().zip(after) {
        assert!(after - before < 20.0, "{before} {after}");
    }
    let answer = Raw::ask(&server, Who::Anonymous, &head("GET", LIST, "Authorization: Bearer none.of.these\r\n"));
    assert_eq!(answer.code, 401, "{answer:?}");

    // By a certificate of the front's clients; what they say of themselves in headers counts for nothing.
    let forged = "X-Remote-User: alice\r\nX-Remote-Group: system:masters\r\n";
    let answer = ask(&server, Some(pair(&front, "node")), forged);
    let of_node = forbidden("system:coxswain:node").replace('"', "\\\"");
    assert!(answer.code == 403 && answer.body.contains(&of_node), "{answer:?}");
    let answer = ask(&server, None, forged);
    let of_nobody = forbidden("system:anonymous").replace('"', "\\\"");
    assert!(answer.code == 403 && answer.body.contains(&of_nobody), "{answer:?}");
    // With the front's own they are believed.
    let proxy = || Some(pair(&front, "front-proxy-client"));
    let answer = ask(&server, proxy(), "X-Remote-User: alice\r\n");
    assert!(answer.code == 200 && answer.body.contains("\"web\""), "{answer:?}");
    let answer = ask(&server, proxy(), "X-Remote-User: bob\r\n");
    assert!(answer.code == 403 && answer.body.contains("User \\\"bob\\\" cannot"), "{answer:?}");
    // A certificate of an authority that nobody named lets nobody in.
    let stranger = Authority::new("stranger").client("front-proxy-client", None);
    let answer = ask(&server, Some(shown(&stranger)), forged);
    assert_eq!(answer.code, 401, "{answer:?}");

    // Health is for everybody, and nothing else is.
    for (path, code) in [("/readyz", 200), ("/livez", 200), ("/healthz", 200), ("/apis", 403), ("/metrics", 403)] {
        assert_eq!(Raw::ask(&server, Who::Anonymous, &head("GET", path, "")).code, code, "{path}");
    }
}

fn shown(pair: &tests::authority::Pair) -> Shown {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap())
}

fn whom_the_front_trusts_is_followed_as_it_changes(store: Store) {
    let Behind { front, server } = Behind::start(store);
    let kubectl = front.kubectl().namespace("kube-system");
    let authority = Authority::new("another-proxy-authority");
    let pair = authority.client("another-proxy", None);
    let ask = || ask(&server, Some(shown(&pair)), "X-Remote-User: alice\r\n");
    assert_eq!(ask().code, 401);
    let name = "extension-apiserver-authentication";
    let said = kubectl.json(&["get", "configmap", name]);
    let text = |key: &str| said["data"][key].as_str().unwrap().to_owned();
    let change = |data: Value| {
        kubectl.run(&["patch", "configmap", name, "--type=merge", "-p", &json!({ "data": data }).to_string()])
    };
    let authorities = format!("{}{}", text("requestheader-client-ca-file"), authority.certificate());
    let names = "requestheader-allowed-names";
    change(json!({"requestheader-client-ca-file": authorities,
        names: json!(["front-proxy-client", "another-proxy"]).to_string()}));
    eventually("another proxy is believed", || {
        let answer = ask();
        if answer.code == 403 && answer.body.contains("User \\\"alice\\\"") {
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    });
    // Nonsense changes nothing; who is not named any longer is nobody.
    change(json!({"requestheader-username-headers": "X-Remote-User"}));
    change(json!({names: text(names), "requestheader-username-headers": text("requestheader-username-headers")}));
    eventually("it is not any longer", || {
        let answer = ask();
        if answer.code == 401 { Ok(()) } else { Err(format!("{answer:?}")) }
    });
    front.kubectl().run(&["get", "--raw", LIST]);
}

fn what_the_front_admits_is_admitted(store: Store) {
    let runtime = Runtime::new().unwrap();
    let behind = Behind::start(store);
    let kubectl = behind.front.kubectl();
    let missing =
        kubectl.refused(&["create", "--raw", "/apis/coxswain.dev/v1/namespaces/none/apps", "-f", "-"], &app("web"));
    assert!(missing.contains("namespaces \"none\" not found"), "{missing}");
    let webhook = runtime.block_on(JsonServer::start(&[], |_, review| {
        let request = &review["request"];
        let allowed = request["name"] != "bad";
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
            "uid": request["uid"], "allowed": allowed, "status": {"message": "it is bad"}}})
    }));
    let client = json!({"url": format!("https://{}/", webhook.address), "caBundle": webhook.ca_bundle()});
    let rule = json!({"apiGroups": ["coxswain.dev"], "apiVersions": ["*"], "resources": ["apps"],
        "operations": ["CREATE"]});
    let configuration = json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "bad"},
        "webhooks": [{"name": "bad.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": client, "rules": [rule]}]});
    kubectl.run_with(&["create", "-f", "-"], &configuration.to_string());
    eventually("the webhook is asked", || {
        let refused = kubectl.output(&["create", "--dry-run=server", "-f", "-"], &app("bad"));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        let expected = "admission webhook \"bad.example.com\" denied the request: it is bad";
        if said.contains(expected) { Ok(()) } else { Err(said) }
    });
    kubectl.run_with(&["create", "-f", "-"], &app("good"));
}

fn namespaces_of_the_front_end_with_what_is_in_them(store: Store) {
    let mut behind = Behind::start(store);
    let kubeconfig = behind.front.data_dir().join("controller-manager.kubeconfig");
    let mut controllers = Command::new(binary("controller-manager"));
    controllers.arg("--kubeconfig").arg(kubeconfig).arg("--controllers=namespace");
    let _controllers = Process::start("controller-manager", &mut controllers);
    let kubectl = behind.front.kubectl();
    for name in ["first", "second"] {
        kubectl.run(&["create", "namespace", name]);
        kubectl.run_with(&["create", "-n", name, "-f", "-"], &app("web"));
    }
    kubectl.run(&["delete", "namespace", "first", "--timeout=60s"]);
    let left = behind.server.kubectl().run(&["get", "apps", "--all-namespaces", "-o", "name"]);
    assert_eq!(left.trim(), "app.coxswain.dev/web", "the second's");

    // While nobody answers for what is in it, a namespace stays, and says why.
    behind.server.kill();
    kubectl.refused(&["get", "--raw", LIST], "");
    behind.wait_for(APPS, "False");
    kubectl.run(&["delete", "namespace", "second", "--wait=false"]);
    eventually("it says why it stays", || {
        let namespace = kubectl.json(&["get", "namespace", "second"]);
        let conditions = namespace["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let failed = conditions.iter().find(|c| c["type"] == "NamespaceDeletionDiscoveryFailure");
        match failed {
            Some(said) if said["status"] == "True" && said.to_string().contains("coxswain.dev/v1") => Ok(()),
            _ => Err(namespace.to_string()),
        }
    });
    behind.server.restart();
    kubectl.run(&["wait", "--for=delete", "namespace/second", "--timeout=120s"]);
    assert_eq!(behind.server.kubectl().run(&["get", "apps", "--all-namespaces", "-o", "name"]), "");
}

const SPACE: &str = "space.example.com";

fn planets(group: &str) -> String {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("planets.{group}")},
        "spec": {"group": group, "scope": "Cluster", "names": {"kind": "Planet", "plural": "planets"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    .to_string()
}

fn the_front_knows_what_definitions_add_and_take_away(store: Store) {
    let mut behind = Behind::start(store);
    let (kubectl, server) = (behind.front.kubectl(), behind.server.kubectl());
    server.run_with(&["create", "-f", "-"], &planets(SPACE));
    let name = format!("v1.{SPACE}");
    eventually("the front is told", || kubectl.attempt(&["get", "apiservice", &name]));
    behind.wait_for(&name, "True");
    let spec = &kubectl.json(&["get", "apiservice", &name])["spec"];
    assert_eq!((&spec["groupPriorityMinimum"], &spec["versionPriority"]), (&json!(1000), &json!(100)));
    let planet = json!({"apiVersion": format!("{SPACE}/v1"), "kind": "Planet", "metadata": {"name": "mars"}});
    eventually("planets are served", || kubectl.attempt_with(&["create", "-f", "-"], &planet.to_string()));
    server.run(&["delete", "crd", &format!("planets.{SPACE}")]);
    eventually("it is told that they are gone", || match kubectl.attempt(&["get", "apiservice", &name]) {
        Err(refused) if refused.contains("not found") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert!(!kubectl.run(&["get", "--raw", "/apis"]).contains(SPACE));

    // What the front serves itself stays its own.
    let own = "own.example.com";
    kubectl.run_with(&["create", "-f", "-"], &planets(own));
    let name = format!("v1.{own}");
    eventually("the front serves it", || kubectl.attempt(&["get", "apiservice", &name]));
    server.run_with(&["create", "-f", "-"], &planets(own));
    // One that was told of later shows that this one was looked at.
    server.run_with(&["create", "-f", "-"], &planets(SPACE));
    eventually("the front is told", || kubectl.attempt(&["get", "apiservice", &format!("v1.{SPACE}")]));
    assert!(kubectl.json(&["get", "apiservice", &name])["spec"]["service"].is_null());

    // Who takes away what the manifests installed leaves nothing behind.
    let kubeconfig = behind.front.data_dir().join("controller-manager.kubeconfig");
    let mut controllers = Command::new(binary("controller-manager"));
    controllers.arg("--kubeconfig").arg(kubeconfig).arg("--controllers=garbage-collector");
    let _controllers = Process::start("controller-manager", &mut controllers);
    kubectl.run(&["create", "configmap", "owner"]);
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
        "uid": kubectl.json(&["get", "configmap", "owner"])["metadata"]["uid"]});
    let owned = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [owner]}});
    kubectl.run_with(&["create", "-f", "-"], &owned.to_string());
    kubectl.run(&["delete", "configmap", "owner"]);
    kubectl.run(&["wait", "--for=delete", "configmap/owned", "--timeout=60s"]);
    behind.server.kill();
    kubectl.run(&["delete", "apiservice", APPS]);
    kubectl.run(&["wait", "--for=delete", "apiservice", &format!("v1.{SPACE}"), "--timeout=60s"]);
    kubectl.run(&["get", "apiservice", &name]);
}

fn replicas_show_certificates_of_one_authority(store: Store) {
    let etcd = match &store {
        Store::Etcd(etcd) => Some(format!("--etcd-servers={}", etcd.url())),
        Store::Embedded => None,
    };
    let mut behind = Behind::start(store);
    let kubectl = behind.front.kubectl();
    // The authority is kept in a secret, for other replicas, and is whom the front trusts.
    let secret = kubectl.json(&["get", "secret", "coxswain-serving-ca", "-n", NAMESPACE]);
    let trusted = kubectl.json(&["get", "apiservice", APPS])["spec"]["caBundle"].clone();
    assert_eq!(secret["data"]["ca.crt"], trusted);
    kubectl.run_with(&["create", "-f", "-"], &app("web"));
    let flags: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let replica = behind.replica(Store::Embedded, &flags);
    let authority = |plane: &ControlPlane| std::fs::read_to_string(plane.authority()).unwrap();
    assert_eq!(authority(&replica), authority(&behind.server));
    behind.server.kill();
    behind.wait_for(APPS, "True");
    eventually("it answers", || {
        let found = kubectl.attempt(&["get", "--raw", LIST])?;
        // Over one store they keep the same.
        if etcd.is_none() || found.contains("\"web\"") { Ok(()) } else { Err(found) }
    });
}
