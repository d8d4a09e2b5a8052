//! URLs (`url`, `isURL` and what is asked of one).

use apimachinery::url::Url;

use super::Opaque;
use crate::interpreter::{Error, Result};
use crate::value::Value;

fn query<'a>(url: &Url) -> Value<'a> {
    let entries = url.query_values().into_iter();
    let entries =
        entries.map(|(key, values)| (Value::text(key), Value::list(values.into_iter().map(Value::text).collect())));
    Value::Map(entries.collect())
}

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    match (function, values) {
        ("isURL", [Value::String(text)]) => Some(Ok(Value::Bool(Url::parse_request(text).is_ok()))),
        ("url", [Value::String(text)]) => Some(match Url::parse_request(text) {
            Ok(url) => Ok(Value::opaque(Opaque::Url(url))),
            Err(why) => Err(Error::new(format!("URL parse error during conversion from string: {why}"))),
        }),
        (_, [Value::Opaque(opaque)]) => {
            let Opaque::Url(url) = &**opaque else { return None };
            Some(Ok(match function {
                "getScheme" => Value::text(url.scheme.as_str()),
                "getHost" => Value::text(url.host.as_str()),
                "getHostname" => Value::text(url.hostname()),
                "getPort" => Value::text(url.port()),
                "getEscapedPath" => Value::text(url.escaped_path()),
                "getQuery" => query(url),
                _ => return None,
            }))
        }
        _ => None,
    }
}
