//! Label selectors: which objects, by their labels.

use std::fmt;

use serde_json::Value;

use super::lexer::{Lexer, Token};
use crate::field::{self, Aggregate, ErrorList, Path};
use crate::quote::Quoted;
use crate::validation::{is_qualified_name, is_valid_label_value};

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `!key`: the key does not exist.
    DoesNotExist,
    /// `=`: the key exists with the value.
    Equals,
    /// `==`: the same as `=`, but displayed as it was written.
    DoubleEquals,
    /// `in`: the key exists with one of the values.
    In,
    /// `!=`: the key does not exist, or has another value.
    NotEquals,
    /// `notin`: the key does not exist, or has none of the values.
    NotIn,
    /// `key`: the key exists.
    Exists,
    /// `>`: the key exists with a greater whole number.
    GreaterThan,
    /// `<`: the key exists with a smaller whole number.
    LessThan,
}

/// The binary operators, in the order upstream names them.
const BINARY_OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How to compare.
    pub operator: Operator,
    /// With what; sorted when parsed from text.
    pub values: Vec<String>,
}

impl Requirement {
    /// A requirement, checked as upstream does; the path names it in errors.
    ///
    /// # Errors
    /// The key or a value is no label's, or the operator does not take so many values.
    pub fn new(key: &str, operator: Operator, values: Vec<String>, at: &Path) -> Result<Self, ParseError> {
        let mut errors = ErrorList::new();
        let key_messages = is_qualified_name(key);
        if !key_messages.is_empty() {
            errors.push(field::Error::invalid(&at.child("key"), key, key_messages.join("; ")));
        }
        let values_at = at.child("values");
        let wrong_count = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                Some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        if let Some(why) = wrong_count {
            errors.push(field::Error::invalid(&values_at, values.clone(), why));
        }
        if matches!(operator, Operator::GreaterThan | Operator::LessThan) {
            for (i, value) in values.iter().enumerate() {
                if value.parse::<i64>().is_err() {
                    let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                    errors.push(field::Error::invalid(&values_at.index(i), value.as_str(), why));
                }
            }
        }
        for (i, value) in values.iter().enumerate() {
            let messages = is_valid_label_value(value);
            if !messages.is_empty() {
                let at = values_at.index(i).key(key);
                errors.push(field::Error::invalid(&at, value.as_str(), messages.join("; ")));
            }
        }
        if errors.is_empty() {
            Ok(Self { key: key.to_owned(), operator, values })
        } else {
            Err(ParseError(Aggregate(&errors).to_string()))
        }
    }

    /// Whether a label with this value (`None`: absent) meets the requirement.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let is_one_of = |value: &str| self.values.iter().any(|of| of == value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(is_one_of),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(is_one_of),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compares(value, |label, limit| label > limit),
            Operator::LessThan => self.compares(value, |label, limit| label < limit),
        }
    }

    fn compares(&self, value: Option<&str>, compare: fn(i64, i64) -> bool) -> bool {
        let [limit] = self.values.as_slice() else { return false };
        match (value.and_then(|text| text.parse().ok()), limit.parse().ok()) {
            (Some(label), Some(limit)) => compare(label, limit),
            _ => false,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let key = &self.key;
        match self.operator {
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Exists => f.write_str(key),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// A label selector: an object is selected when it meets every requirement. Displayed in the form it is parsed from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
    selects_nothing: bool,
}

/// Why a text or a `LabelSelector` is no selector, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl Selector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects nothing.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), selects_nothing: true }
    }

    /// Selects what meets all of these.
    pub fn new(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, selects_nothing: false }
    }

    /// Parses the text of a `labelSelector` parameter; an empty or blank one selects everything.
    ///
    /// # Errors
    /// The text is no selector; the error says so in upstream's words.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Parser { tokens: Lexer::new(text).collect(), position: 0 }.parse().map(Self::new)
    }

    /// Converts a `metav1.LabelSelector`. Null selects nothing, an empty one everything.
    ///
    /// # Errors
    /// A key, an operator or the values are wrong; the error says so in upstream's words.
    pub fn from_label_selector(selector: &Value) -> Result<Self, ParseError> {
        if selector.is_null() {
            return Ok(Self::nothing());
        }
        let at = &Path::default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut requirements = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![text(Some(value))], at)?);
        }
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let operator = match text(expression.get("operator")).as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(ParseError(format!("{} is not a valid label selector operator", Quoted(other)))),
            };
            let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
            let values = values.map(|value| text(Some(value))).collect();
            requirements.push(Requirement::new(&text(expression.get("key")), operator, values, at)?);
        }
        Ok(Self::new(requirements))
    }

    /// Whether an object is selected; `label` answers the value of its label of that key.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.selects_nothing
            && self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.selects_nothing
    }

    /// Whether nothing can be selected, whatever its labels.
    pub fn is_nothing(&self) -> bool {
        self.selects_nothing
    }

    /// The value that the label must have, if the selector names exactly one.
    pub fn requires_exact_match(&self, key: &str) -> Option<&str> {
        self.requirements.iter().filter(|requirement| requirement.key == key).find_map(|requirement| {
            match (requirement.operator, requirement.values.as_slice()) {
                (Operator::Equals | Operator::DoubleEquals | Operator::In, [value]) => Some(value.as_str()),
                _ => None,
            }
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

/// Recursive descent over the tokens; `in` and `notin` are operators after a key and ordinary words elsewhere.
struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    position: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.position).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn parse(mut self) -> Result<Vec<Requirement>, ParseError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(requirements),
                token if !token.starts_requirement() => {
                    return Err(unexpected(token, ", expected: !, identifier, or 'end of string'"));
                }
                _ => {}
            }
            let requirement = self.requirement();
            requirements
                .push(requirement.map_err(|error| ParseError(format!("unable to parse requirement: {}", error.0)))?);
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Comma if self.peek().starts_requirement() => {}
                Token::Comma => return Err(unexpected(self.peek(), ", expected: identifier after ','")),
                token => return Err(unexpected(token, ", expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, ParseError> {
        let at = &Path::default();
        let mut token = self.next();
        let negated = token == Token::Not;
        if negated {
            token = self.next();
        }
        let Some(key) = token.word() else { return Err(unexpected(token, ", expected: identifier")) };
        let messages = is_qualified_name(key);
        if !messages.is_empty() {
            return Err(ParseError(field::Error::invalid(at, key, messages.join("; ")).to_string()));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new(), at);
        }
        if matches!(self.peek(), Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new(), at);
        }
        let token = self.next();
        let operator = match token {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::GreaterThan => Operator::GreaterThan,
            Token::LessThan => Operator::LessThan,
            _ => return Err(unexpected(token, &format!(", expected: {BINARY_OPERATORS}"))),
        };
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.exact_value()?],
        };
        values.sort_unstable();
        values.dedup();
        Requirement::new(key, operator, values.into_iter().map(str::to_owned).collect(), at)
    }

    fn exact_value(&mut self) -> Result<&'a str, ParseError> {
        if matches!(self.peek(), Token::End | Token::Comma) {
            return Ok("");
        }
        let token = self.next();
        token.word().ok_or_else(|| unexpected(token, ", expected: identifier"))
    }

    fn values(&mut self) -> Result<Vec<&'a str>, ParseError> {
        let token = self.next();
        if token != Token::Open {
            return Err(unexpected(token, " expected: '('"));
        }
        let first = self.peek();
        if first == Token::Close {
            self.next();
            return Ok(vec![""]);
        }
        if first.word().is_none() && first != Token::Comma {
            return Err(unexpected(first, ", expected: ',', ')' or identifier"));
        }
        let values = self.listed_values()?;
        // Upstream's own check names the first token here; the list only ends well before a `)`.
        if self.next() != Token::Close {
            return Err(unexpected(first, ", expected: ')'"));
        }
        Ok(values)
    }

    /// Values between commas, up to the closing parenthesis; each missing one is the empty value.
    fn listed_values(&mut self) -> Result<Vec<&'a str>, ParseError> {
        let mut values = Vec::new();
        loop {
            let token = self.next();
            if let Some(word) = token.word() {
                values.push(word);
                match self.peek() {
                    Token::Comma => {}
                    Token::Close => return Ok(values),
                    other => return Err(unexpected(other, ", expected: ',' or ')'")),
                }
            } else if token == Token::Comma {
                if values.is_empty() {
                    values.push("");
                }
                match self.peek() {
                    Token::Close => {
                        values.push("");
                        return Ok(values);
                    }
                    Token::Comma => values.push(""),
                    _ => {}
                }
            } else {
                return Err(unexpected(token, ", expected: ',', or identifier"));
            }
        }
    }
}

fn unexpected(token: Token<'_>, rest: &str) -> ParseError {
    ParseError(format!("found '{}'{rest}", token.literal()))
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
