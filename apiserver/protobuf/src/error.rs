use thiserror::Error;

/// Why bytes are no encoded object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("empty data")]
    Empty,
    /// The magic bytes are missing.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    NotProtobuf,
    /// Nothing follows the magic bytes.
    #[error("empty body")]
    EmptyBody,
    /// Neither the envelope nor the caller says which kind this is.
    #[error("Object 'Kind' is missing")]
    MissingKind,
    /// Neither the envelope nor the caller says which apiVersion this is.
    #[error("Object 'apiVersion' is missing")]
    MissingVersion,
    /// No message is known for this kind.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    UnknownKind {
        /// The apiVersion asked for.
        api_version: String,
        /// The kind asked for.
        kind: String,
    },
    /// The bytes end inside a field.
    #[error("unexpected EOF")]
    Truncated,
    /// A number takes more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// A tag with field number 0 or beyond the range, or a wire type that does not exist.
    #[error("proto: {message}: illegal tag {number} (wire type {wire_type})")]
    IllegalTag {
        /// The message being read.
        message: &'static str,
        /// The field number found.
        number: u64,
        /// The wire type found.
        wire_type: u8,
    },
    /// A field came in another wire type than its own.
    #[error("proto: wrong wireType = {wire_type} for field {field}")]
    WrongWireType {
        /// The field's name in JSON.
        field: &'static str,
        /// The wire type found.
        wire_type: u8,
    },
    /// The content of a field cannot be shown as JSON.
    #[error("proto: field {field}: {detail}")]
    Invalid {
        /// The field's name in JSON.
        field: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The object nests deeper than the server reads.
    #[error("proto: exceeded max depth")]
    TooDeep,
    /// The object has more values than the server reads.
    #[error("proto: exceeded max number of values")]
    TooLarge,
}

/// Why an object cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// No message is known for this kind, as for every custom resource.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    UnknownKind {
        /// The object's apiVersion, empty when absent.
        api_version: String,
        /// The object's kind, empty when absent.
        kind: String,
    },
    /// The value of a field is not of its type.
    #[error("{path}: expected {expected}, found {found}")]
    WrongType {
        /// Where in the object, as `spec.containers[0].name`.
        path: String,
        /// The type the field has.
        expected: &'static str,
        /// The JSON type found.
        found: &'static str,
    },
    /// The value of a field cannot be read as its type.
    #[error("{path}: {detail}")]
    Invalid {
        /// Where in the object.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The object nests deeper than the server reads.
    #[error("exceeded max depth")]
    TooDeep,
}

impl EncodeError {
    /// The same error, seen from the object or list that holds the place.
    pub(crate) fn inside(mut self, step: &str) -> EncodeError {
        if let EncodeError::WrongType { path, .. } | EncodeError::Invalid { path, .. } = &mut self {
            if !path.is_empty() && !path.starts_with('[') {
                path.insert(0, '.');
            }
            path.insert_str(0, step);
        }
        self
    }
}
