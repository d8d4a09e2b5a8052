//! Values as text: what `string()` makes of them, and `format`.

use super::strings::quote;
use crate::interpreter::{Error, Result};
use crate::value::{List, Value};

/// A plain value as `string()` and errors have it.
pub(super) fn plain(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Duration(nanos) => duration(*nanos),
        Value::Timestamp(at) => at.text(),
        Value::Type(of) => of.name(),
        other => other.type_of().to_string(),
    }
}

/// Go's `%g`: the shortest digits, with an exponent below 1e-4 and from 1e6 on.
fn double(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Seconds with as many decimals as needed.
fn duration(nanos: i64) -> String {
    let seconds = nanos as f64 / 1e9;
    format!("{seconds}s")
}

/// `text` with its clauses replaced by the arguments.
pub(super) fn format(text: &str, arguments: &List<'_>) -> Result<String> {
    let mut made = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut used = 0;
    while let Some(char) = chars.next() {
        if char != '%' {
            made.push(char);
            continue;
        }
        let mut precision = None;
        if chars.peek() == Some(&'%') {
            chars.next();
            made.push('%');
            continue;
        }
        if chars.peek() == Some(&'.') {
            chars.next();
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            let number: usize = digits
                .parse()
                .map_err(|_| Error::new(format!("error while converting precision to integer: {digits}")))?;
            // What is asked for is bounded, and no number has more to show.
            precision = Some(number.min(1000));
        }
        let clause = chars.next().ok_or_else(|| Error::new("unexpected end of string"))?;
        let argument = arguments.get(used).ok_or_else(|| Error::new(format!("index {used} out of range")))??;
        used += 1;
        made.push_str(&match clause {
            's' => as_string(&argument)?,
            'd' => decimal(&argument)?,
            'f' => fixed(&argument, precision.unwrap_or(6))?,
            'e' => scientific(&argument, precision.unwrap_or(6))?,
            'b' => binary(&argument)?,
            'x' | 'X' => hexadecimal(&argument, clause == 'X')?,
            'o' => octal(&argument)?,
            other => {
                return Err(Error::new(format!(
                    "could not parse formatting clause: unrecognized formatting clause \"{other}\""
                )));
            }
        });
    }
    Ok(made)
}

fn unfit(clause: &str, takes: &str, value: &Value<'_>) -> Error {
    Error::new(format!(
        "error during formatting: {clause} clause can only be used on {takes}, was given {}",
        value.type_of().name()
    ))
}

/// A string within a list or map stands in quotes.
fn as_string(value: &Value<'_>) -> Result<String> {
    fn inner(value: &Value<'_>) -> Result<String> {
        match value {
            Value::String(text) => Ok(quote(text)),
            Value::Timestamp(_) => Ok(format!("timestamp({})", quote(&plain(value)))),
            Value::Duration(_) => Ok(format!("duration({})", quote(&plain(value)))),
            value => as_string(value),
        }
    }
    Ok(match value {
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| inner(&item?)).collect::<Result<_>>()?;
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let mut entries: Vec<String> = Vec::new();
            for (key, value) in map.entries()? {
                entries.push(format!("{}:{}", inner(&key)?, inner(&value)?));
            }
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Object(..) | Value::Optional(_) | Value::Opaque(_) => {
            return Err(unfit(
                "string",
                "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
                value,
            ));
        }
        value => plain(value),
    })
}

fn decimal(value: &Value<'_>) -> Result<String> {
    match value {
        Value::Int(_) | Value::Uint(_) => Ok(plain(value)),
        Value::Double(number) if !number.is_finite() => Ok(plain(value)),
        _ => Err(unfit("decimal", "integers", value)),
    }
}

fn number(value: &Value<'_>, clause: &str) -> Result<f64> {
    match value {
        Value::Double(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        Value::String(text) if matches!(&**text, "NaN" | "Infinity" | "-Infinity") => {
            Ok(text.parse().unwrap_or(f64::NAN))
        }
        _ => Err(unfit(clause, "doubles", value)),
    }
}

fn fixed(value: &Value<'_>, precision: usize) -> Result<String> {
    let number = number(value, "fixed-point")?;
    Ok(if number.is_finite() { format!("{number:.precision$}") } else { words_of_infinite(number) })
}

fn words_of_infinite(number: f64) -> String {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "∞"
    } else {
        "-∞"
    }
    .to_owned()
}

/// A mantissa times a power of ten in superscript, as upstream's formatter for English writes it.
fn scientific(value: &Value<'_>, precision: usize) -> Result<String> {
    let number = number(value, "scientific notation")?;
    if !number.is_finite() {
        return Ok(words_of_infinite(number));
    }
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { "⁻" } else { "" };
    let digits: String = format!("{:02}", exponent.abs())
        .chars()
        .map(|digit| ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit.to_digit(10).unwrap_or(0) as usize])
        .collect();
    // The formatter of this clause shows six decimals of the mantissa whatever is asked for.
    let mantissa: f64 = mantissa.parse().unwrap_or(0.0);
    Ok(format!("{mantissa:.6}×10{sign}{digits}"))
}

fn binary(value: &Value<'_>) -> Result<String> {
    match value {
        Value::Int(number) if *number < 0 => Ok(format!("-{:b}", number.unsigned_abs())),
        Value::Int(number) => Ok(format!("{number:b}")),
        Value::Uint(number) => Ok(format!("{number:b}")),
        Value::Bool(value) => Ok(if *value { "1" } else { "0" }.to_owned()),
        _ => Err(unfit("binary", "integers and bools", value)),
    }
}

fn hexadecimal(value: &Value<'_>, upper: bool) -> Result<String> {
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = match value {
        Value::Int(number) if *number < 0 => format!("-{:x}", number.unsigned_abs()),
        Value::Int(number) => format!("{number:x}"),
        Value::Uint(number) => format!("{number:x}"),
        Value::String(text) => bytes(text.as_bytes()),
        Value::Bytes(value) => bytes(value),
        _ => return Err(unfit("hex", "integers, byte buffers, and strings", value)),
    };
    Ok(if upper { text.to_uppercase() } else { text })
}

fn octal(value: &Value<'_>) -> Result<String> {
    match value {
        Value::Int(number) if *number < 0 => Ok(format!("-{:o}", number.unsigned_abs())),
        Value::Int(number) => Ok(format!("{number:o}")),
        Value::Uint(number) => Ok(format!("{number:o}")),
        _ => Err(unfit("octal", "integers", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_go_writes_them() {
        let cases = [
            (1.0, "1"),
            (1.5e10, "1.5e+10"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e100, "1e+100"),
            (-0.0, "-0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
        ];
        for (value, text) in cases {
            assert_eq!(double(value), text);
        }
    }
}
