//! What a scalar means: Go's resolution by YAML 1.1, and what its JSON says.

use granit_parser::{ScalarStyle, Tag};
use serde_json::Value;

use super::SyntaxError;

/// A scalar's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    /// Beyond int64.
    Unsigned(u64),
    Float(f64),
    Text(String),
    /// The key `<<`.
    Merge,
}

impl Scalar {
    /// What Go's library calls its type.
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Integer(_) | Self::Unsigned(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Text(_) => "!!str",
            Self::Merge => "!!merge",
        }
    }

    /// The value that the scalar's JSON is read as: a float without a fraction is an integer there.
    // The cast is of whole numbers inside the range of both.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub(super) fn into_value(self) -> Result<Value, SyntaxError> {
        const WHOLE: f64 = 9_223_372_036_854_775_808.0;
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Unsigned(value) => (value as f64).into(),
            Self::Float(value) if value.is_nan() => return Err(SyntaxError("json: unsupported value: NaN".into())),
            Self::Float(value) if value.is_infinite() => {
                let sign = if value > 0.0 { '+' } else { '-' };
                return Err(SyntaxError(format!("json: unsupported value: {sign}Inf")));
            }
            Self::Float(value) if value.fract() == 0.0 && (-WHOLE..WHOLE).contains(&value) => (value as i64).into(),
            Self::Float(value) => value.into(),
            Self::Text(text) => text.into(),
            Self::Merge => "<<".into(),
        })
    }

    /// A value as a key, if it is a scalar.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(number.as_f64()?),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// The name of a field.
    pub(super) fn into_name(self) -> Result<String, SyntaxError> {
        Ok(match self {
            Self::Null => {
                return Err(SyntaxError("unsupported map key of type: %!s(<nil>), key: <nil>".into()));
            }
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Float(value) => float_name(value),
            Self::Text(text) => text,
            Self::Merge => "<<".into(),
        })
    }

    /// How Go prints it as a value of its type.
    pub(super) fn printed(&self) -> String {
        match self {
            Self::Text(text) => crate::quote::quoted(text).to_string(),
            Self::Null => "interface {}(nil)".into(),
            other => other.clone().into_name().unwrap_or_default(),
        }
    }
}

/// A float as a field's name: Go's shortest form that a float32 is read from.
#[allow(clippy::cast_possible_truncation)]
fn float_name(value: f64) -> String {
    if value.is_nan() {
        return ".nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let value = value as f32;
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..21 => value.to_string(),
        exponent => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// What a scalar means by its text, style and tag.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, SyntaxError> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return Ok(if plain { plain_scalar(text) } else { Scalar::Text(text.to_owned()) });
    };
    let suffix = tag.suffix_in_namespace("tag:yaml.org,2002:");
    let wanted = match suffix.as_deref() {
        Some(kind @ ("null" | "bool" | "int" | "float" | "timestamp" | "merge")) => kind,
        Some("binary") => return binary(text),
        // Text, and what only the writer's own types mean.
        _ => return Ok(Scalar::Text(text.to_owned())),
    };
    match (wanted, plain_scalar(text)) {
        ("timestamp", _) => Ok(Scalar::Text(text.to_owned())),
        // Whole numbers are floats too.
        ("float", Scalar::Integer(value)) => {
            #[allow(clippy::cast_precision_loss)]
            let value = value as f64;
            Ok(Scalar::Float(value))
        }
        (wanted, scalar) if scalar.tag() == format!("!!{wanted}") => Ok(scalar),
        (wanted, scalar) => {
            Err(SyntaxError::yaml(format_args!("cannot decode {} `{text}` as a !!{wanted}", scalar.tag())))
        }
    }
}

fn plain_scalar(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        "<<" => Scalar::Merge,
        _ => number(text).unwrap_or_else(|| Scalar::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Scalar> {
    match text.as_bytes().first()? {
        b'.' if is_float(text) => return finite(text),
        b'+' | b'-' | b'0'..=b'9' => {}
        _ => return None,
    }
    let digits = text.replace('_', "");
    let (negative, unsigned) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let (radix, body) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // A second sign would be read by the parser of digits.
    if body.starts_with(|c: char| c.is_ascii_alphanumeric())
        && let Ok(magnitude) = u64::from_str_radix(body, radix)
    {
        match (negative, i64::try_from(magnitude)) {
            (false, Ok(value)) => return Some(Scalar::Integer(value)),
            (false, Err(_)) => return Some(Scalar::Unsigned(magnitude)),
            (true, Ok(value)) => return Some(Scalar::Integer(-value)),
            (true, Err(_)) if magnitude == i64::MIN.unsigned_abs() => return Some(Scalar::Integer(i64::MIN)),
            (true, Err(_)) => {}
        }
    }
    if is_float(&digits) { finite(&digits) } else { None }
}

/// A float; one that no float64 holds is text.
fn finite(text: &str) -> Option<Scalar> {
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Scalar::Float)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// Base64, whose bytes are the text.
fn binary(text: &str) -> Result<Scalar, SyntaxError> {
    let invalid = || SyntaxError::yaml("!!binary value contains invalid base64 data");
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let body = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(&text);
    if !text.len().is_multiple_of(4) {
        return Err(invalid());
    }
    for byte in body {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(invalid()),
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned()))
}
