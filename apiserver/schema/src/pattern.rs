//! `pattern`s of schemas: compiled when first matched, once for all schemas that have the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use regex::Regex;

/// A `pattern`. If it does not compile nothing matches it, and Go's words say why.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub text: Box<str>,
    regex: OnceLock<Result<Arc<Regex>, Box<str>>>,
}

impl Pattern {
    pub fn new(text: Box<str>) -> Self {
        Self { text, regex: OnceLock::new() }
    }

    /// The expression, compiled on the first call.
    pub fn regex(&self) -> Result<&Regex, &str> {
        match self.regex.get_or_init(|| shared(&self.text)) {
            Ok(regex) => Ok(regex),
            Err(why) => Err(why),
        }
    }
}

/// The expression of a pattern, one for all schemas that have it: a compiled expression is large, and published definitions
/// repeat few patterns very often.
fn shared(pattern: &str) -> Result<Arc<Regex>, Box<str>> {
    static SHARED: Mutex<Shared> = Mutex::new(Shared { known: None, sweep_at: FEW });
    // Nothing in there is left half done.
    let lock = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(pattern) {
        return Ok(known);
    }
    // Nobody waits for an expression that takes long; who made the same meanwhile keeps theirs.
    let regex = Arc::new(cel::pattern::compile(pattern).map_err(Into::<Box<str>>::into)?);
    lock().insert(pattern, &regex);
    Ok(regex)
}

/// So many are never swept.
const FEW: usize = 64;

struct Shared {
    known: Option<HashMap<Box<str>, Weak<Regex>>>,
    /// How many there may be before those that nobody has any more are dropped.
    sweep_at: usize,
}

impl Shared {
    fn get(&self, pattern: &str) -> Option<Arc<Regex>> {
        self.known.as_ref()?.get(pattern)?.upgrade()
    }

    fn insert(&mut self, pattern: &str, regex: &Arc<Regex>) {
        let known = self.known.get_or_insert_default();
        if known.len() >= self.sweep_at {
            known.retain(|_, regex| regex.strong_count() > 0);
            self.sweep_at = FEW.max(2 * known.len());
        }
        known.insert(pattern.into(), Arc::downgrade(regex));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_with_the_same_pattern_share_its_expression_while_one_of_them_lives() {
        let (one, other) = (shared("^same[0-9]$").unwrap(), shared("^same[0-9]$").unwrap());
        assert!(Arc::ptr_eq(&one, &other) && one.is_match("same1"));
        for at in 0..1000 {
            let pattern = Pattern::new(format!("^short-lived-{at}$").into());
            assert!(pattern.regex().unwrap().is_match(&format!("short-lived-{at}")));
        }
        assert!(Arc::ptr_eq(&one, &shared("^same[0-9]$").unwrap()));
        assert!(Pattern::new("(".into()).regex().is_err());
    }
}
