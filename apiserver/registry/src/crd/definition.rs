//! A definition as it is held for long: its schemas, which are nearly all of it, stay the bytes they were read from.

use std::sync::Arc;

use apimachinery::ObjectExt;
use apimachinery::status::StatusError;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::approval::APPROVED_ANNOTATION;
use crate::table::Origin;

/// A `CustomResourceDefinition` at one revision. A clone shares it.
#[derive(Clone, Debug)]
pub struct Definition {
    bytes: Bytes,
    outline: Arc<Value>,
    schemas: Arc<[Option<Bytes>]>,
    origin: Origin,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(default)]
    status: Value,
}

/// Metadata but for what repeats the definition: who owns which field of it, and the configuration last applied.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    annotations: Option<Annotations>,
    #[serde(default, rename = "managedFields")]
    _managed_fields: IgnoredAny,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "api-approved.kubernetes.io")]
    approved: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Spec<'a> {
    #[serde(borrow, default)]
    versions: Option<Vec<Version<'a>>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow, default)]
    schema: Option<Schema<'a>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Schema<'a> {
    #[serde(borrow, default, rename = "openAPIV3Schema")]
    source: Option<&'a RawValue>,
}

impl Definition {
    /// Reads a definition as it is served, and shares its bytes.
    ///
    /// # Errors
    /// 500 if the bytes are no definition.
    pub fn read(bytes: &Bytes) -> Result<Self, StatusError> {
        Self::try_read(bytes)
            .map_err(|error| StatusError::internal(format!("unable to decode a stored definition: {error}")))
    }

    /// The definition that a value states.
    ///
    /// # Errors
    /// As [`Definition::read`].
    pub fn of(crd: &Value) -> Result<Self, StatusError> {
        Self::read(&crd.to_string().into())
    }

    fn try_read(bytes: &Bytes) -> serde_json::Result<Self> {
        let read: Read<'_> = serde_json::from_slice(bytes)?;
        let text = read.spec.map_or("", RawValue::get);
        let spec: Spec<'_> = if text.is_empty() { Spec::default() } else { serde_json::from_str(text)? };
        let (mut versions, mut schemas) = (Vec::new(), Vec::new());
        for version in spec.versions.into_iter().flatten() {
            let source = version.schema.and_then(|schema| schema.source);
            schemas.push(source.map(|source| bytes.slice_ref(source.get().as_bytes())));
            versions.push(Value::Object(version.rest));
        }
        let mut metadata = read.metadata.rest;
        if let Some(approved) = read.metadata.annotations.and_then(|annotations| annotations.approved) {
            metadata.insert("annotations".to_owned(), json!({APPROVED_ANNOTATION: approved}));
        }
        let mut outline = json!({ "metadata": metadata, "spec": spec.rest, "status": read.status });
        outline["spec"]["versions"] = versions.into();
        let digest = Sha256::new().chain_update(names(&outline).to_string()).chain_update(text).finalize().into();
        Ok(Self {
            bytes: bytes.clone(),
            origin: Origin::Crd { name: outline.name().to_owned(), uid: outline.uid().to_owned(), digest },
            outline: Arc::new(outline),
            schemas: schemas.into(),
        })
    }

    /// The definition without the schemas of its versions, its `managedFields`, and annotations but that of its approval.
    pub fn outline(&self) -> &Arc<Value> {
        &self.outline
    }

    /// The whole definition, parsed on each call.
    ///
    /// # Errors
    /// 500 if it cannot be parsed.
    pub fn whole(&self) -> Result<Value, StatusError> {
        let whole = crate::Served::from_bytes(self.bytes.clone()).value()?;
        Ok(Arc::unwrap_or_clone(whole))
    }

    /// What its rows come from: while this is the same, so are the rows.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.outline.deletion_timestamp().is_some()
    }

    /// Each version's `openAPIV3Schema`, in the order of `spec.versions`.
    pub(crate) fn schemas(&self) -> &[Option<Bytes>] {
        &self.schemas
    }
}

/// The names that were accepted, else those asked for.
pub(super) fn names(crd: &Value) -> &Value {
    let given = |names: &&Value| names.get("plural").and_then(Value::as_str).is_some_and(|plural| !plural.is_empty());
    let accepted = crd.pointer("/status/acceptedNames").filter(given);
    accepted.or_else(|| crd.pointer("/spec/names")).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Value {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com", "uid": "u", "generation": 3, "finalizers": ["f"],
                "annotations": {APPROVED_ANNOTATION: "https://a", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]},
            "spec": {"group": "example.com", "names": {"plural": "widgets", "kind": "Widget"}, "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
                {"name": "v2", "served": true, "schema": {"openAPIV3Schema": null}}, {"name": "v3", "schema": null}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        })
    }

    #[test]
    fn all_is_read_but_what_is_large_and_that_is_shared() {
        let bytes = Bytes::from(definition().to_string());
        let read = Definition::read(&bytes).unwrap();
        let mut want = definition();
        let want = want.as_object_mut().unwrap();
        want.retain(|field, _| !matches!(&**field, "apiVersion" | "kind"));
        want["metadata"].as_object_mut().unwrap().remove("managedFields");
        want["metadata"]["annotations"] = json!({APPROVED_ANNOTATION: "https://a"});
        for version in want["spec"]["versions"].as_array_mut().unwrap() {
            version.as_object_mut().unwrap().remove("schema");
        }
        assert_eq!(read.outline().as_object(), Some(&*want));
        assert_eq!(read.schemas(), [Some(Bytes::from_static(br#"{"type":"object"}"#)), None, None]);
        let schema = read.schemas()[0].as_ref().unwrap().as_ptr() as usize;
        assert!((bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len()).contains(&schema), "it is a copy");
        assert_eq!(read.whole().unwrap(), definition());
    }

    #[test]
    fn the_origin_changes_with_what_rows_are_made_from() {
        let before = Definition::of(&definition()).unwrap();
        let after = |pointer: &str, value: Value| {
            let mut changed = definition();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            changed.pointer_mut(parent).unwrap()[field] = value;
            Definition::of(&changed).unwrap().origin() != before.origin()
        };
        for (pointer, value, changes) in [
            ("/metadata/generation", json!(4), false),
            ("/status/conditions", json!([]), false),
            ("/status/acceptedNames", json!({"plural": "widgets", "kind": "Widget"}), false),
            ("/status/acceptedNames", json!({"plural": "widgets", "kind": "Other"}), true),
            ("/spec/versions/0/schema/openAPIV3Schema", json!({"type": "object", "nullable": false}), true),
            ("/spec/scope", json!("Cluster"), true),
            ("/metadata/uid", json!("other"), true),
        ] {
            assert_eq!(after(pointer, value.clone()), changes, "{pointer} {value}");
        }
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        for text in ["", "[]", r#"{"spec":{"versions":3}}"#, r#"{"spec":[]}"#] {
            assert!(Definition::read(&Bytes::from_static(text.as_bytes())).is_err(), "{text}");
        }
        for text in ["{}", r#"{"spec":null,"status":null}"#, r#"{"spec":{"versions":null}}"#] {
            let read = Definition::read(&Bytes::from_static(text.as_bytes())).unwrap();
            assert!(read.rows().is_err(), "{text}: there is no storage version");
        }
    }
}
