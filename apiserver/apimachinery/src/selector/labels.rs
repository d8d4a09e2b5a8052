//! Label selectors: which objects, by their labels.
use serde_json::Value;
use std::fmt;

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// The key does not exist.
    DoesNotExist,
    /// `=`.
    Equals,
    /// `==`.
    DoubleEquals,
    /// `in`.
    In,
    /// `!=`.
    NotEquals,
    /// `notin`.
    NotIn,
    /// The key exists.
    Exists,
    /// `>`.
    GreaterThan,
    /// `<`.
    LessThan,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How to compare.
    pub operator: Operator,
    /// With what; sorted.
    pub values: Vec<String>,
}

/// A label selector; an object is selected when it meets every requirement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector;

/// Why a text is no selector, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl Selector {
    /// Selects everything.
    pub fn everything() -> Self {
        todo!()
    }
    /// Selects nothing.
    pub fn nothing() -> Self {
        todo!()
    }
    /// Parses the text of a `labelSelector` parameter.
    pub fn parse(_text: &str) -> Result<Self, ParseError> {
        todo!()
    }
    /// Converts a `metav1.LabelSelector`; null or absent selects nothing, an empty one everything.
    pub fn from_label_selector(_selector: &Value) -> Result<Self, ParseError> {
        todo!()
    }
    /// Whether labels with these values are selected.
    pub fn matches<'a>(&self, _label: impl Fn(&str) -> Option<&'a str>) -> bool {
        todo!()
    }
    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        todo!()
    }
    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        todo!()
    }
}
impl fmt::Display for Selector {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
