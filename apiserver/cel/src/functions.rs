//! What the functions do. They are chosen by name and by the values that they are given.

mod lists;
mod net;
mod numbers;
mod optional;
mod quantity;
mod semver;
mod strings;
mod text_format;
pub(crate) mod time;
mod url;
mod validate;

use apimachinery::quantity::Quantity;
use regex::Regex;

pub(crate) use net::{Address, Network};
pub(crate) use optional::inserted;
pub(crate) use semver::Semver;
pub(crate) use validate::Format;

use crate::ast::operator;
use crate::interpreter::{Error, Result};
use crate::value::Value;

/// A value of a library.
#[derive(Debug)]
pub(crate) enum Opaque {
    Address(Address),
    Network(Network),
    Quantity(Quantity),
    Url(apimachinery::url::Url),
    Semver(Semver),
    Format(Format),
}

impl Opaque {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Address(_) => "net.IP",
            Self::Network(_) => "net.CIDR",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Url(_) => "kubernetes.URL",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Format(_) => "kubernetes.NamedFormat",
        }
    }

    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(a), Self::Address(b)) => a == b,
            (Self::Network(a), Self::Network(b)) => a == b,
            (Self::Quantity(a), Self::Quantity(b)) => a.sub(b).is_zero(),
            (Self::Url(a), Self::Url(b)) => a == b,
            (Self::Semver(a), Self::Semver(b)) => a.compare(b).is_eq(),
            (Self::Format(a), Self::Format(b)) => a == b,
            _ => false,
        }
    }

    /// As upstream: addresses have the size of their bytes.
    pub(crate) fn cost_size(&self) -> u64 {
        match self {
            Self::Address(address) => address.bytes(),
            Self::Network(network) => network.bytes(),
            _ => 1,
        }
    }
}

/// A value as errors show it.
pub(crate) fn shown(value: &Value<'_>) -> String {
    text_format::plain(value)
}

/// Calls `function`, whose receiver is the first value if it is a `member`; `overload` is empty if it is one of several.
/// `pattern` is the regular expression that stands in the call as a constant.
pub(crate) fn call<'a>(
    function: &str,
    overload: &str,
    member: bool,
    values: &[Value<'a>],
    pattern: Option<&Regex>,
) -> Result<Value<'a>> {
    let found = match function {
        operator::EQUALS | operator::NOT_EQUALS => match values {
            [a, b] => Some(Ok(Value::Bool(a.equals(b) == (function == operator::EQUALS)))),
            _ => None,
        },
        operator::NOT => match values {
            [Value::Bool(value)] => Some(Ok(Value::Bool(!value))),
            _ => None,
        },
        "type" => values.first().map(|value| Ok(Value::Type(value.type_of()))),
        "dyn" => values.first().cloned().map(Ok),
        _ => numbers::call(function, values)
            .or_else(|| time::call(function, values))
            .or_else(|| strings::call(function, values, pattern))
            .or_else(|| lists::call(function, overload, values))
            .or_else(|| optional::call(function, values))
            .or_else(|| quantity::call(function, values))
            .or_else(|| net::call(function, member, values))
            .or_else(|| url::call(function, values))
            .or_else(|| semver::call(function, values))
            .or_else(|| validate::call(function, values)),
    };
    found.unwrap_or_else(|| Err(Error::no_overload()))
}

/// A value that could not be made into one of another type.
fn conversion(from: &str, to: &str) -> Error {
    Error::new(format!("type conversion error from '{from}' to '{to}'"))
}
