//! The paths and operations of a row, told once for both versions of OpenAPI.

use apimachinery::gvk::GroupVersionKind;
use registry::Row;

use super::schemas;

/// A path and what can be done there.
pub(super) struct Path {
    /// E.g. `/api/v1/namespaces/{namespace}/pods/{name}`.
    pub path: String,
    /// `name`, `namespace`.
    pub path_parameters: Vec<&'static str>,
    /// What can be done.
    pub operations: Vec<Operation>,
}

/// One method of a path.
pub(super) struct Operation {
    /// The HTTP method in lower case.
    pub method: &'static str,
    /// Upstream's `x-kubernetes-action`.
    pub action: &'static str,
    /// For people.
    pub description: String,
    /// Names it for code generators.
    pub id: String,
    /// What it is about.
    pub kind: GroupVersionKind,
    /// Query parameters: name and type.
    pub query: &'static [(&'static str, &'static str)],
    /// The definition of the body.
    pub body: Option<String>,
    /// The definition of the answer.
    pub answer: String,
    /// Codes it may be answered with.
    pub codes: &'static [(u16, &'static str)],
}

/// Where a row's version is found: `api/v1`, `apis/apps/v1`.
pub(super) fn version_path(row: &Row) -> String {
    match row.gvr.group.as_str() {
        "" => format!("api/{}", row.gvr.version),
        group => format!("apis/{group}/{}", row.gvr.version),
    }
}

pub(super) const WRITE: &[(&str, &str)] =
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const PATCH: &[(&str, &str)] =
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"), ("force", "boolean")];
const DELETE: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];
const LIST: &[(&str, &str)] = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("shardSelector", "string"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const GET: &[(&str, &str)] = &[("resourceVersion", "string")];

const OK: &[(u16, &str)] = &[(200, "OK")];
const CREATED: &[(u16, &str)] = &[(200, "OK"), (201, "Created"), (202, "Accepted")];
const PUT: &[(u16, &str)] = &[(200, "OK"), (201, "Created")];
const ACCEPTED: &[(u16, &str)] = &[(200, "OK"), (202, "Accepted")];

/// The version's tag: `core_v1`, `apps_v1`.
pub(super) fn tag(row: &Row) -> String {
    let group =
        if row.gvr.group.is_empty() { "core".to_owned() } else { camel(row.gvr.group.trim_end_matches(".k8s.io")) };
    format!("{group}_{}", row.gvr.version)
}

fn camel(text: &str) -> String {
    let mut parts = text.split(['.', '-']);
    let mut name = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| name.push_str(&capital(part)));
    name
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Every path of a row.
pub(super) fn of(row: &Row) -> Vec<Path> {
    let version = format!("/{}", version_path(row));
    let resource = &row.gvr.resource;
    let base = if row.namespaced { format!("{version}/namespaces/{{namespace}}") } else { version.clone() };
    let group =
        if row.gvr.group.is_empty() { "core".to_owned() } else { camel(row.gvr.group.trim_end_matches(".k8s.io")) };
    let names = Names {
        scope: format!("{}{}", capital(&group), capital(&row.gvr.version)),
        namespaced: if row.namespaced { "Namespaced" } else { "" },
        kind: row.kind.clone(),
    };
    let definition = schemas::kind_name(row);
    let lists = schemas::list_name(row);
    let at = |method, action, verb: &str, description: String, kind: GroupVersionKind| Operation {
        method,
        action,
        description,
        id: names.id(verb, ""),
        kind,
        query: &[],
        body: None,
        answer: definition.clone(),
        codes: OK,
    };
    let namespace: &[&'static str] = if row.namespaced { &["namespace"] } else { &[] };
    let status = format!("{}.Status", schemas::META);
    let options = format!("{}.DeleteOptions", schemas::META);
    let kind = &row.kind;
    let kind_with_article = with_article(kind);
    let gvk = || row.gvk();
    let mut collection = Vec::new();
    if row.can("deletecollection") {
        let mut op =
            at("delete", "deletecollection", "deleteCollection", format!("delete collection of {kind}"), gvk());
        // Upstream does not say of a custom resource's that it has a body.
        (op.query, op.body, op.answer) = (LIST, (!row.is_custom()).then(|| options.clone()), status.clone());
        op.id = names.id("delete", "Collection");
        collection.push(op);
    }
    if row.can("list") {
        let mut op = at("get", "list", "list", format!("list objects of kind {kind}"), gvk());
        (op.query, op.answer) = (LIST, lists.clone());
        collection.push(op);
    }
    if row.can("create") {
        let mut op = at("post", "post", "create", format!("create {kind_with_article}"), gvk());
        (op.query, op.body, op.codes) = (WRITE, Some(definition.clone()), CREATED);
        collection.push(op);
    }
    let mut object = Vec::new();
    if row.can("delete") {
        let mut op = at("delete", "delete", "delete", format!("delete {kind_with_article}"), gvk());
        (op.query, op.body, op.answer, op.codes) = (DELETE, Some(options), status, ACCEPTED);
        object.push(op);
    }
    object.extend(object_operations(row, &names, "", &definition, &row.verbs, &gvk()));
    let mut named = vec!["name"];
    named.extend(namespace);
    let mut paths = vec![
        Path { path: format!("{base}/{resource}"), path_parameters: namespace.to_vec(), operations: collection },
        Path { path: format!("{base}/{resource}/{{name}}"), path_parameters: named.clone(), operations: object },
    ];
    for subresource in &row.subresources {
        // Own subresources of a definition speak of its own kind.
        let answer = schemas::name_of(&subresource.kind).unwrap_or_else(|| definition.clone());
        // A custom resource's scale is said to be of the resource's kind.
        let of = if row.is_custom() { gvk() } else { subresource.kind.clone() };
        let operations = object_operations(row, &names, &subresource.name, &answer, &subresource.verbs, &of);
        let path = format!("{base}/{resource}/{{name}}/{}", subresource.name);
        paths.push(Path { path, path_parameters: named.clone(), operations });
    }
    if row.namespaced && row.can("list") {
        let mut op = at("get", "list", "list", format!("list objects of kind {kind}"), gvk());
        (op.query, op.answer) = (LIST, lists);
        op.id = format!("list{}{kind}ForAllNamespaces", names.scope);
        paths.push(Path { path: format!("{version}/{resource}"), path_parameters: Vec::new(), operations: vec![op] });
    }
    paths.retain(|path| !path.operations.is_empty());
    paths
}

/// `a Widget`, `an Apple`, as upstream has it: plurals go without.
fn with_article(kind: &str) -> String {
    if kind.ends_with('s') && !kind.ends_with("ss") {
        return kind.to_owned();
    }
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

struct Names {
    scope: String,
    namespaced: &'static str,
    kind: String,
}

impl Names {
    fn id(&self, verb: &str, infix: &str) -> String {
        format!("{verb}{}{infix}{}{}", self.scope, self.namespaced, self.kind)
    }
}

fn object_operations(
    row: &Row,
    names: &Names,
    subresource: &str,
    definition: &str,
    verbs: &[String],
    kind: &GroupVersionKind,
) -> Vec<Operation> {
    let of = if subresource.is_empty() { String::new() } else { format!("{subresource} of ") };
    let the = &row.kind;
    let mut operations = Vec::new();
    let mut add = |verb: &str, method, action, word: &str, description: String, query, body, codes| {
        if verbs.iter().any(|known| known == verb) {
            operations.push(Operation {
                method,
                action,
                description,
                id: format!("{}{}", names.id(word, ""), capital(subresource)),
                kind: kind.clone(),
                query,
                body,
                answer: definition.to_owned(),
                codes,
            });
        }
    };
    let body = || Some(definition.to_owned());
    let patch = || Some(format!("{}.Patch", schemas::META));
    add("get", "get", "get", "read", format!("read {of}the specified {the}"), GET, None, OK);
    add("patch", "patch", "patch", "patch", format!("partially update {of}the specified {the}"), PATCH, patch(), OK);
    add("update", "put", "put", "replace", format!("replace {of}the specified {the}"), WRITE, body(), PUT);
    if !subresource.is_empty() {
        add("create", "post", "post", "create", format!("create {of}a {the}"), WRITE, body(), CREATED);
    }
    operations
}
