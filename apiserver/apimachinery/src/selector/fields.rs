//! Field selectors: which objects, by a few of their fields.
use std::fmt;

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `=` and `==`.
    Equals,
    /// `!=`.
    NotEquals,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The field's path.
    pub field: String,
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

/// A field selector; an object is selected when it meets every requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
    /// Parses the text of a `fieldSelector` parameter.
    pub fn parse(_text: &str) -> Result<Self, ParseError> {
        todo!()
    }
    /// Whether fields with these values are selected; an absent field has the empty value.
    pub fn matches<'a>(&self, _field: impl Fn(&str) -> Option<&'a str>) -> bool {
        todo!()
    }
    /// The requirements, in the order given.
    pub fn requirements(&self) -> &[Requirement] {
        todo!()
    }
    /// The value that the field must have, if the selector says so.
    pub fn requires_exact_match(&self, _field: &str) -> Option<&str> {
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
