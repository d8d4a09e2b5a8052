//! The server as the front of others: what APIServices say is honoured, with real kubectl in front.

use std::time::Duration;

use serde_json::{Value, json};
use tests::aggregated_server::{AggregatedServer, GROUP, STARS};
use tests::process::Process;
use tests::raw::{Protocol, Raw, Who, head, request};
use tests::{ControlPlane, Kubectl, Part, Store, eventually, on_each_store};
use tokio::runtime::Runtime;

on_each_store!(
    requests_go_to_another_server_as_the_user_who_made_them,
    kubectl_discovers_lists_and_watches_what_another_server_answers,
    connections_that_leave_http_pass_through,
    a_server_that_is_gone_takes_its_own_paths_with_it_alone,
    definitions_have_apiservices_for_as_long_as_they_serve,
    one_server_stands_behind_another,
    the_way_to_another_server_is_the_one_asked_for,
);

/// A front, the server behind it, and the runtime in which that one runs.
struct Sky {
    plane: ControlPlane,
    stars: AggregatedServer,
    runtime: Runtime,
}

impl Sky {
    fn start(store: Store) -> Self {
        let plane = ControlPlane::start(Part::ApiServer, store);
        let runtime = Runtime::new().unwrap();
        let stars = runtime.block_on(AggregatedServer::start(&plane.data_dir().join("pki/front-proxy-ca.crt")));
        plane.kubectl().run_with(&["apply", "-f", "-"], &stars.objects());
        let sky = Self { plane, stars, runtime };
        sky.wait_for("True", "Passed");
        sky
    }

    fn wait_for(&self, status: &str, reason: &str) {
        wait_for(&self.plane.kubectl(), &format!("v1.{GROUP}"), status, reason);
    }
}

/// Waits until an APIService says this of itself.
fn wait_for(kubectl: &Kubectl, name: &str, status: &str, reason: &str) {
    eventually(&format!("{name} is available: {status} ({reason})"), || {
        let service = kubectl.json(&["get", "apiservice", name]);
        let condition = &service["status"]["conditions"][0];
        if condition["status"] == status && condition["reason"] == reason { Ok(()) } else { Err(service.to_string()) }
    });
}

fn requests_go_to_another_server_as_the_user_who_made_them(store: Store) {
    let sky = Sky::start(store);
    let kubectl = sky.plane.kubectl();
    kubectl.run(&["get", "--raw", &format!("{STARS}?labelSelector=b%3D1&a=x")]);
    let seen = sky.stars.take_seen().pop().expect("a request");
    assert_eq!(seen.line, format!("GET {STARS}?a=x&labelSelector=b%3D1"));
    assert!(seen.by_proxy, "the front shows its certificate");
    assert_eq!(seen.all("x-remote-user"), ["kubernetes-admin"]);
    assert_eq!(seen.all("x-remote-group"), ["system:masters", "system:authenticated"]);

    // What a client says of itself goes no further, nor do its credentials.
    let forged = "X-Remote-User: eve\r\nX-Remote-Group: system:masters\r\nX-Remote-Extra-Key: value\r\n\
                  X-Remote-Uid: 0\r\nImpersonate-User: alice\r\nImpersonate-Group: system:masters\r\n\
                  Impersonate-Extra-Reason: test\r\nX-Forwarded-For: 192.0.2.1\r\nX-Mine: kept\r\n";
    let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", STARS, forged));
    assert_eq!(answer.code, 200, "{answer:?}");
    let seen = sky.stars.take_seen().pop().expect("a request");
    assert_eq!(seen.all("x-remote-user"), ["alice"]);
    assert_eq!(seen.all("x-remote-group"), ["system:masters", "system:authenticated"]);
    assert_eq!((seen.all("x-remote-extra-reason"), seen.all("x-remote-extra-key")), (vec!["test"], vec![]));
    assert_eq!(seen.all("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
    assert_eq!(seen.all("x-mine"), ["kept"]);
    assert_eq!(seen.all("x-remote-uid"), Vec::<&str>::new());
    let secret = seen.headers.iter().find(|(name, _)| name.starts_with("impersonate") || name == "authorization");
    assert_eq!(secret, None);

    // Bodies pass in both directions, errors as they are, and nobody is sent elsewhere.
    let large = vec![b'x'; 8 << 20];
    let answer = Raw::ask(&sky.plane, Who::Admin, &request("POST", &format!("{STARS}/sun/size"), "text/plain", &large));
    assert!(answer.body.contains("\"bytes\":8388608"), "{answer:?}");
    let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", &format!("{STARS}/sun/broken"), ""));
    assert_eq!(answer.code, 500);
    assert!(answer.body.contains("as it is") && !answer.head.contains("access-control"), "{answer:?}");
    let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", &format!("{STARS}/sun/elsewhere"), ""));
    assert_eq!(answer.code, 502);
    assert!(answer.body.contains("attempted to redirect this request"), "{answer:?}");

    // A path is what it is after it was decoded, here and there.
    sky.stars.take_seen();
    Raw::ask(&sky.plane, Who::Admin, &head("GET", "/apis/stars.example.com%2fv1/name%73paces/a%20b", ""));
    assert_eq!(sky.stars.take_seen().pop().expect("a request").line, format!("GET /apis/{GROUP}/v1/namespaces/a%20b"));
    for path in ["/apis//stars.example.com/v1/x", "//apis/stars.example.com/v1/x", "/apis/stars.example.com/v1x/y"] {
        assert_eq!(Raw::ask(&sky.plane, Who::Admin, &head("GET", path, "")).code, 404, "{path}");
        assert_eq!(sky.stars.take_seen(), [], "{path}");
    }
}

fn kubectl_discovers_lists_and_watches_what_another_server_answers(store: Store) {
    let sky = Sky::start(store);
    let kubectl = sky.plane.kubectl();
    eventually("its resources are discovered", || {
        let resources = kubectl.run(&["api-resources", "--api-group", GROUP]);
        if resources.contains("stars") && resources.contains(&format!("{GROUP}/v1")) { Ok(()) } else { Err(resources) }
    });
    assert!(kubectl.run(&["api-versions"]).contains(&format!("{GROUP}/v1")));
    assert!(kubectl.run(&["get", "st"]).contains("sun"));
    let groups: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", "/apis"])).unwrap();
    let names: Vec<&str> = groups["groups"].as_array().unwrap().iter().filter_map(|g| g["name"].as_str()).collect();
    assert_eq!(names.first(), Some(&"apiregistration.k8s.io"));
    assert_eq!(names.last(), Some(&GROUP), "its priority is the lowest: {names:?}");

    let mut watching = Process::start("kubectl", &mut kubectl.command(&["get", "stars", "--watch", "-o", "name"]));
    watching.line("the star there is", |line| line.contains("sun").then_some(()));
    sky.stars.appear("vega");
    watching.line("a star that appears", |line| line.contains("vega").then_some(()));
    // Whoever goes away is not answered any longer.
    watching.kill();
    eventually("no watch is left", || if sky.stars.watches() == 0 { Ok(()) } else { Err(sky.stars.watches()) });

    // A watch ends when its server does, and not as if it were complete.
    let mut raw = Raw::open(&sky.plane, Who::Admin, Protocol::Http1);
    raw.send(&head("GET", &format!("{STARS}?watch=true"), "")).unwrap();
    let mut seen = String::new();
    while !seen.contains("vega") {
        let bytes = raw.read();
        assert!(!bytes.is_empty(), "the watch ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes));
    }
    sky.stars.stop();
    let rest = String::from_utf8_lossy(&raw.rest()).into_owned();
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

fn connections_that_leave_http_pass_through(store: Store) {
    let sky = Sky::start(store);
    let mut raw = Raw::open(&sky.plane, Who::Admin, Protocol::Http1);
    let path = format!("{STARS}/sun/echo");
    let ask = format!("POST {path} HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    raw.send(ask.as_bytes()).unwrap();
    let mut read = String::new();
    while !read.contains("\r\n\r\n") {
        let bytes = raw.read();
        assert!(!bytes.is_empty(), "the connection ended: {read}");
        read.push_str(&String::from_utf8_lossy(&bytes));
    }
    let (answered, mut echoed) = read.split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(answered.starts_with("HTTP/1.1 101"), "{answered}");
    for word in ["hello", " ", "there", &"x".repeat(200_000)] {
        raw.send(word.as_bytes()).unwrap();
        let before = echoed.len();
        while echoed.len() < before + word.len() {
            let bytes = raw.read();
            assert!(!bytes.is_empty(), "the connection ended after {} bytes", echoed.len());
            echoed.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    assert_eq!(echoed, format!("hello there{}", "x".repeat(200_000)));
    let seen = sky.stars.take_seen().pop().expect("a request");
    assert_eq!((seen.all("x-remote-user"), seen.by_proxy), (vec!["kubernetes-admin"], true));
    sky.stars.stop();
    assert_eq!(raw.rest(), [0u8; 0], "both sides end together");
}

fn a_server_that_is_gone_takes_its_own_paths_with_it_alone(store: Store) {
    let mut sky = Sky::start(store);
    let kubectl = sky.plane.kubectl();
    sky.stars.stop();
    let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", STARS, ""));
    assert_eq!(answer.code, 503, "{answer:?}");
    sky.wait_for("False", "FailedDiscoveryCheck");
    let service = kubectl.json(&["get", "apiservice", &format!("v1.{GROUP}")]);
    let message = service["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("failing or missing response from https://localhost:"), "{message}");
    assert!(message.contains("connect: connection refused"), "{message}");
    for path in [STARS, "/apis/stars.example.com/v1", "/apis/stars.example.com/v1/anything"] {
        let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", path, ""));
        assert_eq!((answer.code, answer.body.as_str()), (503, "service unavailable\n"), "{path}: {answer:?}");
    }
    // The rest goes on: its group is still there, and everything of others works.
    let group: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", "/apis/stars.example.com"])).unwrap();
    assert_eq!(group["preferredVersion"]["version"], "v1");
    kubectl.run(&["create", "configmap", "c", "--from-literal=a=b"]);
    assert!(kubectl.run(&["get", "pods,configmaps"]).contains("configmap/c"));
    let accept = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n";
    eventually("what it serves is known to be stale", || {
        let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", "/apis", accept));
        if answer.body.contains("\"freshness\":\"Stale\"") { Ok(()) } else { Err(answer.head) }
    });

    // It comes back. How long until it is asked again depends on how long it was away.
    let Sky { stars, runtime, .. } = &mut sky;
    runtime.block_on(stars.restart());
    sky.wait_for("True", "Passed");
    assert!(kubectl.run(&["get", "--raw", STARS]).contains("sun"));

    // Without its service it is not asked at all, and without its APIService it was never there.
    kubectl.run(&["delete", "service", "stars"]);
    sky.wait_for("False", "ServiceNotFound");
    kubectl.run(&["delete", "apiservice", &format!("v1.{GROUP}")]);
    eventually("its paths are gone", || {
        let answer = Raw::ask(&sky.plane, Who::Admin, &head("GET", STARS, ""));
        if answer.code == 404 { Ok(()) } else { Err(format!("{answer:?}")) }
    });
}

fn definitions_have_apiservices_for_as_long_as_they_serve(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    let definition = definition(&[("v1", true), ("v1beta1", true)]);
    kubectl.run_with(&["apply", "-f", "-"], &definition);
    for version in ["v1", "v1beta1"] {
        wait_for_existence(&kubectl, &format!("{version}.{SPACE}"), true);
    }
    wait_for(&kubectl, &format!("v1.{SPACE}"), "True", "Local");
    let made = kubectl.json(&["get", "apiservice", &format!("v1.{SPACE}")]);
    assert_eq!(made["metadata"]["labels"], json!({"kube-aggregator.kubernetes.io/automanaged": "true"}));
    let spec = json!({"group": SPACE, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 100});
    assert_eq!(made["spec"], spec);

    // What is changed is mended, what is deleted is made anew.
    let name = format!("v1.{SPACE}");
    let change = "{\"spec\":{\"groupPriorityMinimum\":5}}";
    kubectl.run(&["patch", "apiservice", &name, "--type=merge", "-p", change]);
    eventually("it is mended", || {
        let service = kubectl.json(&["get", "apiservice", &name]);
        if service["spec"] == spec { Ok(()) } else { Err(service["spec"].to_string()) }
    });
    let before = kubectl.json(&["get", "apiservice", &name])["metadata"]["uid"].clone();
    kubectl.run(&["delete", "apiservice", &name]);
    eventually("it is made anew", || {
        let service = kubectl.attempt(&["get", "apiservice", &name, "-o", "jsonpath={.metadata.uid}"])?;
        if before == service.as_str() { Err("it is the old one".to_owned()) } else { Ok(()) }
    });

    kubectl.run_with(&["apply", "-f", "-"], &self::definition(&[("v1", true), ("v1beta1", false)]));
    wait_for_existence(&kubectl, &format!("v1beta1.{SPACE}"), false);
    kubectl.run(&["delete", "crd", &format!("planets.{SPACE}")]);
    wait_for_existence(&kubectl, &name, false);
    assert!(!kubectl.run(&["get", "--raw", "/apis"]).contains(SPACE));
}

fn wait_for_existence(kubectl: &Kubectl, name: &str, there: bool) {
    eventually(&format!("{name} is there: {there}"), || match kubectl.attempt(&["get", "apiservice", name]) {
        outcome if outcome.is_ok() == there => Ok(()),
        outcome => Err(format!("{outcome:?}")),
    });
}

const SPACE: &str = "space.example.com";

fn definition(versions: &[(&str, bool)]) -> String {
    let schema = json!({"openAPIV3Schema": {"type": "object", "description": "A planet is round.", "properties": {
        "spec": {"type": "object", "properties": {"moons": {"type": "integer", "description": "Those around it."}}}}}});
    let versions: Vec<Value> = versions
        .iter()
        .map(|(name, served)| json!({"name": name, "served": served, "storage": *name == "v1", "schema": schema}))
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("planets.{SPACE}")},
        "spec": {"group": SPACE, "scope": "Namespaced", "names": {"kind": "Planet", "plural": "planets"},
            "versions": versions}})
    .to_string()
}

fn one_server_stands_behind_another(store: Store) {
    let front = ControlPlane::start(Part::ApiServer, store);
    let authority = front.data_dir().join("pki/front-proxy-ca.crt");
    let authority = authority.to_str().unwrap();
    let mut behind = ControlPlane::start_with(
        Part::ApiServer,
        Store::Embedded,
        &[
            "--requestheader-client-ca-file",
            authority,
            "--requestheader-allowed-names",
            "front-proxy-client",
            "--requestheader-username-headers",
            "X-Remote-User",
            "--requestheader-group-headers",
            "X-Remote-Group",
            "--requestheader-extra-headers-prefix",
            "X-Remote-Extra-",
            "--tls-san",
            "planets.default.svc",
        ],
    );
    behind.kubectl().run_with(&["apply", "-f", "-"], &definition(&[("v1", true)]));
    behind.kubectl().run(&["wait", "--for=condition=Established", "crd", &format!("planets.{SPACE}")]);
    let kubectl = front.kubectl();
    let port: u16 = behind.url().rsplit(':').next().unwrap().parse().unwrap();
    let ca = std::fs::read(behind.data_dir().join("pki/ca.crt")).unwrap();
    let bundle = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, ca);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "planets", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": "localhost"}});
    let api_service = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": format!("v1.{SPACE}")},
        "spec": {"group": SPACE, "version": "v1", "groupPriorityMinimum": 2000, "versionPriority": 15,
            "service": {"namespace": "default", "name": "planets", "port": port}, "caBundle": bundle}});
    let both = json!({"apiVersion": "v1", "kind": "List", "items": [service, api_service]}).to_string();
    kubectl.run_with(&["apply", "-f", "-"], &both);
    let name = format!("v1.{SPACE}");
    wait_for(&kubectl, &name, "True", "Passed");

    let planet = |name: &str| {
        json!({"apiVersion": format!("{SPACE}/v1"), "kind": "Planet", "metadata": {"name": name},
            "spec": {"moons": 2}})
        .to_string()
    };
    let mut watching = Process::start("kubectl", &mut kubectl.command(&["get", "planets", "--watch", "-o", "name"]));
    kubectl.run_with(&["apply", "--server-side", "-f", "-"], &planet("mars"));
    watching.line("a planet that appears", |line| line.contains("mars").then_some(()));
    assert!(kubectl.run(&["get", "planets"]).contains("mars"));
    assert_eq!(behind.kubectl().json(&["get", "planet", "mars"])["spec"]["moons"], 2);
    let refused = kubectl.refused(&["get", "planet", "venus"], "");
    assert!(refused.contains("planets.space.example.com \"venus\" not found"), "{refused}");

    // How it describes itself is known in front, in either form.
    eventually("its API is described", || {
        let explained = kubectl.attempt(&["explain", "planet.spec.moons"])?;
        if explained.contains("Those around it.") { Ok(()) } else { Err(explained) }
    });
    let index = kubectl.run(&["get", "--raw", "/openapi/v3"]);
    assert!(index.contains("/openapi/v3/apis/space.example.com/v1?hash=") && index.contains("apis/apps/v1"), "{index}");
    let whole: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", "/openapi/v2"])).unwrap();
    assert!(whole["paths"]["/apis/space.example.com/v1/planets"].is_object());
    assert_eq!(whole["definitions"]["com.example.space.v1.Planet"]["description"], "A planet is round.");
    assert!(whole["definitions"]["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta_v2"].is_null(), "both say the same");

    behind.kill();
    kubectl.refused(&["get", "planets"], "");
    wait_for(&kubectl, &name, "False", "FailedDiscoveryCheck");
    let refused = kubectl.refused(&["get", "--raw", &format!("/apis/{SPACE}/v1/planets")], "");
    assert!(refused.contains("unable to handle the request") || refused.contains("service unavailable"), "{refused}");
    kubectl.run(&["get", "namespaces"]);
    behind.restart();
    wait_for(&kubectl, &name, "True", "Passed");
    kubectl.run(&["delete", "planet", "mars", &format!("--timeout={}s", Duration::from_secs(30).as_secs())]);
}

fn the_way_to_another_server_is_the_one_asked_for(store: Store) {
    let plane = ControlPlane::start_with(Part::ApiServer, store, &["--enable-aggregator-routing"]);
    let (kubectl, runtime) = (plane.kubectl(), Runtime::new().unwrap());
    let stars = runtime.block_on(AggregatedServer::start(&plane.data_dir().join("pki/front-proxy-ca.crt")));
    kubectl.run_with(&["apply", "-f", "-"], &stars.objects());
    let name = format!("v1.{GROUP}");
    wait_for(&kubectl, &name, "False", "FailedDiscoveryCheck");
    let service = kubectl.json(&["get", "apiservice", &name]);
    let message = service["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("unsupported service type \"ExternalName\""), "a name has no endpoints: {message}");
}
