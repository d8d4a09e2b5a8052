//! Go values as go-spew prints them for hashing: `%#v` with sorted map keys, no methods called, no addresses.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

use super::quantity;
use super::shape::{self, Shape};

/// Prints `value`, the JSON form of a Go value of `type_`, with its type before it.
///
/// An absent value prints as Go's zero value. Lists and maps that are empty print as absent ones: they are not told
/// apart in protobuf, through which upstream's controllers see them.
///
/// # Errors
/// Those of `out`.
pub fn print(out: &mut impl Write, type_: &str, value: Option<&Value>) -> fmt::Result {
    if let Some(pointed) = type_.strip_prefix('*') {
        write!(out, "(*{pointed})")?;
        return match value {
            Some(value) => bare(out, pointed, Some(value)),
            None => out.write_str("<nil>"),
        };
    }
    write!(out, "({type_})")?;
    bare(out, type_, value)
}

/// Prints a value without its type.
fn bare(out: &mut impl Write, type_: &str, value: Option<&Value>) -> fmt::Result {
    if let Some(element) = type_.strip_prefix("[]") {
        return list(out, element, value);
    }
    if let Some((_, element)) = type_.strip_prefix("map[").and_then(|rest| rest.split_once(']')) {
        return map(out, element, value);
    }
    match type_ {
        "string" | "types.UID" => out.write_str(value.and_then(Value::as_str).unwrap_or_default()),
        "bool" => write!(out, "{}", value.and_then(Value::as_bool).unwrap_or_default()),
        "int32" | "int64" => write!(out, "{}", value.and_then(Value::as_i64).unwrap_or_default()),
        "v1.Time" => time(out, value),
        "v1.FieldsV1" => out.write_str("{Raw:([]uint8)<nil>}"),
        "resource.Quantity" => quantity(out, value),
        "intstr.IntOrString" => int_or_string(out, value),
        _ => match shape::of(type_) {
            Some(Shape::Struct(fields)) => {
                out.write_char('{')?;
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        out.write_char(' ')?;
                    }
                    write!(out, "{}:", field.name)?;
                    print(out, field.type_, field.json.map_or(value, |json| present(value, json)))?;
                }
                out.write_char('}')
            }
            Some(Shape::Named(under)) => bare(out, under, value),
            None => Ok(()), // a test sees to it that there is none
        },
    }
}

fn present<'a>(value: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    value?.get(name).filter(|value| !value.is_null())
}

fn list(out: &mut impl Write, element: &str, value: Option<&Value>) -> fmt::Result {
    let Some(elements) = value.and_then(Value::as_array).filter(|elements| !elements.is_empty()) else {
        return out.write_str("<nil>");
    };
    out.write_char('[')?;
    for (index, value) in elements.iter().enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        bare(out, element, Some(value))?;
    }
    out.write_char(']')
}

fn map(out: &mut impl Write, element: &str, value: Option<&Value>) -> fmt::Result {
    let Some(entries) = value.and_then(Value::as_object).filter(|entries| !entries.is_empty()) else {
        return out.write_str("<nil>");
    };
    let mut sorted: Vec<(&String, &Value)> = Map::iter(entries).collect();
    sorted.sort_by_key(|(key, _)| *key);
    out.write_str("map[")?;
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        write!(out, "{key}:")?;
        bare(out, element, Some(value))?;
    }
    out.write_char(']')
}

/// A time that is set prints in Go with the machine's time zone; a template has none.
fn time(out: &mut impl Write, value: Option<&Value>) -> fmt::Result {
    let seconds = value.and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    // Go counts from the year 1.
    let since_year_one = seconds.map_or(0, |time| time.as_second() + 62_135_596_800);
    write!(out, "{{Time:(time.Time){{wall:(uint64)0 ext:(int64){since_year_one} loc:(*time.Location)<nil>}}}}")
}

fn quantity(out: &mut impl Write, value: Option<&Value>) -> fmt::Result {
    let number;
    let text = match value {
        Some(Value::String(text)) => text.trim(),
        Some(value @ Value::Number(_)) => {
            number = value.to_string();
            &number
        }
        _ => "",
    };
    let parsed = quantity::parse(text).unwrap_or_default();
    let (value, scale) = parsed.amount;
    write!(out, "{{i:(resource.int64Amount){{value:(int64){value} scale:(resource.Scale){scale}}} ")?;
    match parsed.decimal {
        None => out.write_str("d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>}")?,
        Some((negative, unscaled, decimals)) => {
            write!(
                out,
                "d:(resource.infDecAmount){{Dec:(*inf.Dec){{unscaled:(big.Int){{neg:(bool){negative} abs:(big.nat)"
            )?;
            let words = [unscaled as u64, (unscaled >> 64) as u64];
            match words {
                [0, 0] => out.write_str("<nil>")?,
                [low, 0] => write!(out, "[{low}]")?,
                [low, high] => write!(out, "[{low} {high}]")?,
            }
            write!(out, "}} scale:(inf.Scale){decimals}}}}}")?;
        }
    }
    write!(out, " s:(string){} Format:(resource.Format){}}}", parsed.text, parsed.format)
}

fn int_or_string(out: &mut impl Write, value: Option<&Value>) -> fmt::Result {
    let (type_, number, text) = match value {
        Some(Value::String(text)) => (1, 0, text.as_str()),
        Some(value) => (0, value.as_i64().unwrap_or_default(), ""),
        None => (0, 0, ""),
    };
    write!(out, "{{Type:(intstr.Type){type_} IntVal:(int32){number} StrVal:(string){text}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_spew_prints_them() {
        for (type_, value, expected) in [
            ("*int64", Some(json!(30)), "(*int64)30"),
            ("*int64", None, "(*int64)<nil>"),
            ("map[string]string", Some(json!({"b": "2", "a": "1"})), "(map[string]string)map[a:1 b:2]"),
            ("[]string", Some(json!(["x", "y"])), "([]string)[x y]"),
            ("[]string", Some(json!([])), "([]string)<nil>"),
            ("v1.DNSPolicy", Some(json!("Default")), "(v1.DNSPolicy)Default"),
            (
                "[]v1.LocalObjectReference",
                Some(json!([{"name": "a"}, {}])),
                "([]v1.LocalObjectReference)[{Name:(string)a} {Name:(string)}]",
            ),
            (
                "v1.ConfigMapEnvSource",
                Some(json!({"name": "c", "optional": true})),
                "(v1.ConfigMapEnvSource){LocalObjectReference:(v1.LocalObjectReference){Name:(string)c} \
                 Optional:(*bool)true}",
            ),
            (
                "intstr.IntOrString",
                Some(json!("http")),
                "(intstr.IntOrString){Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string)http}",
            ),
            (
                "v1.ResourceList",
                Some(json!({"cpu": "100m"})),
                "(v1.ResourceList)map[cpu:{i:(resource.int64Amount){value:(int64)100 scale:(resource.Scale)-3} \
                 d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)100m Format:(resource.Format)DecimalSI}]",
            ),
        ] {
            let mut out = String::new();
            print(&mut out, type_, value.as_ref()).unwrap();
            assert_eq!(out, expected);
        }
    }
}
