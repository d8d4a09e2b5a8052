//! Clients that send what no client should, or nothing at all, byte by byte on real sockets: each is answered or closed,
//! and the others are served all the while.

mod bodies;
mod framing;
mod http2;
mod slow;

use tests::ControlPlane;
use tests::process::resident_bytes;
use tests::raw::{Raw, Who, head, request};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// What the server may grow by under attack.
const MAY_GROW: u64 = 300 << 20;

/// A server with an object that no attack may touch, and its memory before.
struct Attacked {
    plane: ControlPlane,
    before: u64,
}

impl Attacked {
    fn new(mut plane: ControlPlane) -> Self {
        let kept = create(&plane, "kept");
        assert_eq!(kept, 201);
        let before = resident_bytes(plane.process().id());
        Self { plane, before }
    }

    /// The server is well: ready, it reads and writes, nothing is lost, and its memory is bounded.
    fn is_well(&mut self, what: &str) {
        let get = |path: &str| Raw::ask(&self.plane, Who::Admin, &head("GET", path, ""));
        assert_eq!(get("/readyz").code, 200, "after {what}");
        let kept = get(&format!("{MAPS}/kept"));
        assert!(kept.code == 200 && kept.body.contains(r#""name":"kept""#), "after {what}: {kept:?}");
        let name = format!("after-{}", what.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase());
        assert_eq!(create(&self.plane, &name), 201, "after {what}");
        let path = format!("{MAPS}/{name}");
        assert_eq!(Raw::ask(&self.plane, Who::Admin, &head("DELETE", &path, "")).code, 200, "after {what}");
        let grown = resident_bytes(self.plane.process().id()).saturating_sub(self.before);
        assert!(grown < MAY_GROW, "{what} cost {} MB", grown >> 20);
    }
}

/// Creates a ConfigMap; the answer's code.
fn create(plane: &ControlPlane, name: &str) -> u16 {
    let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
    Raw::ask(plane, Who::Admin, &request("POST", MAPS, "application/json", body.as_bytes())).code
}
