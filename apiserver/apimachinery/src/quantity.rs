//! Quantities: `100m`, `1.5Gi`, `3e6`.
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An amount of a resource, exact, displayed in upstream's canonical form.
#[derive(Clone, Debug)]
pub struct Quantity(());

/// Why a text is no quantity, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl Quantity {
    /// The quantity of a JSON value: a string, or a number as upstream allows; anything else is none.
    pub fn from_value(_value: &serde_json::Value) -> Result<Self, ParseError> {
        todo!()
    }
    /// The value rounded up to a whole number, or `i64::MAX` / `i64::MIN` where it does not fit.
    pub fn value(&self) -> i64 {
        todo!()
    }
    /// The value in thousandths, rounded up; saturating.
    pub fn milli_value(&self) -> i64 {
        todo!()
    }
    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        todo!()
    }
    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        todo!()
    }
    /// The sum.
    #[must_use]
    pub fn add(&self, _other: &Self) -> Self {
        todo!()
    }
    /// The difference.
    #[must_use]
    pub fn sub(&self, _other: &Self) -> Self {
        todo!()
    }
}
impl FromStr for Quantity {
    type Err = ParseError;
    fn from_str(_: &str) -> Result<Self, ParseError> {
        todo!()
    }
}
impl fmt::Display for Quantity {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, _: &Self) -> Ordering {
        todo!()
    }
}
