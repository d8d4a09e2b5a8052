//! `kube-apiserver`, the stand-in: harnesses start it as they start upstream's.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config};
use tempfile::TempDir;
use tests::authority::Authority;
use tests::etcd::free_port;
use tests::process::{Process, binary};
use tests::{Kubectl, Store, eventually, on_each_store};

on_each_store!(it_serves_with_the_flags_and_certificates_of_envtest);

/// What envtest keeps: a folder of certificates that it made, an authority for its users, and the process.
struct Harness {
    process: Process,
    /// Certificates, keys and kubeconfigs.
    folder: TempDir,
    /// Where the program may put files of its own.
    temporary: TempDir,
    users: Authority,
    serving: Authority,
    url: String,
    _store: Store,
}

impl Harness {
    /// Starts it as controller-runtime's envtest does, with further flags and environment.
    fn start(store: Store, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (serving, users) = (Authority::new("envtest-environment"), Authority::new("envtest-users"));
        serving.server(&["localhost", "127.0.0.1", "::1", "kubernetes.default.svc"]).write(folder.path(), "apiserver");
        Authority::new("sa").server(&[]).write(folder.path(), "sa-signer");
        std::fs::write(folder.path().join("client-cert-auth-ca.crt"), users.certificate()).unwrap();
        let port = free_port().to_string();
        let url = format!("https://127.0.0.1:{port}");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new(binary("kube-apiserver"));
        command.env("TMPDIR", temporary.path()).envs(environment.iter().copied()).args([
            "--allow-privileged=true".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", folder.path().display()),
            format!("--client-ca-file={}", file("client-cert-auth-ca.crt")),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            format!("--secure-port={port}"),
            format!("--service-account-issuer={url}/"),
            format!("--service-account-key-file={}", file("sa-signer.crt")),
            format!("--service-account-signing-key-file={}", file("sa-signer.key")),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        ]);
        if let Store::Etcd(etcd) = &store {
            command.arg(format!("--etcd-servers={}", etcd.url()));
        }
        let process = Process::start("kube-apiserver", command.args(flags));
        Self { process, folder, temporary, users, serving, url, _store: store }
    }

    /// kubectl as a user that the harness signs a certificate for; returns once the server says that it is healthy.
    fn kubectl(&mut self, user: &str, group: Option<&str>) -> Kubectl {
        let (certificate, key) = self.users.client(user, group).write(self.folder.path(), user);
        let authority = self.file("serving-ca.crt", self.serving.certificate());
        let kubeconfig = self.file(
            &format!("{user}.kubeconfig"),
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                 clusters: [{{name: c, cluster: {{server: {:?}, certificate-authority: {authority:?}}}}}]\n\
                 users: [{{name: u, user: {{client-certificate: {certificate:?}, client-key: {key:?}}}}}]\n\
                 contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
                self.url
            ),
        );
        let kubectl = Kubectl::new(kubeconfig);
        eventually("the server is healthy", || {
            assert!(self.process.running(), "it ended:\n{}", self.process.output());
            kubectl.attempt(&["get", "--raw", "/healthz"])
        });
        kubectl
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn it_serves_with_the_flags_and_certificates_of_envtest(store: Store) {
    let mut harness = Harness::start(store, &["--feature-gates=InPlacePodVerticalScaling=true", "-v=1"], &[]);
    let admin = harness.kubectl("admin", Some("system:masters"));
    admin.run(&["create", "configmap", "c", "--from-literal=k=v"]);
    assert_eq!(admin.run(&["get", "configmap", "c", "-o", "jsonpath={.data.k}"]), "v");
    let somebody = harness.kubectl("somebody", None);
    let refused = somebody.refused(&["get", "configmaps"], "");
    assert!(refused.contains("User \"somebody\" cannot list resource \"configmaps\""), "{refused}");
    let said = harness.process.output();
    assert!(said.contains("--feature-gates: features stand at the defaults of 1.36"), "{said}");

    assert!(harness.process.terminate().success(), "{}", harness.process.output());
    let left: Vec<_> =
        std::fs::read_dir(harness.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "it left behind {left:?}");
}

#[test]
fn what_runtime_config_turns_off_is_not_served() {
    let flags = ["--runtime-config=apps/v1=false,batch/v1/jobs=false"];
    let mut harness = Harness::start(Store::Embedded, &flags, &[]);
    let kubectl = harness.kubectl("admin", Some("system:masters"));
    let served = kubectl.run(&["api-resources", "--no-headers", "-o", "name"]);
    let serves = |name: &str| served.lines().any(|line| line == name);
    assert!(serves("cronjobs.batch") && serves("pods"), "{served}");
    assert!(!serves("deployments.apps") && !serves("jobs.batch"), "{served}");
    let gone = kubectl.refused(&["get", "--raw", "/apis/apps/v1/deployments"], "");
    assert!(gone.contains("the server could not find the requested resource"), "{gone}");
}

#[test]
fn garbage_is_collected_and_namespaces_end_inside_it_where_asked_for() {
    let environment = [("COXSWAIN_CONTROLLERS", "garbage-collector,namespace")];
    let mut harness = Harness::start(Store::Embedded, &[], &environment);
    let kubectl = harness.kubectl("admin", Some("system:masters"));
    kubectl.run(&["create", "namespace", "gone"]);
    kubectl.run(&["create", "configmap", "owner", "-n", "gone"]);
    let uid = kubectl.run(&["get", "configmap", "owner", "-n", "gone", "-o", "jsonpath={.metadata.uid}"]);
    kubectl.run_with(
        &["create", "-n", "gone", "-f", "-"],
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: owned, ownerReferences: [\
             {{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}}}]}}\n"
        ),
    );
    kubectl.run(&["delete", "configmap", "owner", "-n", "gone"]);
    kubectl.run(&["wait", "--for=delete", "secret/owned", "-n", "gone", "--timeout=60s"]);
    kubectl.run(&["delete", "namespace", "gone", "--timeout=60s"]);
    assert!(harness.process.terminate().success(), "{}", harness.process.output());
}

#[test]
fn without_being_asked_it_collects_nothing_as_upstream_does() {
    let mut harness = Harness::start(Store::Embedded, &[], &[]);
    let kubectl = harness.kubectl("admin", Some("system:masters"));
    kubectl.run(&["create", "namespace", "stays"]);
    kubectl.run(&["delete", "namespace", "stays", "--wait=false"]);
    let phase = kubectl.run(&["get", "namespace", "stays", "-o", "jsonpath={.status.phase}"]);
    assert_eq!(phase, "Terminating");
}

#[test]
fn it_says_what_it_is_and_refuses_what_it_cannot_be() {
    let run = |arguments: &[&str]| {
        let output = Command::new(binary("kube-apiserver")).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (_, version, _) = run(&["--version"]);
    assert!(version.starts_with("Kubernetes v1.36."), "{version}");
    // envtest looks here for flags of older versions.
    let (_, help, _) = run(&["--help"]);
    assert!(help.contains("--etcd-servers") && !help.contains("--insecure-port"), "{help}");
    for (flag, words) in [
        ("--insecure-port=8080", "--insecure-port"),
        ("--encryption-provider-config=/x", "not encrypted"),
        ("--runtime-config=none.example.com/v1=true", "unknown api groups none.example.com/v1"),
    ] {
        let (good, _, error) = run(&["--secure-port=0", "--authorization-mode=RBAC", flag]);
        assert!(!good && error.contains(words) && error.trim().lines().count() == 1, "{flag}: {error}");
    }
}

/// The README's lines for kube-rs, but for where the program is.
async fn as_in_the_readme(folder: &TempDir) -> Result<(Child, kube::Client), Box<dyn std::error::Error>> {
    let mut server = Command::new(binary("kube-apiserver"))
        .args(["--bind-address=127.0.0.1", "--secure-port=0", "--data-dir"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()?;
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut String::new())?; // it is ready
    let config = Kubeconfig::read_from(folder.path().join("kubeconfig"))?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok((server, kube::Client::try_from(config)?))
}

#[test]
fn the_readmes_lines_for_kube_rs_work() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut server = runtime.block_on(async {
        let (server, client) = as_in_the_readme(&folder).await.unwrap();
        let maps = Api::<ConfigMap>::default_namespaced(client);
        let map = ConfigMap {
            metadata: kube::core::ObjectMeta { name: Some("a".into()), ..Default::default() },
            ..Default::default()
        };
        maps.create(&Default::default(), &map).await.unwrap();
        assert_eq!(maps.list(&Default::default()).await.unwrap().items.len(), 1);
        server
    });
    // Nobody reads what it prints any more; it ends in order all the same.
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    assert!(server.wait().unwrap().success());
}
