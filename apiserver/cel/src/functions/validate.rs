//! The named formats.

use apimachinery::validation as rules;
use base64::Engine as _;

use super::{Opaque, time};
use crate::interpreter::Result;
use crate::value::Value;
use apimachinery::url::Url;

/// A format: its name, and what is wrong with a text that is not of it.
#[derive(Debug)]
pub(crate) struct Format {
    name: &'static str,
    check: fn(&str) -> Vec<String>,
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Upstream's formats. Those whose names end in `Prefix` are of what a generated name begins with.
const FORMATS: [Format; 13] = [
    Format { name: "dns1123Label", check: |text| words(rules::name_is_dns_label(text, false)) },
    Format { name: "dns1123Subdomain", check: |text| words(rules::name_is_dns_subdomain(text, false)) },
    Format { name: "dns1035Label", check: |text| words(rules::name_is_dns1035_label(text, false)) },
    Format { name: "qualifiedName", check: |text| words(rules::is_qualified_name(text)) },
    Format { name: "dns1123LabelPrefix", check: |text| words(rules::name_is_dns_label(text, true)) },
    Format { name: "dns1123SubdomainPrefix", check: |text| words(rules::name_is_dns_subdomain(text, true)) },
    Format { name: "dns1035LabelPrefix", check: |text| words(rules::name_is_dns1035_label(text, true)) },
    Format { name: "labelValue", check: |text| words(rules::is_valid_label_value(text)) },
    Format {
        name: "uri",
        check: |text| Url::parse_request(text).err().map(|error| error.to_string()).into_iter().collect(),
    },
    Format { name: "uuid", check: |text| unless(is_uuid(text), "does not match the UUID format") },
    Format { name: "byte", check: |text| unless(is_base64(text), "invalid base64") },
    Format { name: "date", check: |text| unless(time::parse_date(text).is_some(), "invalid date") },
    Format { name: "datetime", check: |text| unless(time::parse_date_time(text).is_some(), "invalid datetime") },
];

fn words<T: ToString>(messages: impl IntoIterator<Item = T>) -> Vec<String> {
    messages.into_iter().map(|message| message.to_string()).collect()
}

fn unless(right: bool, message: &str) -> Vec<String> {
    if right { Vec::new() } else { vec![message.to_owned()] }
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok() && matches!(text.len(), 32 | 36)
}

fn is_base64(text: &str) -> bool {
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

fn named(name: &str) -> Option<Format> {
    FORMATS.into_iter().find(|format| format.name == name)
}

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    let value = |format| Value::opaque(Opaque::Format(format));
    match (function, values) {
        ("format.named", [Value::String(name)]) => {
            Some(Ok(Value::Optional(named(name).map(|format| value(format).into()))))
        }
        ("validate", [Value::Opaque(opaque), Value::String(text)]) => {
            let Opaque::Format(format) = &**opaque else { return None };
            let wrong: Vec<Value<'a>> = (format.check)(text).into_iter().map(Value::text).collect();
            Some(Ok(Value::Optional((!wrong.is_empty()).then(|| Value::list(wrong).into()))))
        }
        (function, []) => function.strip_prefix("format.").and_then(named).map(|format| Ok(value(format))),
        _ => None,
    }
}
