//! Requests of HTTP/1.1 that are not what they say.

use tests::raw::{Raw, Who, head, request};
use tests::{ControlPlane, Part, Store};

use super::{Attacked, MAPS};

const BODY: &[u8] = br#"{"metadata":{"name":"framed"}}"#;

/// A POST of a ConfigMap with these headers, dry.
fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = head("POST", &format!("{MAPS}?dryRun=All"), &format!("Content-Type: application/json\r\n{headers}"));
    [&head, body].concat()
}

fn get(path: &str) -> Vec<u8> {
    head("GET", path, "")
}

/// What is sent, and the code and words of the answer.
fn cases() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let chunked = |chunks: &str| post("Transfer-Encoding: chunked\r\n", chunks.as_bytes());
    let broken = r#""status":"Failure","message":"malformed chunked encoding","code":500"#;
    let whole = format!("{:x}\r\n{}\r\n0\r\n\r\n", BODY.len(), String::from_utf8_lossy(BODY));
    let zipped = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
    vec![
        ("a length that is right", post(&format!("Content-Length: {}\r\n", BODY.len()), BODY), 201, "framed"),
        ("a length that is short", post("Content-Length: 5\r\n", BODY), 400, "BadRequest"),
        ("a negative length", post("Content-Length: -5\r\n", BODY), 400, ""),
        ("a length that is no number", post("Content-Length: 0x1e\r\n", BODY), 400, ""),
        ("a length beyond all", post("Content-Length: 99999999999999999999999\r\n", BODY), 400, ""),
        ("two lengths", post("Content-Length: 30\r\nContent-Length: 3\r\n", BODY), 400, ""),
        (
            "a length and chunks",
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", whole.as_bytes()),
            201,
            "framed",
        ),
        ("another transfer encoding", post("Transfer-Encoding: gzip\r\n", BODY), 400, ""),
        ("chunks", chunked(&whole), 201, "framed"),
        ("a chunk without a size", chunked("zz\r\n{}\r\n0\r\n\r\n"), 500, broken),
        ("a chunk of a negative size", chunked("-1\r\n{}\r\n0\r\n\r\n"), 500, broken),
        ("a chunk of no size that is", chunked("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), 500, ""),
        ("a chunk that goes on", chunked("2\r\n{}{}\r\n0\r\n\r\n"), 500, broken),
        (
            "an encoding that nobody decodes",
            post(&format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", zipped.len()), &zipped),
            400,
            "BadRequest",
        ),
        (
            "a type that is none",
            request("POST", MAPS, "application/x-www-form-urlencoded", BODY),
            415,
            "UnsupportedMediaType",
        ),
        (
            "a patch of no type",
            request("PATCH", &format!("{MAPS}/kept"), "application/json", b"{}"),
            415,
            "UnsupportedMediaType",
        ),
        ("a head over the limit", head("GET", "/readyz", &format!("X: {}\r\n", "a".repeat(2 << 20))), 431, ""),
        ("a head below the limit", head("GET", "/readyz", &format!("X: {}\r\n", "a".repeat(900 << 10))), 200, "ok"),
        ("headers over the limit", head("GET", "/readyz", &"X: a\r\n".repeat(5000)), 431, ""),
        ("five hundred headers", head("GET", "/readyz", &"X: a\r\n".repeat(500)), 200, "ok"),
        ("a path over the limit", get(&format!("/{}", "a".repeat(100_000))), 414, ""),
        ("a long query", get(&format!("{MAPS}?x={}&limit=1", "a".repeat(60_000))), 200, "kept"),
        ("a long selector", get(&format!("{MAPS}?labelSelector=a+notin+({}b)", "b,".repeat(20_000))), 200, "kept"),
        (
            "a selector of many terms",
            get(&format!("{MAPS}?fieldSelector={}", "metadata.name!=a,".repeat(3000))),
            200,
            "kept",
        ),
        ("an escape that is none", get("/api/v1/namespaces/%zz"), 400, "400 Bad Request"),
        ("an escape that is cut", get("/api/v1/namespaces/%a"), 400, "400 Bad Request"),
        ("a path that is no UTF-8", get("/api/v1/namespaces/%ff"), 404, "NotFound"),
        ("a path with a NUL", get("/api/v1/namespaces/a%00b"), 404, r#"namespaces \"a\\x00b\" not found"#),
        ("a query that is no UTF-8", get(&format!("{MAPS}?labelSelector=%ff")), 400, "unable to parse requirement"),
        (
            "a selector that is no UTF-8 deletes nothing",
            head("DELETE", &format!("{MAPS}?labelSelector=%ff"), ""),
            400,
            "unable to parse requirement",
        ),
        ("a raw NUL", get("/api/v1/namespaces/a\0b"), 400, ""),
        ("no HTTP at all", b"\x16\x03\x01 hello\r\n\r\n".to_vec(), 400, ""),
        ("the greeting of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 0, ""),
        ("a method of its own", head("BREW", "/api/v1/namespaces/default/configmaps", ""), 405, ""),
    ]
}

#[test]
fn requests_that_are_not_what_they_say_are_refused_and_harm_nobody() {
    let mut attacked = Attacked::new(ControlPlane::start(Part::ApiServer, Store::Embedded));
    let mut wrong = Vec::new();
    for (what, sent, code, words) in cases() {
        let answer = Raw::ask(&attacked.plane, Who::Admin, &sent);
        if answer.code != code || !answer.body.contains(words) {
            wrong.push(format!("{what}: {code} {words:?} was expected, got {} {:?}", answer.code, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    attacked.is_well("broken frames");
}

#[test]
fn a_client_that_goes_on_sending_reads_its_refusal_all_the_same() {
    let attacked = Attacked::new(ControlPlane::start(Part::ApiServer, Store::Embedded));
    let body = vec![b' '; 32 << 20];
    let answer = Raw::ask(&attacked.plane, Who::Admin, &request("POST", MAPS, "application/json", &body));
    assert_eq!(answer.code, 413, "{answer:?}");
    assert!(answer.body.contains(r#""message":"Request entity too large: limit is 3145728""#), "{answer:?}");
}

#[test]
fn resources_that_nobody_serves_are_counted_together() {
    let mut attacked = Attacked::new(ControlPlane::start(Part::ApiServer, Store::Embedded));
    for at in 0..50 {
        for path in [format!("/api/v1/thing{at}"), format!("/apis/g{at}/v1/things/a/b{at}")] {
            Raw::ask(&attacked.plane, Who::Anonymous, &get(&path));
        }
    }
    let metrics = Raw::ask(&attacked.plane, Who::Admin, &get("/metrics")).body;
    assert!(metrics.contains("apiserver_request_total"), "{metrics}");
    for word in ["thing", "g7", "b7"] {
        assert!(!metrics.contains(&format!("=\"{word}")), "{word} has a count of its own:\n{metrics}");
    }
    attacked.is_well("names out of nothing");
}
