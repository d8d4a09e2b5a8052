//! Bodies at the limits, over real stores.

use tests::raw::{Raw, Who, request};
use tests::{ControlPlane, Part, Store, on_each_store};

use super::{Attacked, MAPS};

on_each_store!(bodies_at_the_limits_are_taken_and_those_beyond_are_refused);

/// Upstream's 3 MiB.
const LIMIT: usize = 3 << 20;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

/// A body with spaces up to this size.
fn padded(body: &str, size: usize) -> Vec<u8> {
    let mut body = body.as_bytes().to_vec();
    body.resize(size, b' ');
    body
}

struct Sent {
    what: &'static str,
    method: &'static str,
    path: String,
    kind: &'static str,
    body: Vec<u8>,
    code: u16,
    words: &'static str,
}

fn sent(
    what: &'static str,
    (method, path, kind): (&'static str, &str, &'static str),
    body: impl Into<Vec<u8>>,
    (code, words): (u16, &'static str),
) -> Sent {
    Sent { what, method, path: path.to_owned(), kind, body: body.into(), code, words }
}

/// Each verb that has a body, with a body that is right, and what right is answered.
fn verbs() -> Vec<(&'static str, String, &'static str, &'static str, u16)> {
    let one = format!("{MAPS}/kept?dryRun=All");
    let apply = format!("{MAPS}/kept?dryRun=All&fieldManager=m&force=true");
    let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"}}"#;
    vec![
        ("POST", format!("{MAPS}?dryRun=All"), JSON, r#"{"metadata":{"name":"limit"}}"#, 201),
        ("POST", format!("{MAPS}?dryRun=All"), YAML, r#"{"metadata":{"name":"limit"}}"#, 201),
        ("PUT", one.clone(), JSON, map, 200),
        ("PATCH", one.clone(), "application/json-patch+json", "[]", 200),
        ("PATCH", one.clone(), "application/merge-patch+json", "{}", 200),
        ("PATCH", one.clone(), "application/strategic-merge-patch+json", "{}", 200),
        ("PATCH", apply, "application/apply-patch+yaml", map, 200),
        ("DELETE", one, JSON, r#"{"dryRun":["All"]}"#, 200),
        ("DELETE", format!("{MAPS}?dryRun=All&labelSelector=none"), JSON, r#"{"dryRun":["All"]}"#, 200),
    ]
}

fn cases() -> Vec<Sent> {
    let dry = format!("{MAPS}?dryRun=All");
    let post = ("POST", dry.as_str(), JSON);
    let yaml = ("POST", dry.as_str(), YAML);
    let one = format!("{MAPS}/kept?dryRun=All");
    let named = |rest: &str| format!(r#"{{"metadata":{{"name":"odd"{rest}}}}}"#);
    let nested = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let keys: String = (0..100_000).map(|at| format!(r#""k{at}":1,"#)).collect();
    let aliases: String =
        (1..12).map(|at| format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 10].join(","))).collect();
    let operations = format!("[{}]", vec![r#"{"op":"test","path":"/kind","value":"ConfigMap"}"#; 10_001].join(","));
    let copies: String = (0..60).map(|at| format!(r#",{{"op":"copy","from":"/data","path":"/data/{at}"}}"#)).collect();
    let copies = format!(r#"[{{"op":"add","path":"/data","value":{{"k":"{}"}}}}{copies}]"#, "x".repeat(1000));
    vec![
        sent("arrays without an end", post, "[".repeat(LIMIT), (400, "BadRequest")),
        sent("objects without an end", post, r#"{"a":"#.repeat(LIMIT / 5), (400, "BadRequest")),
        sent("nesting beyond Go's limit", post, nested(10_001), (400, "exceeded max depth")),
        sent("sequences of YAML without an end", yaml, "[".repeat(200_000), (400, "BadRequest")),
        sent("blocks of YAML without an end", yaml, "- ".repeat(100_000), (400, "BadRequest")),
        sent("aliases upon aliases", yaml, format!("a0: &a0 [x]\n{aliases}"), (400, "BadRequest")),
        sent(
            "a hundred thousand unknown keys",
            post,
            format!(r#"{{{keys}"metadata":{{"name":"odd"}}}}"#),
            (201, "odd"),
        ),
        sent(
            "a key three times",
            post,
            r#"{"metadata":{"name":"a"},"metadata":{"name":"b"},"metadata":{"name":"odd"}}"#,
            (201, "odd"),
        ),
        sent(
            "an integer beyond int64",
            post,
            named(r#","generation":9223372036854775808"#),
            (400, "into Go struct field ObjectMeta.metadata.generation of type int64"),
        ),
        sent("a number beyond float64", post, named(r#","generation":1e400"#), (400, "cannot unmarshal number 1e400")),
        sent("a fraction for an integer", post, named(r#","generation":1.5"#), (400, "cannot unmarshal number 1.5")),
        sent("a zero with a sign", post, named(r#","generation":-0"#), (201, "odd")),
        sent("a NUL in a name", post, "{\"metadata\":{\"name\":\"a\\u0000b\"}}", (422, "Invalid")),
        sent("a raw NUL", post, "{\"metadata\":{\"name\":\"a\0b\"}}", (400, "invalid character")),
        sent("half a surrogate", post, r#"{"metadata":{"name":"\ud800"}}"#, (422, "Invalid")),
        sent(
            "bytes that are no UTF-8",
            post,
            b"{\"metadata\":{\"name\":\"odd\",\"labels\":{\"a\":\"\xff\"}}}",
            (422, "Invalid"),
        ),
        sent("YAML that is no UTF-8", yaml, b"metadata: {name: \"\xff\"}", (400, "BadRequest")),
        sent(
            "a patch of too many operations",
            ("PATCH", &one, "application/json-patch+json"),
            operations,
            (413, "allowed maximum operations in a JSON patch is 10000, got 10001"),
        ),
        sent(
            "a patch that copies itself",
            ("PATCH", &one, "application/json-patch+json"),
            copies,
            (422, "the server rejected our request due to an error in our request"),
        ),
        sent(
            "a path of many steps",
            ("PATCH", &one, "application/json-patch+json"),
            format!(r#"[{{"op":"remove","path":"{}"}}]"#, "/a".repeat(1_000_000)),
            (422, ""),
        ),
        sent(
            "a merge without an end",
            ("PATCH", &one, "application/merge-patch+json"),
            r#"{"a":"#.repeat(LIMIT / 5),
            (400, "BadRequest"),
        ),
        sent(
            "an apply without an end",
            ("PATCH", &format!("{one}&fieldManager=m"), "application/apply-patch+yaml"),
            "[".repeat(200_000),
            (400, "BadRequest"),
        ),
    ]
}

fn bodies_at_the_limits_are_taken_and_those_beyond_are_refused(store: Store) {
    let mut attacked = Attacked::new(ControlPlane::start(Part::ApiServer, store));
    let mut wrong = Vec::new();
    for (method, path, kind, body, code) in verbs() {
        let ask = |size| Raw::ask(&attacked.plane, Who::Admin, &request(method, &path, kind, &padded(body, size)));
        let (taken, refused) = (ask(LIMIT), ask(LIMIT + 1));
        let words = r#""message":"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","#;
        if taken.code != code || refused.code != 413 || !refused.body.contains(words) {
            wrong.push(format!("{method} {kind}: {} {}\n{} {}", taken.code, taken.body, refused.code, refused.body));
        }
    }
    for Sent { what, method, path, kind, body, code, words } in cases() {
        let answer = Raw::ask(&attacked.plane, Who::Admin, &request(method, &path, kind, &body));
        if answer.code != code || !answer.body.contains(words) {
            let shown: String = answer.body.chars().take(1000).collect();
            wrong.push(format!("{what}: {code} {words:?} was expected, got {} {shown}", answer.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    attacked.is_well("bodies at the limits");
}
