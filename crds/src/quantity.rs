//! Quantities (`500m`, `128Mi`) as numbers, for operators that add and compare them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::{Deserialize, Deserializer};

/// Why a string is no quantity, in upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// The form is wrong.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// A quantity in thousandths, rounded up, as schedulers count (`500m` is 500, `1Ki` is 1 024 000). Values beyond the
/// range are capped.
///
/// # Errors
/// When the string is no quantity.
pub fn milli(quantity: &str) -> Result<i128, ParseQuantityError> {
    let (negative, rest) = match quantity.as_bytes().first() {
        Some(b'-') => (true, &quantity[1..]),
        Some(b'+') => (false, &quantity[1..]),
        _ => (false, quantity),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(ParseQuantityError::Format);
    }
    let (factor, exponent) = scale(suffix)?;
    // digits * factor * 10^(exponent + 3 - fraction's length), all in whole numbers.
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
    }
    value = value.saturating_mul(factor);
    let power = exponent + 3 - i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    let ten = |power: i32| 10_i128.checked_pow(power.unsigned_abs());
    value = match ten(power) {
        Some(ten) if power >= 0 => value.saturating_mul(ten),
        Some(ten) if negative => value / ten,
        Some(ten) => value.saturating_add(ten - 1) / ten,
        None if power >= 0 => value.signum().saturating_mul(i128::MAX),
        None => value.signum(),
    };
    Ok(if negative { -value } else { value })
}

/// A binary factor and a decimal exponent.
fn scale(suffix: &str) -> Result<(i128, i32), ParseQuantityError> {
    Ok(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        other => match other.as_bytes() {
            [b'e' | b'E', exponent @ ..] if !exponent.is_empty() => {
                let exponent = std::str::from_utf8(exponent).ok().and_then(|digits| digits.parse::<i32>().ok());
                (1, exponent.filter(|power| power.abs() < 100).ok_or(ParseQuantityError::Suffix)?)
            }
            _ => return Err(ParseQuantityError::Suffix),
        },
    })
}

/// [`milli`] of a typed quantity; what is no quantity counts as nothing, since the API server has refused it.
pub fn milli_of(quantity: &Quantity) -> i128 {
    milli(&quantity.0).unwrap_or(0)
}

/// Reads `cpu: 2` as well as `cpu: "2"`, as `x-kubernetes-int-or-string` allows both.
///
/// # Errors
/// When it is neither.
pub fn number_or_string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quantity>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrString {
        Whole(i64),
        Float(f64),
        Text(String),
    }
    Ok(Option::<NumberOrString>::deserialize(deserializer)?.map(|value| {
        Quantity(match value {
            NumberOrString::Whole(number) => number.to_string(),
            NumberOrString::Float(number) => number.to_string(),
            NumberOrString::Text(text) => text,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_count_in_thousandths_rounded_up() {
        for (text, expected) in [
            ("0", 0),
            ("1", 1000),
            ("500m", 500),
            ("0.5", 500),
            (".5", 500),
            ("1.", 1000),
            ("+2", 2000),
            ("-2", -2000),
            ("1500u", 2),
            ("1n", 1),
            ("-1n", 0),
            ("1k", 1_000_000),
            ("1Ki", 1_024_000),
            ("1.5Gi", 1_610_612_736_000),
            ("12e6", 12_000_000_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("1e-3", 1),
        ] {
            assert_eq!(milli(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "-", ".", "m", "1.2.3", "1 ", "one", "1mi", "1Kib", "1e", "1e1.5", "١"] {
            assert!(milli(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_number_is_a_quantity_too() {
        let read = |json| serde_json::from_str::<crate::app::Resources>(json).unwrap();
        assert_eq!(read(r#"{"cpu": 2}"#), read(r#"{"cpu": "2"}"#));
        assert_eq!(read(r#"{"cpu": null}"#), read("{}"));
    }
}
