//! Field selectors: which objects, by a few of their fields.

use std::fmt;

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `=` and `==`.
    Equals,
    /// `!=`.
    NotEquals,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The field's path.
    pub field: String,
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

impl Requirement {
    /// Whether a field of this value meets the requirement.
    pub fn matches(&self, value: &str) -> bool {
        (self.value == value) == (self.operator == Operator::Equals)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Equals => "=",
            Operator::NotEquals => "!=",
        };
        write!(f, "{}{operator}{}", self.field, escape(&self.value))
    }
}

/// A field selector: an object is selected when it meets every requirement. Displayed in the form it is parsed from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// Why a text is no selector, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl Selector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects what meets all of these.
    pub fn new(requirements: Vec<Requirement>) -> Self {
        Self { requirements }
    }

    /// Selects the objects whose field has this value.
    pub fn equals(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(vec![Requirement { field: field.into(), operator: Operator::Equals, value: value.into() }])
    }

    /// Parses the text of a `fieldSelector` parameter; an empty one selects everything. Which fields a resource can be
    /// selected by is not checked here.
    ///
    /// # Errors
    /// The text is no selector; the error says so in upstream's words.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut terms = split_terms(text);
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, operator, value)) = split_term(term) else {
                return Err(ParseError(format!("invalid selector: '{text}'; can't understand '{term}'")));
            };
            requirements.push(Requirement { field: field.to_owned(), operator, value: unescape(value)? });
        }
        Ok(Self { requirements })
    }

    /// Whether an object is selected; `field` answers the value of its field of that path, absent is empty.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(field(&requirement.field).unwrap_or_default()))
    }

    /// The requirements, in the order of their text.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The value that the field must have, if the selector says so.
    pub fn requires_exact_match(&self, field: &str) -> Option<&str> {
        let mut equal = self.requirements.iter().filter(|r| r.operator == Operator::Equals && r.field == field);
        equal.next().map(|requirement| requirement.value.as_str())
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
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

/// Splits at commas that no backslash precedes; escapes stay as they are.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Splits at the first operator: there is no escaping on its left.
fn split_term(term: &str) -> Option<(&str, Operator, &str)> {
    let at = term.char_indices().find_map(|(i, c)| (c == '=' || term[i..].starts_with("!=")).then_some(i))?;
    let (field, rest) = term.split_at(at);
    [("!=", Operator::NotEquals), ("==", Operator::Equals), ("=", Operator::Equals)]
        .into_iter()
        .find_map(|(sign, operator)| rest.strip_prefix(sign).map(|value| (field, operator, value)))
}

fn unescape(value: &str) -> Result<String, ParseError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                other => {
                    let after = other.map(String::from).unwrap_or_default();
                    return Err(ParseError(format!("invalid field selector: invalid escape sequence: \\{after}")));
                }
            },
            // Upstream prints the character's number.
            ',' | '=' => {
                let number = u32::from(c);
                return Err(ParseError(format!("invalid field selector: unescaped character in value: {number}")));
            }
            c => plain.push(c),
        }
    }
    Ok(plain)
}

/// The value with a backslash before each backslash, comma and equals sign.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_displayed_in_canonical_form() {
        for (text, want) in [
            ("", ""),
            (",,", ""),
            ("b=2,a=1", "a=1,b=2"),
            ("a==1", "a=1"),
            ("a!=1", "a!=1"),
            ("a=", "a="),
            (r"a=x\,y\=z\\", r"a=x\,y\=z\\"),
            ("=x", "=x"),
        ] {
            assert_eq!(Selector::parse(text).map(|s| s.to_string()), Ok(want.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_in_upstreams_words() {
        for (text, want) in [
            ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
            ("!metadata.name", "invalid selector: '!metadata.name'; can't understand '!metadata.name'"),
            ("metadata.name in (a,b)", "invalid selector: 'metadata.name in (a,b)'; can't understand 'b)'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            ("a=\\b", "invalid field selector: invalid escape sequence: \\b"),
            ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
        ] {
            assert_eq!(Selector::parse(text).map_err(|error| error.0), Err(want.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn fields_are_matched_and_an_absent_one_is_empty() {
        let field = |path: &str| (path == "metadata.name").then_some("a");
        for (text, want) in [
            ("metadata.name=a", true),
            ("metadata.name!=a", false),
            ("x=", true),
            ("x!=", false),
            ("metadata.name=a,x=1", false),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(field), want, "{text:?}");
        }
        let selector = Selector::parse("metadata.name=a,x!=b").unwrap();
        assert_eq!(selector.requires_exact_match("metadata.name"), Some("a"));
        assert_eq!(selector.requires_exact_match("x"), None);
    }

    proptest::proptest! {
        #[test]
        fn a_value_survives_its_escape(value in ".{0,12}") {
            let selector = Selector::equals("a", value.clone());
            proptest::prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
        }
    }
}
