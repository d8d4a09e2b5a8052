//! The documents of one table: what they are is known by their hashes before they are made, and each is made when it is
//! first asked for, while the others are served.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::status::StatusError;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use registry::table::SchemaSource;
use registry::{Row, Table};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use tokio::sync::OnceCell;

use super::{operations, proto, v2, v3};

/// What documents are made by: a part of every hash, as clients keep a document as long as its hash stays.
const EDITION: &str = concat!(env!("CARGO_PKG_VERSION"), "-2");

/// The documents of the present table.
#[derive(Default)]
pub(crate) struct Cache(ArcSwapOption<Documents>);

/// A document and its hash.
#[derive(Clone)]
pub(super) struct Document {
    pub bytes: Bytes,
    /// Upstream's: SHA-512 in capital hexadecimal.
    pub hash: String,
}

impl Document {
    fn new(bytes: Vec<u8>) -> Self {
        Self { hash: hex(&Sha512::digest(&bytes)), bytes: bytes.into() }
    }
}

/// Everything under `/openapi` for one table.
pub(super) struct Documents {
    table: Arc<Table>,
    title: v3::Title,
    /// The index of v3.
    pub index: Document,
    /// The versions by their path below `/openapi/v3/`.
    versions: BTreeMap<String, Arc<Version>>,
    v2: OnceCell<Document>,
    v2_proto: OnceCell<Document>,
}

/// A group and version.
pub(super) struct Version {
    rows: Vec<Arc<Row>>,
    /// Changes with the rows.
    pub hash: String,
    document: OnceCell<Bytes>,
}

impl Cache {
    /// The documents of a table.
    pub(super) fn of(&self, table: &Arc<Table>, title: v3::Title) -> Arc<Documents> {
        let known = self.0.load_full();
        if let Some(known) = &known
            && Arc::ptr_eq(&known.table, table)
        {
            return known.clone();
        }
        let documents = Arc::new(Documents::new(table.clone(), title, known.as_deref()));
        self.0.store(Some(documents.clone()));
        documents
    }
}

impl Documents {
    fn new(table: Arc<Table>, title: v3::Title, before: Option<&Self>) -> Self {
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
        let paths: BTreeMap<&String, Value> = versions
            .iter()
            .map(|(path, version)| {
                (path, json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={}", version.hash) }))
            })
            .collect();
        let index = Document::new(json!({ "paths": paths }).to_string().into_bytes());
        Self { table, title, index, versions, v2: OnceCell::new(), v2_proto: OnceCell::new() }
    }

    /// A version by its path.
    pub(super) fn version(&self, path: &str) -> Option<&Arc<Version>> {
        self.versions.get(path)
    }

    /// A version's document.
    pub(super) async fn v3(&self, version: &Arc<Version>) -> Result<Bytes, StatusError> {
        let made = version.document.get_or_try_init(|| {
            let (version, title) = (version.clone(), self.title.clone());
            make(move || v3::document(&version.rows, &title).into())
        });
        made.await.cloned()
    }

    /// The document of v2, as JSON.
    pub(super) async fn v2(&self) -> Result<Document, StatusError> {
        self.whole(&self.v2, |value| value.to_string().into_bytes()).await
    }

    /// The document of v2 as gnostic's message.
    pub(super) async fn v2_proto(&self) -> Result<Document, StatusError> {
        self.whole(&self.v2_proto, proto::document).await
    }

    async fn whole(&self, cell: &OnceCell<Document>, encode: fn(&Value) -> Vec<u8>) -> Result<Document, StatusError> {
        let made = cell.get_or_try_init(|| {
            let (table, title) = (self.table.clone(), self.title.clone());
            make(move || Document::new(encode(&v2::value(&table, &title))))
        });
        made.await.cloned()
    }
}

/// Makes a document where it does not hold up other requests.
async fn make<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StatusError> {
    let made = tokio::task::spawn_blocking(work).await;
    made.map_err(|error| StatusError::internal(format!("unable to describe the API: {error}")))
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
        let document = match before {
            Some(before) if before.hash == hash => OnceCell::new_with(before.document.get().cloned()),
            _ => OnceCell::new(),
        };
        Arc::new(Self { rows, hash, document })
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
            SchemaSource::Crd(schema) => json!([&*schema.source]),
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
        let before = cache.of(&table, title());
        assert!(Arc::ptr_eq(&before, &cache.of(&table, title())), "one table, one set of documents");
        let apps = before.version("apis/apps/v1").unwrap();
        let document = before.v3(apps).await.unwrap();

        // Another table with the same rows, as after a definition came and went.
        let after = cache.of(&Arc::new((*table).clone()), title());
        assert!(!Arc::ptr_eq(&before, &after));
        assert_eq!(after.index.hash, before.index.hash);
        let kept = after.v3(after.version("apis/apps/v1").unwrap()).await.unwrap();
        assert_eq!(kept.as_ptr(), document.as_ptr(), "the document was made twice");
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
