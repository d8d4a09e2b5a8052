//! Rows of custom resources, made from their definition; its conditions and its approval.

pub mod approval;
pub mod conditions;
mod definition;

use std::sync::Arc;

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::gvk::{GroupVersion, GroupVersionKind};
use base64::Engine;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::conversion::Webhook;
use crate::selectable::Selectable;
use crate::store::Store;
use crate::strategy;
pub use crate::strategy::webhook_client::ca_bundle_problem;
use crate::table::{Column, Conversion, CustomSchema, Row, ScalePaths, SchemaSource, Subresource, Versions};
pub use definition::Definition;

/// What the resource itself can do, in upstream's order.
const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// What `status` and `scale` can do.
const PART_VERBS: [&str; 3] = ["get", "patch", "update"];

impl Definition {
    /// The rows of the definition, one for each served version, with one store. The names are those accepted
    /// (`status.acceptedNames`), else those asked for.
    ///
    /// # Errors
    /// The definition has no storage version.
    pub fn rows(&self) -> Result<Vec<Arc<Row>>, ErrorList> {
        self.rows_of("served")
    }

    /// The row of the version that the definition stores, served or not: to reach its instances. It has a store of its own;
    /// [`crate::Registry::discard`] it when done.
    ///
    /// # Errors
    /// As [`Definition::rows`].
    pub fn stored_row(&self) -> Result<Arc<Row>, ErrorList> {
        let missing =
            || vec![Error::required(&Path::new("spec").child("versions"), "one version must be the storage version")];
        self.rows_of("storage")?.into_iter().next().ok_or_else(missing)
    }

    /// The rows of the versions in which the field `chosen` is true.
    fn rows_of(&self, chosen: &str) -> Result<Vec<Arc<Row>>, ErrorList> {
        let crd = self.outline();
        let spec = crd.get("spec").unwrap_or(&Value::Null);
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let group = text(spec, "group");
        let names = definition::names(crd);
        let (plural, kind) = (text(names, "plural"), text(names, "kind"));
        let namespaced = spec.get("scope").and_then(Value::as_str) == Some("Namespaced");
        let none = Vec::new();
        let versions = spec.get("versions").and_then(Value::as_array).unwrap_or(&none);
        let is = |version: &Value, field: &str| version.get(field).and_then(Value::as_bool).unwrap_or(false);
        let path = Path::new("spec").child("versions");
        let Some(stored) = versions.iter().find(|version| is(version, "storage")) else {
            return Err(vec![Error::required(&path, "one version must be the storage version")]);
        };
        let stored_gvk = GroupVersionKind::new(&group, text(stored, "name"), &kind);
        let all = self.versions_of(spec, &kind, versions)?;
        let schema_of = |version: &str| {
            let found = all.versions.iter().find(|(name, _)| name == version);
            found.and_then(|(_, schema)| schema.clone())
        };
        let every_label = versions.iter().flat_map(selectable_labels).collect::<Vec<_>>();
        let store = Arc::new(Store::custom(
            format!("{group}/{plural}"),
            stored_gvk.clone(),
            namespaced,
            Selectable::custom(every_label.iter().map(String::as_str)),
            all.clone(),
        ));
        // Upstream tells of a storage version that is served.
        let hash = if is(stored, "served") {
            let hash = Sha256::digest(format!("{group}/{}/{kind}", stored_gvk.version));
            base64::engine::general_purpose::STANDARD.encode(&hash[..8])
        } else {
            String::new()
        };
        let words = |field: &str| {
            let list = names.get(field).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let singular =
            Some(text(names, "singular")).filter(|name| !name.is_empty()).unwrap_or_else(|| kind.to_lowercase());
        let list_kind =
            Some(text(names, "listKind")).filter(|name| !name.is_empty()).unwrap_or_else(|| format!("{kind}List"));
        let row = |version: &Value| {
            let gv = GroupVersion::new(&group, text(version, "name"));
            let deprecation_warning =
                is(version, "deprecated").then(|| match version.get("deprecationWarning").and_then(Value::as_str) {
                    Some(warning) => warning.to_owned(),
                    None => deprecation_warning(spec, &gv, versions),
                });
            let labels = selectable_labels(version);
            Arc::new(Row {
                gvr: gv.with_resource(&plural),
                kind: kind.clone(),
                list_kind: list_kind.clone(),
                singular: singular.clone(),
                short_names: words("shortNames"),
                categories: words("categories"),
                namespaced,
                verbs: VERBS.map(str::to_owned).to_vec(),
                subresources: subresources(version, &gv, &kind),
                storage_version_hash: hash.clone(),
                columns: columns(version),
                origin: self.origin().clone(),
                terminating: crd.deletion_timestamp().is_some(),
                deprecation_warning,
                scale: scale(version),
                schema: schema_of(&gv.version).map_or(SchemaSource::Preserving, SchemaSource::Crd),
                versions: Some(all.clone()),
                converted: Arc::default(),
                selectable: Selectable::custom(labels.iter().map(String::as_str)),
                store: Some(store.clone()),
                strategy: strategy::custom(),
            })
        };
        Ok(versions.iter().filter(|version| is(version, chosen)).map(row).collect())
    }

    /// All versions of a definition, served or not.
    fn versions_of(&self, spec: &Value, kind: &str, versions: &[Value]) -> Result<Arc<Versions>, ErrorList> {
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conversion = match spec.pointer("/conversion/strategy").and_then(Value::as_str) {
            Some("Webhook") => {
                let stated = spec.pointer("/conversion/webhook");
                let unreadable = || {
                    let path = Path::new("spec").child("conversion").child("webhook").child("clientConfig");
                    vec![Error::required(&path, "exactly one of url or service is required")]
                };
                Conversion::Webhook(stated.and_then(Webhook::read).ok_or_else(unreadable)?)
            }
            _ => Conversion::None,
        };
        // Versions that say the same share it.
        let mut schemas: Vec<(&Bytes, Arc<CustomSchema>)> = Vec::new();
        let mut schema_of = |text| match schemas.iter().find(|(known, _)| *known == text) {
            Some((_, schema)) => schema.clone(),
            None => {
                let schema = Arc::new(CustomSchema::new(Bytes::clone(text)));
                schemas.push((text, schema.clone()));
                schema
            }
        };
        let versions = versions
            .iter()
            .zip(self.schemas())
            .map(|(version, schema)| (text(version, "name"), schema.as_ref().map(&mut schema_of)));
        Ok(Arc::new(Versions {
            group: text(spec, "group"),
            kind: kind.to_owned(),
            versions: versions.collect(),
            conversion,
        }))
    }
}

/// Upstream's words for a deprecated version whose definition has none: the newest version that is better is named.
fn deprecation_warning(spec: &Value, deprecated: &GroupVersion, versions: &[Value]) -> String {
    let kind = spec.pointer("/names/kind").and_then(Value::as_str).unwrap_or_default();
    let is = |version: &Value, field: &str| version.get(field).and_then(Value::as_bool).unwrap_or(false);
    let names = versions.iter().filter(|version| is(version, "served") && !is(version, "deprecated"));
    let names = names.filter_map(|version| version.get("name").and_then(Value::as_str));
    let best = names.max_by_key(|name| crate::version::priority(name));
    let better = best.filter(|best| crate::version::priority(best) > crate::version::priority(&deprecated.version));
    match better {
        Some(better) => {
            format!("{deprecated} {kind} is deprecated; use {}/{better} {kind}", deprecated.group)
        }
        None => format!("{deprecated} {kind} is deprecated"),
    }
}

fn selectable_labels(version: &Value) -> Vec<String> {
    let fields = version.get("selectableFields").and_then(Value::as_array);
    let paths = fields.into_iter().flatten().filter_map(|field| field.get("jsonPath").and_then(Value::as_str));
    paths.map(|path| path.trim_start_matches('.').to_owned()).collect()
}

fn subresources(version: &Value, gv: &GroupVersion, kind: &str) -> Vec<Subresource> {
    let stated = version.get("subresources");
    let has = |name: &str| stated.and_then(|stated| stated.get(name)).is_some_and(|part| !part.is_null());
    let part = |name: &str, kind: GroupVersionKind, foreign: bool| Subresource {
        name: name.to_owned(),
        kind,
        foreign,
        verbs: PART_VERBS.map(str::to_owned).to_vec(),
    };
    let mut parts = Vec::new();
    if has("status") {
        parts.push(part("status", gv.with_kind(kind), false));
    }
    if has("scale") {
        parts.push(part("scale", GroupVersionKind::new("autoscaling", "v1", "Scale"), true));
    }
    parts
}

fn scale(version: &Value) -> Option<ScalePaths> {
    let scale = version.pointer("/subresources/scale").filter(|scale| !scale.is_null())?;
    let path = |field: &str| scale.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let label_selector = Some(path("labelSelectorPath")).filter(|path| !path.is_empty());
    Some(ScalePaths {
        spec_replicas: path("specReplicasPath"),
        status_replicas: path("statusReplicasPath"),
        label_selector,
    })
}

/// The name, then what the definition says.
fn columns(version: &Value) -> Vec<Column> {
    let column = |name: &str, kind: &str, format: &str, path: Option<&str>| Column {
        name: name.into(),
        kind: kind.into(),
        format: format.into(),
        description: String::new(),
        priority: 0,
        json_path: path.map(str::to_owned),
    };
    let mut columns = vec![column("Name", "string", "name", None)];
    let stated = version.get("additionalPrinterColumns").and_then(Value::as_array);
    columns.extend(stated.into_iter().flatten().map(|stated| {
        let text = |field: &str| stated.get(field).and_then(Value::as_str).unwrap_or_default();
        Column {
            description: text("description").into(),
            priority: stated.get("priority").and_then(Value::as_i64).unwrap_or(0),
            ..column(text("name"), text("type"), text("format"), Some(text("jsonPath")))
        }
    }));
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;
    use serde_json::json;

    fn definition() -> Value {
        json!({"metadata": {"name": "widgets.example.com", "uid": "u"}, "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["w"]},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "deprecated": true,
                 "schema": {"openAPIV3Schema": {"type": "object"}}},
                {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}, "scale":
                    {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                 "selectableFields": [{"jsonPath": ".spec.color"}],
                 "additionalPrinterColumns": [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}],
                 "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}}},
                {"name": "v1alpha1", "served": false, "storage": false}]}})
    }

    #[test]
    fn a_definition_s_rows_are_published_in_upstream_s_order_and_withdrawn() {
        let rows = Definition::of(&definition()).unwrap().rows().unwrap();
        assert_eq!(rows.len(), 2);
        let table = Table::builtin().with_crd("widgets.example.com", rows);
        let group = table.groups().last().unwrap();
        assert_eq!(
            (group.name.as_str(), group.versions.as_slice()),
            ("example.com", ["v1".to_owned(), "v1beta1".to_owned()].as_slice())
        );
        let row = table.row("example.com", "v1", "widgets").unwrap();
        assert_eq!(row.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["Name", "Color"]);
        assert!(row.has_status() && row.subresource("scale").is_some());
        let old = table.row("example.com", "v1beta1", "widgets").unwrap();
        assert_eq!(
            old.deprecation_warning.as_deref(),
            Some("example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget")
        );
        assert!(Arc::ptr_eq(row.store.as_ref().unwrap(), old.store.as_ref().unwrap()));
        let table = table.without_crd("widgets.example.com");
        assert!(table.row("example.com", "v1", "widgets").is_none() && table.groups().len() == 21);
    }

    #[test]
    fn a_definition_that_means_the_same_keeps_its_store_and_its_schemas() {
        let mut crd = definition();
        let read = |crd: &Value| Definition::of(crd).unwrap();
        let changes = [("widgets.example.com".to_owned(), read(&crd).rows().unwrap())].into();
        let before = Table::builtin().with_crds(&changes);
        assert!(!Table::builtin().serves(&read(&crd)) && before.serves(&read(&crd)));

        crd["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let ending = read(&crd);
        assert!(!before.serves(&ending));
        let after = before.with_crd("widgets.example.com", ending.rows().unwrap());
        assert!(after.serves(&ending));
        for version in ["v1", "v1beta1"] {
            let row = |table: &Table| table.row("example.com", version, "widgets").unwrap().clone();
            let (old, new) = (row(&before), row(&after));
            assert!(new.terminating && Arc::ptr_eq(old.store.as_ref().unwrap(), new.store.as_ref().unwrap()));
            let (SchemaSource::Crd(old), SchemaSource::Crd(new)) = (&old.schema, &new.schema) else { panic!() };
            assert!(Arc::ptr_eq(old, new), "{version}");
            let (text, newest) = (new.text(), ending.schemas().iter().flatten().find(|text| **text == new.text()));
            assert_eq!(Some(text.as_ptr()), newest.map(|text| text.as_ptr()), "it holds on to old bytes");
        }

        crd["spec"]["versions"][1]["schema"] = crd["spec"]["versions"][0]["schema"].clone();
        assert!(!after.serves(&read(&crd)));
        let rows = read(&crd).rows().unwrap();
        let (SchemaSource::Crd(one), SchemaSource::Crd(other)) = (&rows[0].schema, &rows[1].schema) else { panic!() };
        assert!(Arc::ptr_eq(one, other), "versions with one schema have it once");
    }
}
