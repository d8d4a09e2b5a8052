//! Quantities: `100m`, `1.5Gi`, `3e6`.

mod decimal;
mod parse;

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use decimal::Decimal;
pub use parse::ParseError;

/// How a quantity is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// With a suffix that stands for a power of ten: `n u m k M G T P E`.
    DecimalSi,
    /// With a suffix that stands for a power of 1024: `Ki Mi Gi Ti Pi Ei`.
    BinarySi,
    /// With an exponent: `12e6`.
    DecimalExponent,
}

/// An amount of a resource, exact and of any size. Compared by value, displayed in upstream's canonical form: no
/// fraction, the exponent as large as possible, the family of suffixes it was given in.
#[derive(Clone, Debug)]
pub struct Quantity {
    amount: Decimal,
    format: Format,
    /// The text this was parsed from, where upstream shows that instead of the canonical form: when it finds it
    /// canonical already, by rules a little laxer than its own.
    source: Option<Box<str>>,
}

impl Quantity {
    /// A whole number.
    pub fn new(value: i64, format: Format) -> Self {
        Self { amount: Decimal::new(value, 0), format, source: None }
    }

    /// A number of thousandths.
    pub fn from_milli(value: i64, format: Format) -> Self {
        Self { amount: Decimal::new(value, -3), format, source: None }
    }

    /// The quantity of a JSON value: a string (spaces around it are ignored) or a number; null is 0.
    ///
    /// # Errors
    /// The value is no quantity.
    pub fn from_value(value: &Value) -> Result<Self, ParseError> {
        match value {
            Value::Null => Ok(Self::new(0, Format::DecimalSi)),
            Value::String(text) => text.trim().parse(),
            other => other.to_string().parse(),
        }
    }

    /// The family of suffixes.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The value as a whole number, rounded up (away from zero); `i64::MAX` or `i64::MIN` where it does not fit.
    pub fn value(&self) -> i64 {
        self.amount.rounded_to(0)
    }

    /// The value in thousandths, rounded up (away from zero); `i64::MAX` or `i64::MIN` where it does not fit.
    pub fn milli_value(&self) -> i64 {
        self.amount.rounded_to(-3)
    }

    /// This with no more than three decimals, rounded up (away from zero): what upstream stores in resource lists.
    #[must_use]
    pub fn rounded_up_to_milli(&self) -> Self {
        match self.amount.rounded_up(-3) {
            (_, true) => self.clone(),
            (amount, false) => Self { amount, format: self.format, source: None },
        }
    }

    /// Whether this is a whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.amount.to_i64()
    }

    /// The value as a float, where precision does not matter.
    pub fn as_f64(&self) -> f64 {
        self.amount.to_f64()
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        self.sign() == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.amount.sign()
    }

    /// The sum, in this one's format (the other's if this is 0).
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        Self { amount: self.amount.add(&other.amount), format: self.format_with(other), source: None }
    }

    /// The difference, in this one's format (the other's if this is 0).
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        Self { amount: self.amount.add(&other.amount.negated()), format: self.format_with(other), source: None }
    }

    fn format_with(&self, other: &Self) -> Format {
        if self.is_zero() { other.format } else { self.format }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            return f.write_str(source);
        }
        if self.is_zero() {
            return f.write_str("0");
        }
        // A fraction, and what is below the first suffix, is shown in powers of ten so that nothing is lost.
        if self.format == Format::BinarySi
            && let Some((number, times)) = self.amount.in_powers_of_1024()
        {
            let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(times).unwrap_or(&"");
            return write!(f, "{number}{suffix}");
        }
        let (number, exponent) = self.amount.in_powers_of_1000();
        if self.format == Format::DecimalExponent {
            return match exponent {
                0 => write!(f, "{number}"),
                exponent => write!(f, "{number}e{exponent}"),
            };
        }
        match parse::decimal_suffix(exponent) {
            Some(suffix) => write!(f, "{number}{suffix}"),
            // Upstream drops an exponent it has no suffix for; the value would be another one.
            None => write!(f, "{number}e{exponent}"),
        }
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
    fn cmp(&self, other: &Self) -> Ordering {
        self.amount.cmp(&other.amount)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "quantity_tests.rs"]
mod tests;
