//! Times as Kubernetes writes them. The clock is never read here: now is passed in.
use jiff::Timestamp;

/// Why a text is no time, in the words of Go's parser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

/// `metav1.Time`: RFC 3339 in UTC, whole seconds.
pub fn format_time(_time: Timestamp) -> String {
    todo!()
}
/// `metav1.MicroTime`: RFC 3339 in UTC, six decimals.
pub fn format_micro_time(_time: Timestamp) -> String {
    todo!()
}
/// Parses a `metav1.Time`; fractions are accepted and kept.
pub fn parse_time(_text: &str) -> Result<Timestamp, ParseError> {
    todo!()
}
/// Parses a `metav1.MicroTime`; exactly six decimals.
pub fn parse_micro_time(_text: &str) -> Result<Timestamp, ParseError> {
    todo!()
}
