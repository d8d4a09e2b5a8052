//! What a filter compares: values of one kind.

use std::cmp::Ordering;

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    /// Of no meaning: it fails where something is compared.
    Unknown,
}

impl Comparison {
    /// What is written so.
    pub(super) fn of(operator: &str) -> Self {
        match operator {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterEqual,
            _ => Self::Unknown,
        }
    }

    /// `None` if the two are of different kinds, or of one that is not compared.
    pub(super) fn holds(self, left: &Value, right: &Value) -> Option<bool> {
        let order = match (left, right) {
            (Value::Bool(left), Value::Bool(right)) if matches!(self, Self::Equal | Self::NotEqual) => {
                Some(left.cmp(right))
            }
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
                _ => return None,
            },
            _ => return None,
        };
        Some(match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => !matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::GreaterEqual => order != Some(Ordering::Less),
            Self::Unknown => return None,
        })
    }
}
