//! What is wrong with a value, field by field.

use std::fmt;

/// An error at a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// The field, as in [`crate::Path`]'s text; empty for the value itself.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Everything that is wrong with a value: one error on its line, or a list of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidationErrors(Vec<ValidationError>);

impl ValidationErrors {
    /// No errors so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// One error, at the value itself.
    pub(crate) fn of(message: impl Into<String>) -> Self {
        Self(vec![ValidationError { path: String::new(), message: message.into() }])
    }

    pub(crate) fn push(&mut self, message: impl Into<String>) {
        self.0.push(ValidationError { path: String::new(), message: message.into() });
    }

    /// Adds the errors of a part, which is at `prefix`.
    pub(crate) fn extend_under(&mut self, prefix: &impl fmt::Display, errors: Self) {
        self.0.extend(errors.0.into_iter().map(|e| ValidationError { path: format!("{prefix}{}", e.path), ..e }));
    }

    pub(crate) fn extend(&mut self, errors: Self) {
        self.0.extend(errors.0);
    }

    /// `Ok` when there is no error.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl std::ops::Deref for ValidationErrors {
    type Target = [ValidationError];

    fn deref(&self) -> &[ValidationError] {
        &self.0
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &*self.0 {
            return write!(f, "{only}");
        }
        f.write_str("errors:")?;
        self.0.iter().try_for_each(|e| write!(f, "\n  {e}"))
    }
}

impl std::error::Error for ValidationErrors {}
