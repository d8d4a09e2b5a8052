//! kube-rs against the server: what operators written in Rust rely on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::App;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tests::wait::eventually_async;
use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(
    api_creates_reads_patches_lists_in_pages_and_deletes,
    a_watcher_sees_every_change_with_and_without_streaming_lists,
    a_reflector_holds_what_the_server_holds,
    a_controller_reconciles_a_custom_resource_and_writes_its_status,
);

fn with_plane<F: Future<Output = ()>>(store: Store, part: Part, test: impl FnOnce(Client) -> F) {
    let plane = ControlPlane::start(part, store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { test(tests::kube_client(&plane.kubeconfig()).await).await });
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"by": "tests"}}, "data": {"k": value}}))
        .unwrap()
}

fn value(object: &ConfigMap) -> &str {
    object.data.as_ref().and_then(|data| data.get("k")).map_or("", String::as_str)
}

fn api_creates_reads_patches_lists_in_pages_and_deletes(store: Store) {
    with_plane(store, Part::ApiServer, |client| async move {
        let api: Api<ConfigMap> = Api::namespaced(client, "default");
        let created = api.create(&PostParams::default(), &config_map("one", "a")).await.unwrap();
        assert!(created.uid().is_some() && created.creation_timestamp().is_some());
        let mut replaced = created.clone();
        replaced.data = Some([("k".to_owned(), "b".to_owned())].into());
        let replaced = api.replace("one", &PostParams::default(), &replaced).await.unwrap();
        let stale = api.replace("one", &PostParams::default(), &created).await.unwrap_err();
        assert!(
            matches!(&stale, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict"),
            "{stale}"
        );
        let patched =
            api.patch("one", &PatchParams::default(), &Patch::Merge(json!({"data": {"l": "c"}}))).await.unwrap();
        assert_ne!(patched.resource_version(), replaced.resource_version());
        let apply = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"m": "d"}});
        let applied = api.patch("one", &PatchParams::apply("tests"), &Patch::Apply(apply)).await.unwrap();
        assert_eq!(applied.data.unwrap().into_iter().map(|(k, v)| k + &v).collect::<String>(), "kblcmd");
        for n in 0..9 {
            api.create(&PostParams::default(), &config_map(&format!("p{n}"), "x")).await.unwrap();
        }
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let mut page = ListParams::default().labels("by=tests").limit(4);
            page.continue_token = token;
            let list = api.list(&page).await.unwrap();
            names.extend(list.items.iter().map(|object| object.name_any()));
            token = list.metadata.continue_.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        assert_eq!(names, ["one", "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]);
        api.delete("one", &DeleteParams::default()).await.unwrap();
        assert!(api.get_opt("one").await.unwrap().is_none());
        api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("by=tests")).await.unwrap();
        assert!(api.list(&ListParams::default().labels("by=tests")).await.unwrap().items.is_empty());
    });
}

fn a_watcher_sees_every_change_with_and_without_streaming_lists(store: Store) {
    with_plane(store, Part::ApiServer, |client| async move {
        let api: Api<ConfigMap> = Api::namespaced(client, "default");
        for (round, config) in
            [watcher::Config::default(), watcher::Config::default().streaming_lists()].into_iter().enumerate()
        {
            let name = |n: usize| format!("r{round}-{n}");
            api.create(&PostParams::default(), &config_map(&name(0), "a")).await.unwrap();
            let mut events = watch(api.clone(), config.labels("by=tests")).boxed();
            let mut initial = Vec::new();
            loop {
                match events.try_next().await.unwrap().unwrap() {
                    Event::InitApply(object) => initial.push(object.name_any()),
                    Event::InitDone => break,
                    Event::Init => {}
                    other => panic!("before the initial list is done: {other:?}"),
                }
            }
            assert!(initial.contains(&name(0)), "{initial:?}");
            api.create(&PostParams::default(), &config_map(&name(1), "b")).await.unwrap();
            api.patch(&name(1), &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "c"}}))).await.unwrap();
            api.delete(&name(0), &DeleteParams::default()).await.unwrap();
            let mut seen = Vec::new();
            while seen.len() < 3 {
                seen.push(match events.try_next().await.unwrap().unwrap() {
                    Event::Apply(object) => format!("{}={}", object.name_any(), value(&object)),
                    Event::Delete(object) => format!("-{}", object.name_any()),
                    other => format!("{other:?}"),
                });
            }
            assert_eq!(seen, [format!("{}=b", name(1)), format!("{}=c", name(1)), format!("-{}", name(0))]);
        }
    });
}

fn a_reflector_holds_what_the_server_holds(store: Store) {
    with_plane(store, Part::ApiServer, |client| async move {
        let api: Api<ConfigMap> = Api::namespaced(client, "default");
        let (reader, writer) = reflector::store();
        let stream = reflector::reflector(writer, watch(api.clone(), watcher::Config::default().labels("by=tests")));
        let following =
            tokio::spawn(async move { stream.default_backoff().touched_objects().for_each(|_| async {}).await });
        reader.wait_until_ready().await.unwrap();
        for n in 0..50 {
            api.create(&PostParams::default(), &config_map(&format!("n{n}"), "a")).await.unwrap();
        }
        for n in 0..25 {
            api.delete(&format!("n{n}"), &DeleteParams::default()).await.unwrap();
        }
        let listed = |objects: Vec<ConfigMap>| -> BTreeMap<String, Option<String>> {
            objects.into_iter().map(|object| (object.name_any(), object.resource_version())).collect()
        };
        let truth = listed(api.list(&ListParams::default().labels("by=tests")).await.unwrap().items);
        assert_eq!(truth.len(), 25);
        eventually_async("the reflector holds the same", || async {
            let held = listed(reader.state().into_iter().map(Arc::unwrap_or_clone).collect());
            if held == truth { Ok(()) } else { Err(format!("{held:?}\n{truth:?}")) }
        })
        .await;
        following.abort();
    });
}

fn a_controller_reconciles_a_custom_resource_and_writes_its_status(store: Store) {
    let plane = ControlPlane::start_with(
        Part::Everything,
        store,
        &["--nodes", "0", "--without", "controller-manager,scheduler,admission-webhook"],
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = tests::kube_client(&plane.kubeconfig()).await;
        let apps: Api<App> = Api::namespaced(client.clone(), "default");
        let controller = Controller::new(apps.clone(), watcher::Config::default())
            .owns(Api::<ConfigMap>::namespaced(client.clone(), "default"), watcher::Config::default())
            .run(reconcile, |_, _, _| Action::requeue(Duration::from_millis(50)), Arc::new(client.clone()));
        let running = tokio::spawn(controller.for_each(|_| async {}));

        let app = json!({"apiVersion": "coxswain.dev/v1", "kind": "App", "metadata": {"name": "web"}, "spec": {"image": "a:1"}});
        apps.patch("web", &PatchParams::apply("tests"), &Patch::Apply(app)).await.unwrap();
        eventually_async("the status is written", || async {
            let app = apps.get("web").await.map_err(|e| e.to_string())?;
            let status = app.status.as_ref().and_then(|status| status.replicas);
            if status == Some(app.spec.replicas) { Ok(()) } else { Err(format!("{:?}", app.status)) }
        })
        .await;
        // Deleting what it owns wakes it.
        let owned: Api<ConfigMap> = Api::namespaced(client, "default");
        let uid = owned.get("web").await.unwrap().uid();
        owned.delete("web", &DeleteParams::default()).await.unwrap();
        eventually_async("it is made anew", || async {
            match owned.get_opt("web").await {
                Ok(Some(object)) if object.uid() != uid => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        running.abort();
    });
}

async fn reconcile(app: Arc<App>, client: Arc<Client>) -> Result<Action, kube::Error> {
    use kube::Resource as _;
    let namespace = app.namespace().unwrap_or_default();
    let owned: Api<ConfigMap> = Api::namespaced((*client).clone(), &namespace);
    let mut object = config_map(&app.name_any(), "a");
    object.metadata.owner_references = Some(app.controller_owner_ref(&()).into_iter().collect());
    owned.patch(&app.name_any(), &PatchParams::apply("controller").force(), &Patch::Apply(&object)).await?;
    let apps: Api<App> = Api::namespaced((*client).clone(), &namespace);
    let status = json!({"status": {"replicas": app.spec.replicas}});
    apps.patch_status(&app.name_any(), &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(Action::await_change())
}
