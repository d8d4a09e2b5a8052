//! The schemas that OpenAPI publishes of custom resources, as upstream builds them. The built-in ones are published as they
//! are: [`crate::Builtins::definitions`].

use serde_json::Value;

/// What a CRD's version says that its published schemas need.
#[derive(Clone, Debug)]
pub struct CustomKind<'a> {
    /// The API group.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The kind, e.g. `Widget`.
    pub kind: &'a str,
    /// The kind of its list, e.g. `WidgetList`.
    pub list_kind: &'a str,
    /// The plural name, e.g. `widgets`.
    pub plural: &'a str,
    /// The version's `openAPIV3Schema`, if it has one.
    pub schema: Option<&'a Value>,
    /// The CRD's `spec.preserveUnknownFields`.
    pub preserve_unknown_fields: bool,
}

/// Published definitions of a custom resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The kind's definition name, e.g. `com.example.v1.Widget`, and definition.
    pub kind: (String, Value),
    /// The list's definition name, e.g. `com.example.v1.WidgetList`, and definition.
    pub list: (String, Value),
}

/// OpenAPI v3 definitions; references are `#/components/schemas/<name>`.
pub fn v3(_kind: &CustomKind<'_>) -> Published {
    todo!()
}

/// OpenAPI v2 definitions, reduced to what v2 can say; references are `#/definitions/<name>`.
pub fn v2(_kind: &CustomKind<'_>) -> Published {
    todo!()
}
