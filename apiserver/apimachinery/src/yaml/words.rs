//! Why a text is no YAML, in the words of Go's library, and the line that it names.
//!
//! It counts lines from 0. What its parser refuses is named by that number, what its scanner refuses by the next; the
//! first line is not named at all.

use std::str::Utf8Error;

use granit_parser::{ErrorKind, ScanError};

use super::SyntaxError;

/// Who refuses a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Parser,
    Scanner,
}

/// What Go says where this parser said `error`.
pub(super) fn of(error: &ScanError, text: &str) -> SyntaxError {
    let (by, words) = words(error.kind());
    let at_end = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofImplicitFlowMapping
            | ErrorKind::UnexpectedEofBlockSequence
            | ErrorKind::UnexpectedEofBlockMapping
            | ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::UnclosedQuotedScalar
    );
    let line = if at_end {
        // The end stands on a line of its own.
        text.matches('\n').count() + usize::from(!text.is_empty() && !text.ends_with('\n') && by == By::Parser)
    } else {
        error.marker().line().saturating_sub(1)
    };
    let line = if line > 0 && by == By::Scanner { line + 1 } else { line };
    let words = if words.is_empty() { error.kind().to_string() } else { words.to_owned() };
    match line {
        0 => SyntaxError::yaml(words),
        line => SyntaxError::yaml(format_args!("line {line}: {words}")),
    }
}

fn words(kind: &ErrorKind) -> (By, &'static str) {
    use By::{Parser, Scanner};
    use ErrorKind as Kind;
    match kind {
        Kind::UnexpectedEofFlowSequence
        | Kind::ExpectedFlowSequenceSeparator
        | Kind::UnclosedFlowCollection { open: '[' }
        | Kind::MismatchedFlowCollectionEnd { open: '[', .. } => (Parser, "did not find expected ',' or ']'"),
        Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping
        | Kind::ExpectedFlowMappingSeparator
        | Kind::UnclosedFlowCollection { .. }
        | Kind::MismatchedFlowCollectionEnd { .. } => (Parser, "did not find expected ',' or '}'"),
        Kind::UnexpectedEofBlockMapping
        | Kind::ExpectedBlockMappingKey
        | Kind::InvalidIndentation
        | Kind::InvalidTrailingSingleQuotedScalar
        | Kind::InvalidTrailingDoubleQuotedScalar
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidQuotedScalarIndent => (Parser, "did not find expected key"),
        Kind::UnexpectedEofBlockSequence | Kind::ExpectedBlockSequenceEntry => {
            (Parser, "did not find expected '-' indicator")
        }
        Kind::ExpectedNodeContent | Kind::UnexpectedEof | Kind::MisplacedFlowCollectionEnd => {
            (Parser, "did not find expected node content")
        }
        Kind::ExpectedDocumentStart | Kind::InvalidDocumentEnd | Kind::MissingDocumentEndBeforeDirective => {
            (Parser, "did not find expected <document start>")
        }
        Kind::DuplicateVersionDirective => (Parser, "found duplicate %YAML directive"),
        Kind::UnsupportedYamlMajorVersion => (Parser, "found incompatible YAML document"),
        Kind::DuplicateTagDirective => (Parser, "found duplicate %TAG directive"),
        Kind::UndeclaredTagHandle => (Parser, "found undefined tag handle"),
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => (Scanner, "could not find expected ':'"),
        Kind::UnexpectedCharacter { .. }
        | Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::UnexpectedEndOfPlainScalar
        | Kind::PlainScalarStartsWithDashFlowIndicator => (Scanner, "found character that cannot start any token"),
        Kind::TabInIndentation | Kind::TabInPlainScalar => (Scanner, "found a tab character that violates indentation"),
        Kind::MappingValueNotAllowed
        | Kind::InvalidColonPlacement
        | Kind::InvalidMappingValueWhitespace
        | Kind::FlowMappingValueAdjacentCollection => (Scanner, "mapping values are not allowed in this context"),
        Kind::MappingKeyNotAllowed => (Scanner, "mapping keys are not allowed in this context"),
        Kind::BlockSequenceEntryNotAllowed | Kind::BlockEntryInFlowCollection | Kind::InvalidBlockEntryWhitespace => {
            (Scanner, "block sequence entries are not allowed in this context")
        }
        Kind::UnclosedQuotedScalar => (Scanner, "found unexpected end of stream"),
        Kind::DocumentIndicatorInQuotedScalar => (Scanner, "found unexpected document indicator"),
        Kind::UnknownQuotedScalarEscape => (Scanner, "found unknown escape character"),
        Kind::InvalidQuotedScalarHexEscape => (Scanner, "did not find expected hexdecimal number"),
        Kind::InvalidUnicodeEscape
        | Kind::InvalidLowSurrogate
        | Kind::InvalidLowSurrogateHexEscape
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate => (Scanner, "found invalid Unicode character escape code"),
        Kind::MissingAnchorOrAliasName => (Scanner, "did not find expected alphabetic or numeric character"),
        Kind::InvalidBlockScalarHeader | Kind::InvalidDirectiveTerminator => {
            (Scanner, "did not find expected comment or line break")
        }
        Kind::ZeroBlockScalarIndent => (Scanner, "found an indentation indicator equal to 0"),
        Kind::TabAtBlockScalarStart | Kind::InvalidBlockScalarIndent => {
            (Scanner, "found a tab character where an indentation space is expected")
        }
        Kind::MissingDirectiveName => (Scanner, "could not find expected directive name"),
        Kind::InvalidDirectiveName => (Scanner, "found unexpected non-alphabetical character"),
        Kind::MissingYamlVersion => (Scanner, "did not find expected version number"),
        Kind::MissingYamlVersionSeparator => (Scanner, "did not find expected digit or '.' character"),
        Kind::YamlVersionTooLong => (Scanner, "found extremely long version number"),
        Kind::ExpectedTagBang | Kind::ExpectedTagDirectiveBang => (Scanner, "did not find expected '!'"),
        Kind::InvalidTagTerminator => (Scanner, "did not find expected whitespace or line break"),
        Kind::InvalidTagDirectiveTerminator => (Scanner, "did not find expected whitespace"),
        Kind::MissingTagUri => (Scanner, "did not find expected tag URI"),
        Kind::UnclosedVerbatimTag => (Scanner, "did not find the expected '>'"),
        Kind::InvalidTagEscape => (Scanner, "did not find URI escaped octet"),
        Kind::InvalidTagUtf8LeadingByte => (Scanner, "found an incorrect leading UTF-8 octet"),
        Kind::InvalidTagUtf8TrailingByte | Kind::InvalidTagUtf8 => (Scanner, "found an incorrect trailing UTF-8 octet"),
        Kind::RecursionLimitExceeded => (Scanner, "exceeded max depth of 10000"),
        // What Go's library has no word for, because it is content with it.
        _ => (Scanner, ""),
    }
}

/// Bytes that are no UTF-8.
pub(super) fn not_utf8(bytes: &[u8], error: Utf8Error) -> SyntaxError {
    let first = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
    SyntaxError::yaml(match (error.error_len(), first) {
        (None, _) => "incomplete UTF-8 octet sequence",
        (_, 0xc2..=0xf4) => "invalid trailing UTF-8 octet",
        _ => "invalid leading UTF-8 octet",
    })
}

/// Characters that no YAML text may have.
pub(super) fn control_character(text: &str) -> Option<SyntaxError> {
    let allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
            && c != '\u{feff}'
    };
    text.chars().any(|c| !allowed(c)).then(|| SyntaxError::yaml("control characters are not allowed"))
}
