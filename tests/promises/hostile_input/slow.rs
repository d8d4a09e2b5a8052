//! Clients that are slow, silent or gone.

use std::io::{Read as _, Write as _};

use tests::raw::{Protocol, Raw, Who, head, tcp};
use tests::{ControlPlane, Part, Store, eventually};

use super::{Attacked, MAPS, create};

/// Clients of a kind at once.
const MANY: usize = 40;

#[test]
fn a_body_that_does_not_come_in_time_is_answered_504_while_others_are_served() {
    let flags = ["--request-timeout", "3s"];
    let mut attacked = Attacked::new(ControlPlane::start_with(Part::ApiServer, Store::Embedded, &flags));
    let plane = &attacked.plane;
    let begin =
        [head("POST", MAPS, "Content-Type: application/json\r\nContent-Length: 1000\r\n"), b"{".to_vec()].concat();
    let mut silent: Vec<Raw> = (0..MANY).map(|_| Raw::open(plane, Who::Admin, Protocol::Http1)).collect();
    for raw in &mut silent {
        raw.send(&begin).unwrap();
    }
    // One that sends a byte whenever another client was served.
    let mut slow = Raw::open(plane, Who::Admin, Protocol::Http1);
    slow.send(&begin).unwrap();
    let mut served = 0;
    while served < 900 && slow.send(b" ").is_ok() {
        assert_eq!(create(plane, &format!("other-{served}")), 201);
        served += 1;
    }
    assert!((1..900).contains(&served), "the body came in time: {served} others were served");
    // What it sent behind the answer may have taken the answer back.
    let answer = slow.answer();
    assert!(matches!(answer.code, 0 | 504), "{answer:?}");
    for mut raw in silent {
        let answer = raw.answer();
        assert_eq!(answer.code, 504, "{answer:?}");
        for words in [
            r#""message":"Timeout: request did not complete within the allotted timeout""#,
            r#""reason":"Timeout","details":{},"code":504"#,
        ] {
            assert!(answer.body.contains(words), "{answer:?}");
        }
    }
    attacked.is_well("slow bodies");
}

#[test]
fn handshakes_and_heads_that_are_not_finished_and_idle_connections_are_closed_and_hold_up_nobody() {
    let mut attacked = Attacked::new(ControlPlane::start(Part::ApiServer, Store::Embedded));
    let plane = &attacked.plane;
    let mut sockets: Vec<_> = (0..MANY).map(|_| tcp(plane)).collect();
    for socket in &mut sockets[MANY / 2..] {
        // The beginning of a ClientHello.
        socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).unwrap();
    }
    let mut heads: Vec<Raw> = (0..MANY).map(|_| Raw::open(plane, Who::Admin, Protocol::Http1)).collect();
    for raw in &mut heads[MANY / 2..] {
        raw.send(b"GET /readyz HTTP/1.1\r\nHost: server\r\nX-").unwrap();
    }
    // Connections that are idle after a request, and one that speaks HTTP/2 and asks for nothing.
    let mut last: Vec<Raw> = (0..MANY).map(|_| Raw::open(plane, Who::Anonymous, Protocol::Http1)).collect();
    for raw in &mut last {
        raw.send(b"GET /readyz HTTP/1.1\r\nHost: server\r\n\r\n").unwrap();
        assert!(raw.read().starts_with(b"HTTP/1.1 200"));
    }
    let mut greeted = Raw::open(plane, Who::Anonymous, Protocol::Http2);
    greeted.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    last.push(greeted);
    let idle: Vec<Raw> = (0..500).map(|_| Raw::open(plane, Who::Anonymous, Protocol::Http1)).collect();
    assert_eq!(create(plane, "meanwhile"), 201);
    for mut socket in sockets {
        let mut rest = Vec::new();
        // An end or a reset: both close.
        let _ = socket.read_to_end(&mut rest);
        assert!(rest.len() < 100, "a handshake was answered: {rest:?}");
    }
    assert_eq!(create(plane, "after-handshakes"), 201);
    for mut raw in heads {
        assert_eq!(raw.rest(), b"", "half a head was answered");
    }
    for mut raw in idle {
        assert_eq!(raw.rest(), b"", "nothing was answered");
    }
    for mut raw in last {
        // The rest of an answer, or frames that say good-bye.
        raw.rest();
    }
    attacked.is_well("unfinished heads");
}

#[test]
fn a_client_that_is_gone_is_forgotten() {
    let mut attacked = Attacked::new(ControlPlane::start(Part::ApiServer, Store::Embedded));
    let plane = &attacked.plane;
    // In the middle of a body: an error of the reader, as upstream's.
    let mut half = Raw::open(plane, Who::Admin, Protocol::Http1);
    half.send(&[head("POST", MAPS, "Content-Length: 1000\r\n"), b"{".to_vec()].concat()).unwrap();
    half.shut();
    let answer = half.answer();
    assert!(matches!(answer.code, 0 | 500), "{answer:?}");
    // In the middle of a watch, once without a word and once with the end of what it sends.
    let watch = head("GET", &format!("{MAPS}?watch=true"), "");
    let mut watches: Vec<Raw> = (0..MANY).map(|_| Raw::open(plane, Who::Admin, Protocol::Http1)).collect();
    for raw in &mut watches {
        raw.send(&watch).unwrap();
        assert!(raw.read().starts_with(b"HTTP/1.1 200"));
    }
    let last = watches.split_off(MANY / 2);
    last.iter().for_each(Raw::shut);
    drop(watches);
    eventually("no watch runs any more", || {
        let metrics = Raw::ask(plane, Who::Admin, &head("GET", "/metrics", "")).body;
        let running: Vec<&str> = metrics
            .lines()
            .filter(|line| line.starts_with("apiserver_longrunning_requests{") && !line.ends_with(" 0"))
            .filter(|line| line.contains("configmaps"))
            .collect();
        if running.is_empty() { Ok(()) } else { Err(running.join("\n")) }
    });
    attacked.is_well("clients that are gone");
}

#[test]
fn an_answer_that_is_not_read_is_taken_back_and_its_place_is_free_again() {
    let flags = ["--request-timeout", "5s", "--max-requests-inflight", "1", "--max-mutating-requests-inflight", "1"];
    let mut attacked = Attacked::new(ControlPlane::start_with(Part::ApiServer, Store::Embedded, &flags));
    let plane = &attacked.plane;
    fill(plane);
    let mut deaf = Raw::open(plane, Who::Admin, Protocol::Http1);
    deaf.send(&head("GET", MAPS, "")).unwrap();
    let mut all = deaf.read();
    assert!(all.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&all));
    // The one place is taken: who is not privileged has to come back.
    let other = || Raw::ask(plane, Who::Anonymous, &head("GET", "/version", ""));
    let refused = other();
    assert_eq!((refused.code, refused.body.as_str()), (429, "Too many requests, please try again later.\n"));
    assert!(refused.head.contains("\r\nretry-after: 1") && refused.head.contains("text/plain"), "{refused:?}");
    eventually("the place is free", || match other() {
        answer if answer.code == 200 => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
    all.extend(deaf.rest());
    assert!(!all.ends_with(b"\r\n0\r\n\r\n"), "the answer was there to the end: {} bytes", all.len());

    // A write that does not come holds its place, too, until its time is over.
    let mut slow = Raw::open(plane, Who::Admin, Protocol::Http1);
    slow.send(&head("POST", MAPS, "Content-Length: 10\r\nExpect: 100-continue\r\n")).unwrap();
    let told = slow.read();
    // It has its place when its body is asked for. Beside another write it would have got in without one: it is privileged.
    assert!(told.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&told));
    let write = || Raw::ask(plane, Who::Anonymous, &head("POST", MAPS, "Content-Length: 0\r\n")).code;
    assert_eq!(write(), 429, "a write finds no place");
    assert_eq!(slow.answer().code, 504);
    eventually("a write is let in", || match write() {
        403 => Ok(()),
        code => Err(code),
    });
    attacked.is_well("answers that are not read");
}

/// Far more than the buffers between two sockets hold.
pub(super) fn fill(plane: &ControlPlane) {
    let value = "x".repeat(1 << 20);
    for at in 0..40 {
        let body = format!(r#"{{"metadata":{{"name":"big-{at}"}},"data":{{"k":"{}"}}}}"#, &value[..1_000_000]);
        let answer =
            Raw::ask(plane, Who::Admin, &tests::raw::request("POST", MAPS, "application/json", body.as_bytes()));
        assert_eq!(answer.code, 201, "{answer:?}");
    }
    eventually("they are listed", || match Raw::ask(plane, Who::Admin, &head("GET", &format!("{MAPS}?limit=1"), "")) {
        answer if answer.code == 200 => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
}
