//! Writing PEM. (rustls-pki-types reads it.)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A section of a PEM text.
pub fn encode(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {kind}-----\n");
    for at in (0..text.len()).step_by(64) {
        pem.push_str(&text[at..text.len().min(at + 64)]);
        pem.push('\n');
    }
    pem.push_str("-----END ");
    pem.push_str(kind);
    pem.push_str("-----\n");
    pem
}
