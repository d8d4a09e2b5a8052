//! The default objects as they are stored: what the pipeline makes of `data/bootstrap.json` and `data/operators.json`, kept
//! in `data/stored.json` and made anew by the test below.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::StatusError;
use apimachinery::time;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

const STORED: &str = include_str!("../../data/stored.json");

/// What stands for the uid and for the time of an object's creation.
const UID: &str = "@uid@";
const NOW: &str = "@now@";

/// Default objects by the path of their collection.
pub(super) type Collections = BTreeMap<String, Vec<Stored>>;

/// A default object.
#[derive(Debug)]
pub(super) struct Stored {
    pub namespace: String,
    pub name: String,
    json: &'static str,
}

/// All of them; read once.
pub(super) fn collections() -> Result<&'static Collections, StatusError> {
    static ALL: LazyLock<serde_json::Result<Collections>> = LazyLock::new(|| {
        let all: BTreeMap<String, Vec<&'static RawValue>> = serde_json::from_str(STORED)?;
        let read = |all: Vec<&'static RawValue>| all.into_iter().map(Stored::read).collect::<Result<_, _>>();
        all.into_iter().map(|(path, all)| Ok((path, read(all)?))).collect()
    });
    ALL.as_ref().map_err(|e| StatusError::internal(format!("the objects to bootstrap cannot be read: {e}")))
}

/// Those of one collection.
pub(super) fn collection(path: &str) -> Result<&'static [Stored], StatusError> {
    Ok(collections()?.get(path).map_or(&[], Vec::as_slice))
}

impl Stored {
    fn read(raw: &'static RawValue) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        struct Metadata {
            name: String,
            #[serde(default)]
            namespace: String,
        }
        let Object { metadata: Metadata { name, namespace } } = serde_json::from_str(raw.get())?;
        Ok(Self { namespace, name, json: raw.get() })
    }

    /// What is to be stored, created now.
    pub fn bytes(&self) -> Bytes {
        let (uid, now) = (uuid::Uuid::new_v4().to_string(), time::format_time(jiff::Timestamp::now()));
        self.json.replace(UID, &uid).replace(NOW, &now).into()
    }

    /// The object; of its metadata what says where it is, and when it was made, means nothing.
    pub fn object(&self) -> Result<Value, StatusError> {
        serde_json::from_str(self.json).map_err(StatusError::internal)
    }

    /// The object as somebody would have it created.
    pub fn desired(&self) -> Result<Value, StatusError> {
        let mut object = self.object()?;
        let metadata = object.metadata_mut();
        for set_by_server in ["uid", "creationTimestamp", "managedFields", "generation"] {
            metadata.remove(set_by_server);
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use registry::{DeleteOptions, Registry, RequestContext, Target};

    use super::*;
    use crate::bootstrap::{FIELD_MANAGER, create, split};
    use crate::identity;

    /// Lists of objects by the collection's path, as recorded from upstream.
    const OBJECTS: &str = include_str!("../../data/bootstrap.json");
    /// Roles and bindings of the operators, in the same form.
    const OPERATORS: &str = include_str!("../../data/operators.json");

    async fn through_the_pipeline() -> String {
        let folder = tempfile::tempdir().unwrap();
        let options = storage::embedded::Options::default();
        let store = storage::embedded::Embedded::open(folder.path().join("store"), options).unwrap();
        let registry = Registry::new(Arc::new(store), registry::Options::default());
        let ctx = RequestContext::new(identity::loopback(), FIELD_MANAGER);
        let mut all: BTreeMap<String, Vec<Value>> = serde_json::from_str(OBJECTS).unwrap();
        for (path, objects) in serde_json::from_str::<BTreeMap<String, Vec<Value>>>(OPERATORS).unwrap() {
            all.entry(path).or_default().extend(objects);
        }
        let mut lists = Vec::new();
        for (path, objects) in all {
            let (group, version, resource) = split(&path);
            let row = registry.table().row(group, version, resource).unwrap().clone();
            let mut lines = Vec::new();
            for object in objects {
                let target = Target::new(row.clone(), object.namespace(), object.name());
                // Managed fields are ordered by their times: those of one second are wanted.
                let line = loop {
                    create(&registry, &ctx, row.clone(), object.clone()).await.unwrap();
                    let stored = registry.stored(&target).await.unwrap();
                    match without_time(std::str::from_utf8(&stored).unwrap()) {
                        Some(line) => break line,
                        None => drop(registry.delete(&ctx, &target, &DeleteOptions::default()).await.unwrap()),
                    }
                };
                lines.push(line);
            }
            lists.push(format!("{path:?}:[\n{}\n]", lines.join(",\n")));
        }
        format!("{{\n{}\n}}\n", lists.join(",\n"))
    }

    /// What is stored without uid and time; `None` if it has several times.
    fn without_time(stored: &str) -> Option<String> {
        let object: Value = serde_json::from_str(stored).unwrap();
        let condition = |of: &Value| of["lastTransitionTime"].as_str().map(str::to_owned);
        let field = |of: &Value| of["time"].as_str().map(str::to_owned);
        let mut times = vec![object["metadata"]["creationTimestamp"].as_str().unwrap().to_owned()];
        times.extend(object["metadata"]["managedFields"].as_array().into_iter().flatten().filter_map(field));
        times.extend(object["status"]["conditions"].as_array().into_iter().flatten().filter_map(condition));
        times.dedup();
        let [time] = times.as_slice() else { return None };
        Some(stored.replace(object.uid(), UID).replace(time, NOW))
    }

    #[tokio::test]
    async fn what_is_kept_is_what_the_pipeline_stores() {
        let made = through_the_pipeline().await;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stored.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
        assert!(
            made == kept,
            "{} is stale: run `BLESS=1 cargo test -p apiserver what_is_kept`; first difference: {differs:#?}",
            path.display()
        );
    }

    #[test]
    fn objects_are_created_now_each_with_a_uid_of_its_own() {
        let all = collections().unwrap();
        let objects: Vec<&Stored> = all.values().flatten().collect();
        assert!(objects.iter().all(|object| !object.name.is_empty()));
        let made: Vec<Value> = objects.iter().map(|object| serde_json::from_slice(&object.bytes()).unwrap()).collect();
        let uids: std::collections::HashSet<&str> = made.iter().map(|object| object.uid()).collect();
        assert_eq!(uids.len(), made.len());
        for object in &made {
            let text = object.to_string();
            assert!(!text.contains(UID) && !text.contains(NOW), "{text}");
            let created = object["metadata"]["creationTimestamp"].as_str().unwrap();
            assert!(time::parse_time(created).is_ok(), "{created}");
        }
    }
}
