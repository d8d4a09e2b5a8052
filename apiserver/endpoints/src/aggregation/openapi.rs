//! What other servers say of their APIs in OpenAPI.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

/// The descriptions of one group and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptions {
    /// Where the document of v3 is, as the server's index says; `None` if it has none.
    pub v3: Option<String>,
    /// The part of its document of v2.
    pub v2: Option<Part>,
}

/// The part of a document of v2 that is about one group and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Paths, and what each of them can do.
    pub paths: Map<String, Value>,
    /// The definitions that they refer to, and those that these do.
    pub definitions: Map<String, Value>,
    /// Changes with it.
    pub hash: String,
}

/// The URL of a document of v3 in a server's index: that of the version at `path` (`apis/<group>/<version>`) alone,
/// whatever else the server serves.
///
/// # Errors
/// It is no index.
pub fn location(index: &[u8], path: &str) -> Result<Option<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        #[serde(default, deserialize_with = "apimachinery::nullable::null_as_default")]
        paths: BTreeMap<String, Location>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Location {
        #[serde(rename = "serverRelativeURL")]
        server_relative_url: String,
    }
    let mut index: Index = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let url = index.paths.remove(path).map(|location| location.server_relative_url);
    // A client follows it with its credentials: it may lead nowhere else.
    Ok(url.filter(|url| url.strip_prefix("/openapi/v3/").and_then(|url| url.split('?').next()) == Some(path)))
}

/// What of a document of v2 is about the paths below `path` (`/apis/<group>/<version>/`).
///
/// # Errors
/// It is none.
pub fn part(document: &[u8], path: &str, hash: String) -> Result<Part, String> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(default)]
        paths: Map<String, Value>,
        #[serde(default)]
        definitions: Map<String, Value>,
    }
    let Document { mut paths, definitions } = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    paths.retain(|known, _| known.starts_with(path));
    let mut wanted = BTreeSet::new();
    let mut due: Vec<String> = paths.values().flat_map(references).collect();
    while let Some(name) = due.pop() {
        if let Some(definition) = definitions.get(&name)
            && wanted.insert(name)
        {
            due.extend(references(definition));
        }
    }
    let definitions = definitions.into_iter().filter(|(name, _)| wanted.contains(name)).collect();
    Ok(Part { paths, definitions, hash })
}

const DEFINITIONS: &str = "#/definitions/";

/// The definitions that a value refers to.
fn references(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut due = vec![value];
    while let Some(value) = due.pop() {
        match value {
            Value::Array(items) => due.extend(items),
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                found.extend(reference.and_then(|to| to.strip_prefix(DEFINITIONS)).map(str::to_owned));
                due.extend(fields.values());
            }
            _ => {}
        }
    }
    found
}

impl Part {
    /// The same beside definitions that are there already. One of the same name that says the same is left out, one that says
    /// something else is renamed as upstream does: with `_v2` and so on behind it.
    pub(crate) fn beside<'a>(&self, there: impl Fn(&str) -> Option<&'a Value>) -> Self {
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let mut part = Self { paths: self.paths.clone(), definitions: Map::new(), hash: self.hash.clone() };
        for (name, definition) in &self.definitions {
            match there(name) {
                None => drop(part.definitions.insert(name.clone(), definition.clone())),
                Some(known) if same(known, definition) => {}
                Some(_) => {
                    let free = |name: &String| there(name).is_none() && !self.definitions.contains_key(name);
                    let renamed = (2u32..).map(|number| format!("{name}_v{number}")).find(free).unwrap_or_default();
                    part.definitions.insert(renamed.clone(), definition.clone());
                    names.insert(name, renamed);
                }
            }
        }
        if !names.is_empty() {
            part.definitions.values_mut().chain(part.paths.values_mut()).for_each(|value| refer(value, &names));
        }
        part
    }
}

/// Whether two definitions say the same; of which kinds they are does not count.
fn same(one: &Value, other: &Value) -> bool {
    const KINDS: &str = "x-kubernetes-group-version-kind";
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return one == other };
    let fields = |of: &Map<String, Value>| of.keys().filter(|name| *name != KINDS).count();
    fields(one) == fields(other) && one.iter().all(|(name, value)| name == KINDS || other.get(name) == Some(value))
}

/// Lets references to what was renamed lead there.
fn refer(value: &mut Value, names: &BTreeMap<&str, String>) {
    let mut due = vec![value];
    while let Some(value) = due.pop() {
        match value {
            Value::Array(items) => due.extend(items),
            Value::Object(fields) => {
                for (field, value) in fields {
                    let renamed = value.as_str().filter(|_| field == "$ref");
                    let renamed = renamed.and_then(|to| names.get(to.strip_prefix(DEFINITIONS)?));
                    match renamed {
                        Some(renamed) => *value = format!("{DEFINITIONS}{renamed}").into(),
                        None => due.push(value),
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_index_leads_to_the_servers_own_document_alone() {
        let index = |url: &str| json!({"paths": {"apis/a/v1": {"serverRelativeURL": url}}}).to_string();
        for (url, want) in [
            ("/openapi/v3/apis/a/v1?hash=1", Some("/openapi/v3/apis/a/v1?hash=1")),
            ("/openapi/v3/apis/a/v1", Some("/openapi/v3/apis/a/v1")),
            ("https://b.example/openapi/v3/apis/a/v1", None),
            ("/openapi/v3/apis/b/v1", None),
        ] {
            assert_eq!(location(index(url).as_bytes(), "apis/a/v1").unwrap().as_deref(), want, "{url}");
        }
        assert!(location(b"{", "apis/a/v1").is_err());
        assert_eq!(location(br#"{"paths":null}"#, "apis/a/v1"), Ok(None));
    }

    #[test]
    fn a_part_has_its_own_paths_and_what_they_need_beside_what_is_there() {
        let to = |name: &str| json!({"$ref": format!("#/definitions/{name}")});
        let document = json!({
            "paths": {"/apis/a/v1/x": {"get": {"schema": to("X")}}, "/apis/a/v12/y": {"get": {"schema": to("Y")}},
                "/api/v1/pods": {"get": {"schema": to("Pod")}}},
            "definitions": {
                "X": {"properties": {"meta": to("Meta"), "other": {"items": to("Other")}}},
                "Meta": {"type": "object", "x-kubernetes-group-version-kind": [{"kind": "X"}]},
                "Other": {"type": "string", "description": "theirs"}, "Y": {}, "Pod": {}}});
        let part = part(document.to_string().as_bytes(), "/apis/a/v1/", "h".into()).unwrap();
        assert_eq!(part.paths.keys().collect::<Vec<_>>(), ["/apis/a/v1/x"]);
        assert_eq!(part.definitions.keys().collect::<Vec<_>>(), ["Meta", "Other", "X"]);

        let there = json!({"Meta": {"type": "object"}, "Other": {"type": "string"}, "Other_v2": {}});
        let beside = part.beside(|name| there.get(name));
        assert_eq!(beside.definitions.keys().collect::<Vec<_>>(), ["Other_v3", "X"]);
        assert_eq!(beside.definitions["X"]["properties"]["other"]["items"], to("Other_v3"));
        assert_eq!(beside.definitions["X"]["properties"]["meta"], to("Meta"));
    }
}
