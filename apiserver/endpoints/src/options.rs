//! Options of the verbs: read from the query or the body, checked in upstream's words.

use std::time::Duration;

use apimachinery::field::{Error as FieldError, ErrorList, Path};
use apimachinery::gvk::GroupKind;
use apimachinery::json;
use apimachinery::selector::{fields, labels};
use apimachinery::status::StatusError;
use registry::{
    CreateOptions, DeleteOptions, FieldValidation, GetOptions, ListOptions, PatchOptions, Preconditions,
    PropagationPolicy, ResourceVersionMatch, UpdateOptions,
};
use serde_json::Value;

use crate::query::Query;

/// Upstream's longest field manager name, in bytes.
const FIELD_MANAGER_MAX: usize = 128;

/// Options of a get.
pub(crate) fn get(query: &Query) -> GetOptions {
    GetOptions { resource_version: query.text("resourceVersion").to_owned() }
}

/// Options of a create.
pub(crate) fn create(query: &Query) -> Result<CreateOptions, StatusError> {
    let written = written("CreateOptions", query, ErrorList::new())?;
    let Written { dry_run, field_validation, field_manager } = written;
    Ok(CreateOptions { dry_run, field_validation, field_manager })
}

/// Options of an update.
pub(crate) fn update(query: &Query) -> Result<UpdateOptions, StatusError> {
    let written = written("UpdateOptions", query, ErrorList::new())?;
    let Written { dry_run, field_validation, field_manager } = written;
    Ok(UpdateOptions { dry_run, field_validation, field_manager })
}

/// Options of a patch; `apply` for a server-side apply.
pub(crate) fn patch(query: &Query, apply: bool) -> Result<PatchOptions, StatusError> {
    let force = query.flag("force");
    let mut errors = ErrorList::new();
    if apply {
        if query.text("fieldManager").is_empty() {
            errors.push(FieldError::required(&Path::new("fieldManager"), "is required for apply patch"));
        }
    } else if force.is_some() {
        errors.push(FieldError::forbidden(&Path::new("force"), "may not be specified for non-apply patch"));
    }
    let Written { dry_run, field_validation, field_manager } = written("PatchOptions", query, errors)?;
    Ok(PatchOptions { dry_run, field_validation, field_manager, force })
}

struct Written {
    dry_run: bool,
    field_validation: FieldValidation,
    field_manager: String,
}

/// What create, update and patch share. `errors` are those found before.
fn written(kind: &str, query: &Query, mut errors: ErrorList) -> Result<Written, StatusError> {
    let field_manager = query.text("fieldManager");
    check_field_manager(field_manager, &mut errors);
    let dry_run: Vec<&str> = query.all("dryRun").collect();
    check_dry_run(&dry_run, &mut errors);
    let field_validation = match query.text("fieldValidation") {
        "" | "Warn" => FieldValidation::Warn,
        "Strict" => FieldValidation::Strict,
        "Ignore" => FieldValidation::Ignore,
        other => {
            let supported = ["", "Ignore", "Strict", "Warn"];
            errors.push(FieldError::not_supported(&Path::new("fieldValidation"), other, &supported));
            FieldValidation::Warn
        }
    };
    refuse(kind, errors)?;
    Ok(Written { dry_run: !dry_run.is_empty(), field_validation, field_manager: field_manager.to_owned() })
}

fn check_field_manager(manager: &str, errors: &mut ErrorList) {
    let path = Path::new("fieldManager");
    if manager.len() > FIELD_MANAGER_MAX {
        errors.push(FieldError::too_long(&path, FIELD_MANAGER_MAX));
    }
    for (at, character) in manager.char_indices() {
        if !is_print(character) {
            let shown = go_unicode(character);
            errors.push(FieldError::invalid(&path, manager, format!("invalid character {shown} (at position {at})")));
        }
    }
}

/// Go's `unicode.IsPrint`, as near as the standard library comes: no controls, no spaces but the ASCII one.
fn is_print(character: char) -> bool {
    character == ' ' || !(character.is_control() || character.is_whitespace() || is_format(character))
}

/// Characters that are there but show nothing: joiners, direction marks, soft hyphen, byte order mark, private use.
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Go's `%#U`: `U+0041 'A'`, without the quotes for what cannot be printed.
fn go_unicode(character: char) -> String {
    let code = format!("U+{:04X}", character as u32);
    if is_print(character) { format!("{code} '{character}'") } else { code }
}

fn check_dry_run(values: &[&str], errors: &mut ErrorList) {
    if values.iter().any(|value| *value != "All") {
        let sent = Value::from(values.iter().map(|value| Value::from(*value)).collect::<Vec<_>>());
        errors.push(FieldError::not_supported(&Path::new("dryRun"), sent, &["All"]));
    }
}

fn refuse(kind: &str, errors: ErrorList) -> Result<(), StatusError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(StatusError::invalid(&GroupKind { group: "meta.k8s.io".into(), kind: kind.into() }, "", errors))
}

/// Options of list, watch and deletecollection; `watch` whether it is a watch, `name` what the path names.
pub(crate) fn list(query: &Query, watch: bool, name: &str) -> Result<ListOptions, StatusError> {
    let bad = |error: String| StatusError::bad_request(error);
    let label_selector = match query.text("labelSelector") {
        "" => None,
        text => Some(labels::Selector::parse(text).map_err(|error| bad(error.to_string()))?),
    };
    let field_selector = match query.text("fieldSelector") {
        "" => None,
        text => Some(fields::Selector::parse(text).map_err(|error| bad(error.to_string()))?),
    };
    let limit = query.number("limit")?.unwrap_or_default();
    let timeout_seconds = query.number("timeoutSeconds")?;
    let resource_version = query.text("resourceVersion").to_owned();
    let continue_token = query.text("continue").to_owned();
    let mut send_initial_events = query.flag("sendInitialEvents");
    let mut matching = query.text("resourceVersionMatch");
    if watch && send_initial_events.is_none() && matching.is_empty() && matches!(resource_version.as_str(), "" | "0") {
        // A watch from nowhere begins with what there is: upstream reads it as if it had been asked for.
        (send_initial_events, matching) = (Some(true), "NotOlderThan");
    }
    let mut errors = ErrorList::new();
    let checks = Checks { resource_version: &resource_version, continue_token: &continue_token, send_initial_events };
    if watch {
        checks.watch(matching, &mut errors);
    } else {
        checks.list(matching, &mut errors);
    }
    refuse("ListOptions", errors)?;
    let field_selector = named(field_selector, name)?;
    Ok(ListOptions {
        label_selector,
        field_selector,
        resource_version,
        resource_version_match: match matching {
            "Exact" => Some(ResourceVersionMatch::Exact),
            "NotOlderThan" => Some(ResourceVersionMatch::NotOlderThan),
            _ => None,
        },
        limit: limit.max(0).unsigned_abs(),
        continue_token,
        timeout: timeout_seconds.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0).map(Duration::from_secs),
        send_initial_events,
        allow_watch_bookmarks: query.flag("allowWatchBookmarks").unwrap_or_default(),
    })
}

/// A path that names an object allows no selector but the one that says the same.
fn named(selector: Option<fields::Selector>, name: &str) -> Result<Option<fields::Selector>, StatusError> {
    if name.is_empty() {
        return Ok(selector);
    }
    match selector {
        Some(selector) if !selector.is_everything() => {
            if selector.requires_exact_match("metadata.name") == Some(name) {
                Ok(Some(selector))
            } else {
                Err(StatusError::bad_request("fieldSelector metadata.name doesn't match requested name"))
            }
        }
        _ => {
            let mut term = String::from("metadata.name=");
            for character in name.chars() {
                if matches!(character, '\\' | ',' | '=') {
                    term.push('\\');
                }
                term.push(character);
            }
            let selector = fields::Selector::parse(&term);
            selector.map(Some).map_err(|error| StatusError::bad_request(error.to_string()))
        }
    }
}

struct Checks<'a> {
    resource_version: &'a str,
    continue_token: &'a str,
    send_initial_events: Option<bool>,
}

impl Checks<'_> {
    fn list(&self, matching: &str, errors: &mut ErrorList) {
        let path = Path::new("resourceVersionMatch");
        if !matching.is_empty() {
            if self.resource_version.is_empty() {
                let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                errors.push(FieldError::forbidden(&path, detail));
            }
            if !self.continue_token.is_empty() {
                let detail = "resourceVersionMatch is forbidden when continue is provided";
                errors.push(FieldError::forbidden(&path, detail));
            }
            if !matches!(matching, "Exact" | "NotOlderThan") {
                errors.push(FieldError::not_supported(&path, matching, &["Exact", "NotOlderThan", ""]));
            }
            if matching == "Exact" && self.resource_version == "0" {
                let detail = r#"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#;
                errors.push(FieldError::forbidden(&path, detail));
            }
        }
        if self.send_initial_events.is_some() {
            let path = Path::new("sendInitialEvents");
            errors.push(FieldError::forbidden(&path, "sendInitialEvents is forbidden for list"));
        }
    }

    fn watch(&self, matching: &str, errors: &mut ErrorList) {
        let path = Path::new("resourceVersionMatch");
        if self.send_initial_events.is_some() && matching != "NotOlderThan" {
            let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            errors.push(FieldError::forbidden(&path, detail));
        }
        if matching.is_empty() {
            return;
        }
        if self.send_initial_events.is_none() {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(FieldError::forbidden(&path, detail));
        }
        if matching != "NotOlderThan" {
            errors.push(FieldError::not_supported(&path, matching, &["NotOlderThan"]));
        }
        if !self.continue_token.is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden(&path, detail));
        }
    }
}

/// `includeObject` of a Table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    /// Each row carries the object's metadata.
    #[default]
    Metadata,
    /// Each row carries the whole object.
    Object,
    /// Rows carry cells alone.
    None,
}

/// How a Table is made.
pub(crate) fn table(query: &Query) -> Result<IncludeObject, StatusError> {
    match query.text("includeObject") {
        "" | "Metadata" => Ok(IncludeObject::Metadata),
        "Object" => Ok(IncludeObject::Object),
        "None" => Ok(IncludeObject::None),
        other => {
            let detail = "must be 'Metadata', 'Object', 'None', or empty";
            let error = FieldError::invalid(&Path::new("includeObject"), other, detail);
            Err(StatusError::bad_request(format!("Unable to convert to Table as requested: {error}")))
        }
    }
}

/// Options of a delete: from the body if there is one, else from the query.
pub(crate) fn delete(query: &Query, body: Option<&Value>) -> Result<DeleteOptions, StatusError> {
    let sent = match body {
        Some(body) => DeleteFields::from_body(body)?,
        None => DeleteFields::from_query(query)?,
    };
    let mut errors = ErrorList::new();
    let path = Path::new("propagationPolicy");
    if let (Some(policy), Some(_)) = (&sent.propagation_policy, sent.orphan_dependents) {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid(&path, policy.as_str(), detail));
    }
    let propagation_policy = match sent.propagation_policy.as_deref() {
        None => None,
        Some("Foreground") => Some(PropagationPolicy::Foreground),
        Some("Background") => Some(PropagationPolicy::Background),
        Some("Orphan") => Some(PropagationPolicy::Orphan),
        Some(other) => {
            errors.push(FieldError::not_supported(&path, other, &["Foreground", "Background", "Orphan", "nil"]));
            None
        }
    };
    let dry_run: Vec<&str> = sent.dry_run.iter().map(String::as_str).collect();
    check_dry_run(&dry_run, &mut errors);
    refuse("DeleteOptions", errors)?;
    Ok(DeleteOptions {
        grace_period_seconds: sent.grace_period_seconds,
        preconditions: sent.preconditions,
        propagation_policy,
        orphan_dependents: sent.orphan_dependents,
        dry_run: !sent.dry_run.is_empty(),
    })
}

#[derive(Default)]
struct DeleteFields {
    grace_period_seconds: Option<i64>,
    orphan_dependents: Option<bool>,
    propagation_policy: Option<String>,
    dry_run: Vec<String>,
    preconditions: Preconditions,
}

impl DeleteFields {
    fn from_query(query: &Query) -> Result<Self, StatusError> {
        Ok(Self {
            grace_period_seconds: query.number("gracePeriodSeconds")?,
            orphan_dependents: query.flag("orphanDependents"),
            propagation_policy: query.first("propagationPolicy").map(str::to_owned),
            dry_run: query.all("dryRun").map(str::to_owned).collect(),
            preconditions: Preconditions::default(),
        })
    }

    fn from_body(body: &Value) -> Result<Self, StatusError> {
        let mut fields = Self::default();
        let object = body.as_object().ok_or_else(|| wrong_type(body, "", "v1.DeleteOptions"))?;
        for (name, value) in object {
            if value.is_null() {
                continue;
            }
            match name.as_str() {
                "gracePeriodSeconds" => {
                    fields.grace_period_seconds = Some(value.as_i64().ok_or_else(|| wrong_type(value, name, "int64"))?);
                }
                "orphanDependents" => {
                    fields.orphan_dependents = Some(value.as_bool().ok_or_else(|| wrong_type(value, name, "bool"))?);
                }
                "propagationPolicy" => {
                    let policy = value.as_str().ok_or_else(|| wrong_type(value, name, "v1.DeletionPropagation"))?;
                    fields.propagation_policy = Some(policy.to_owned());
                }
                "dryRun" => {
                    let values = value.as_array().ok_or_else(|| wrong_type(value, name, "[]string"))?;
                    for value in values {
                        let value = value.as_str().ok_or_else(|| wrong_type(value, name, "string"))?;
                        fields.dry_run.push(value.to_owned());
                    }
                }
                "preconditions" => fields.preconditions = preconditions(value)?,
                _ => {}
            }
        }
        Ok(fields)
    }
}

fn preconditions(value: &Value) -> Result<Preconditions, StatusError> {
    let object = value.as_object().ok_or_else(|| wrong_type(value, "preconditions", "v1.Preconditions"))?;
    let text = |name: &str, kind: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(go_type_error(other, &format!("Preconditions.preconditions.{name}"), kind)),
    };
    Ok(Preconditions { uid: text("uid", "types.UID")?, resource_version: text("resourceVersion", "string")? })
}

fn wrong_type(value: &Value, field: &str, wanted: &str) -> StatusError {
    if field.is_empty() {
        let kind = go_kind(value);
        return StatusError::bad_request(format!("json: cannot unmarshal {kind} into Go value of type {wanted}"));
    }
    go_type_error(value, &format!("DeleteOptions.{field}"), wanted)
}

fn go_type_error(value: &Value, field: &str, wanted: &str) -> StatusError {
    let kind = go_kind(value);
    StatusError::bad_request(format!("json: cannot unmarshal {kind} into Go struct field {field} of type {wanted}"))
}

/// What Go's decoder calls a value; a number that does not fit is shown.
fn go_kind(value: &Value) -> String {
    let word = json::type_word(value);
    if value.is_number() { format!("{word} {value}") } else { word.to_owned() }
}
