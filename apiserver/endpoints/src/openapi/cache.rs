//! The documents of one table: what they are is known by their hashes before they are made, and each is made when it is
//! first asked for, while the others are served. What describes rows that stay is taken over from table to table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use apimachinery::status::StatusError;
use bytes::Bytes;
use parking_lot::Mutex;
use registry::table::SchemaSource;
use registry::{Row, Table};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::compressed::{Document, Piece};
use super::shared::Made;
use super::v2::{self, Described};
use super::{operations, v3};
use crate::aggregation::ApiService;
use crate::aggregation::openapi::{Descriptions, Part};

/// What documents are made by: a part of every hash, as clients keep a document as long as its hash stays.
const EDITION: &str = concat!(env!("CARGO_PKG_VERSION"), "-3");

/// The documents of the present table.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Newest>);

#[derive(Default)]
struct Newest {
    table: Option<Arc<Table>>,
    others: Others,
    /// Those of both.
    documents: Arc<Made<Arc<Documents>>>,
    /// The last that there were, of whichever table.
    before: Option<Arc<Documents>>,
}

/// What another server serves, and how it describes it.
type Other = (Arc<ApiService>, Arc<Descriptions>);
/// Those of all other servers.
pub(super) type Others = Vec<Other>;

/// Whether the same is said of the same.
fn same(some: &Others, others: &Others) -> bool {
    let same = |(one, other): (&Other, &Other)| {
        one.0.group == other.0.group && one.0.version == other.0.version && Arc::ptr_eq(&one.1, &other.1)
    };
    some.len() == others.len() && some.iter().zip(others).all(same)
}

/// Everything under `/openapi` for one table and what others serve.
pub(super) struct Documents {
    title: v3::Title,
    /// The index of v3, and its hash: upstream's, SHA-512 in capital hexadecimal.
    pub index: (Bytes, String),
    /// The versions by their path below `/openapi/v3/`.
    versions: BTreeMap<String, Arc<Version>>,
    /// The built-in rows, then each custom one.
    described: Arc<[Described]>,
    /// The parts of v2 that others make.
    others: Arc<[Part]>,
    v2: Made<Document>,
    v2_proto: Made<Document>,
}

/// A group and version.
pub(super) struct Version {
    rows: Vec<Arc<Row>>,
    /// Changes with the rows.
    pub hash: String,
    document: Made<Document>,
}

impl Cache {
    /// The documents of a table and what others serve.
    ///
    /// # Errors
    /// 500 if they cannot be made.
    pub(super) async fn of(
        &self,
        table: &Arc<Table>,
        others: Others,
        title: v3::Title,
    ) -> Result<Arc<Documents>, StatusError> {
        let (made, before) = {
            let mut newest = self.0.lock();
            if newest.table.as_ref().is_none_or(|known| !Arc::ptr_eq(known, table)) || !same(&newest.others, &others) {
                newest.table = Some(table.clone());
                newest.others.clone_from(&others);
                newest.documents = Arc::default();
            }
            (newest.documents.clone(), newest.before.clone())
        };
        let table = table.clone();
        let documents = made.get(move || Arc::new(Documents::new(&table, &others, title, before.as_deref()))).await?;
        let mut newest = self.0.lock();
        if Arc::ptr_eq(&newest.documents, &made) {
            newest.before = Some(documents.clone());
        }
        Ok(documents)
    }
}

impl Documents {
    fn new(table: &Table, others: &Others, title: v3::Title, before: Option<&Self>) -> Self {
        let mut rows: BTreeMap<String, Vec<Arc<Row>>> = BTreeMap::new();
        for row in table.rows() {
            rows.entry(operations::version_path(row)).or_default().push(row.clone());
        }
        let versions: BTreeMap<String, Arc<Version>> = rows
            .into_iter()
            .map(|(path, rows)| {
                let before = before.and_then(|before| before.versions.get(&path));
                let version = Version::new(rows, &path, &title, before);
                (path, version)
            })
            .collect();
        let here = versions.iter().map(|(path, version)| {
            let url = format!("/openapi/v3/{path}?hash={}", version.hash);
            (path.clone(), json!({ "serverRelativeURL": url }))
        });
        // What another server answers is described by it.
        let elsewhere = others.iter().filter_map(|(of, described)| {
            let path = format!("apis/{}/{}", of.group, of.version);
            Some((path, json!({ "serverRelativeURL": described.v3.as_ref()? })))
        });
        let paths: BTreeMap<String, Value> = here.chain(elsewhere).collect();
        let index = json!({ "paths": paths }).to_string();
        Self {
            title,
            index: (index.clone().into(), hex(&Sha512::digest(index))),
            versions,
            described: described(table, before),
            others: others.iter().filter_map(|(_, described)| described.v2.clone()).collect(),
            v2: Made::default(),
            v2_proto: Made::default(),
        }
    }

    /// A version by its path.
    pub(super) fn version(&self, path: &str) -> Option<&Arc<Version>> {
        self.versions.get(path)
    }

    /// A version's document.
    pub(super) async fn v3(&self, version: &Arc<Version>) -> Result<Document, StatusError> {
        let (rows, title) = (version.rows.clone(), self.title.clone());
        let work = move || Document::new(vec![Piece::new(v3::document(&rows, &title).as_bytes())]);
        version.document.get(work).await
    }

    /// The hash of the document of v2, as JSON or as gnostic's message.
    pub(super) fn v2_hash(&self, proto: bool) -> String {
        let mut digest = Sha512::new();
        digest.update(format!("v2 {proto} {}", self.index.1));
        self.others.iter().for_each(|part| digest.update(&part.hash));
        hex(&digest.finalize())
    }

    /// The document of v2, as JSON.
    pub(super) async fn v2(&self) -> Result<Document, StatusError> {
        let (all, others, title) = (self.described.clone(), self.others.clone(), self.title.clone());
        self.v2.get(move || v2::json(&all, &others, &title)).await
    }

    /// The document of v2 as gnostic's message.
    pub(super) async fn v2_proto(&self) -> Result<Document, StatusError> {
        let (all, others, title) = (self.described.clone(), self.others.clone(), self.title.clone());
        self.v2_proto.get(move || v2::message(&all, &others, &title)).await
    }
}

/// The rows of a table with their parts of v2, those that are known as they are.
fn described(table: &Table, before: Option<&Documents>) -> Arc<[Described]> {
    let known = before.map_or(&[][..], |before| &before.described);
    let known_rows: HashMap<*const Row, &Arc<v2::Part>> =
        known.iter().filter_map(|known| Some((Arc::as_ptr(known.rows.first()?), &known.part))).collect();
    let (custom, builtin): (Vec<Arc<Row>>, Vec<_>) = table.rows().iter().cloned().partition(|row| row.is_custom());
    let rows = std::iter::once(builtin).chain(custom.into_iter().map(|row| vec![row]));
    let describe = |rows: Vec<Arc<Row>>| {
        let known = rows.first().and_then(|row| known_rows.get(&Arc::as_ptr(row)));
        Described { part: known.map_or_else(Arc::default, |part| Arc::clone(part)), rows }
    };
    rows.map(describe).collect()
}

impl Version {
    /// A version, or what is known of it already.
    fn new(rows: Vec<Arc<Row>>, path: &str, title: &v3::Title, before: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(before) = before
            && before.rows.len() == rows.len()
            && before.rows.iter().zip(&rows).all(|(before, row)| Arc::ptr_eq(before, row))
        {
            return before.clone();
        }
        let hash = hash(&rows, path, title);
        match before {
            // Other rows that say the same.
            Some(before) if before.hash == hash => before.clone(),
            _ => Arc::new(Self { rows, hash, document: Made::default() }),
        }
    }
}

/// The hash of everything that a version's document is made of, which takes a small part of the time that making it takes.
fn hash(rows: &[Arc<Row>], path: &str, title: &v3::Title) -> String {
    let mut digest = Sha512::new();
    digest.update(format!("{EDITION} {} {path}", title.version));
    for row in rows {
        let subresources: Vec<Value> =
            row.subresources.iter().map(|of| json!([of.name, of.kind, of.foreign, of.verbs])).collect();
        let source = match &row.schema {
            SchemaSource::BuiltIn(kind) => json!(kind),
            SchemaSource::Crd(schema) => json!([hex(schema.digest())]),
            SchemaSource::Preserving => Value::Null,
        };
        let selectable: Vec<&str> = row.selectable.labels().collect();
        let row =
            json!([row.gvr, row.kind, row.list_kind, row.namespaced, row.verbs, subresources, source, selectable]);
        digest.update(row.to_string());
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title() -> v3::Title {
        v3::Title { version: "v1".into() }
    }

    #[tokio::test]
    async fn what_has_not_changed_is_not_made_again() {
        let cache = Cache::default();
        let table = Arc::new(Table::builtin());
        let before = cache.of(&table, Vec::new(), title()).await.unwrap();
        assert!(
            Arc::ptr_eq(&before, &cache.of(&table, Vec::new(), title()).await.unwrap()),
            "one table, one set of documents"
        );
        let apps = before.version("apis/apps/v1").unwrap();
        let document = before.v3(apps).await.unwrap();
        let whole = before.v2().await.unwrap();

        // Another table with the same rows, as after a definition came and went.
        let after = cache.of(&Arc::new((*table).clone()), Vec::new(), title()).await.unwrap();
        assert!(!Arc::ptr_eq(&before, &after));
        assert_eq!(after.index.1, before.index.1);
        let kept = after.version("apis/apps/v1").unwrap().document.ready().expect("the document is made again");
        assert_eq!(kept.shared_pieces(&document), 1);
        assert_eq!(after.v2().await.unwrap().shared_pieces(&whole), 2, "definitions and paths");
    }

    #[tokio::test]
    async fn another_definition_is_described_and_the_others_stay_as_they_are() {
        let rows = |plural: &str| {
            let definition = json!({"metadata": {"name": format!("{plural}.example.com")}, "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"plural": plural, "kind": plural},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {plural: {"type": "string"}}}}}]}});
            registry::crd::Definition::of(&definition).unwrap().rows().unwrap()
        };
        let cache = Cache::default();
        let one = Table::builtin().with_crd("ones.example.com", rows("ones"));
        let before = cache.of(&Arc::new(one.clone()), Vec::new(), title()).await.unwrap();
        let (mut first, mut proto) = (before.v2().await.unwrap(), before.v2_proto().await.unwrap());
        for two in [one.with_crd("twos.example.com", rows("twos")), one] {
            let documents = cache.of(&Arc::new(two.clone()), Vec::new(), title()).await.unwrap();
            let whole = documents.v2().await.unwrap();
            // The built-in kinds and the first definition, each with definitions and paths.
            assert_eq!(whole.shared_pieces(&first), 4);
            let text = whole.clone().plain().collect::<Vec<_>>().concat();
            let value: Value = serde_json::from_slice(&text).unwrap();
            for (row, there) in [("ones", true), ("twos", two.row("example.com", "v1", "twos").is_some())] {
                let known = value["definitions"][format!("com.example.v1.{row}")]["properties"].get(row).is_some();
                assert_eq!(
                    (known, value["paths"].get(format!("/apis/example.com/v1/{row}")).is_some()),
                    (there, there)
                );
            }
            let message = documents.v2_proto().await.unwrap();
            assert_eq!(message.shared_pieces(&proto), 2);
            (first, proto) = (whole, message);
        }
    }

    #[test]
    fn a_version_with_other_rows_has_another_hash() {
        let table = Table::builtin();
        let rows: Vec<Arc<Row>> = table.rows().iter().filter(|row| row.gvr.group == "apps").cloned().collect();
        let whole = hash(&rows, "apis/apps/v1", &title());
        assert_eq!(whole, hash(&rows, "apis/apps/v1", &title()));
        assert_eq!(whole.len(), 128);
        assert_ne!(whole, hash(&rows[1..], "apis/apps/v1", &title()));
        let mut other = (*rows[0]).clone();
        other.verbs.pop();
        let others: Vec<Arc<Row>> = [Arc::new(other)].into_iter().chain(rows[1..].iter().cloned()).collect();
        assert_ne!(whole, hash(&others, "apis/apps/v1", &title()));
        assert_ne!(whole, hash(&rows, "apis/apps/v1", &v3::Title { version: "v2".into() }));
    }
}
