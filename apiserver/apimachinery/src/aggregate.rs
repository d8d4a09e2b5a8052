//! Several errors in one sentence.

/// The sentence that Go's error aggregate makes of several: alone as it is, more in brackets, none twice.
pub fn aggregate<T: AsRef<str>>(errors: impl IntoIterator<Item = T>) -> String {
    let mut distinct: Vec<T> = Vec::new();
    for error in errors {
        if distinct.iter().all(|known| known.as_ref() != error.as_ref()) {
            distinct.push(error);
        }
    }
    match distinct.as_slice() {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        several => {
            let texts: Vec<&str> = several.iter().map(AsRef::as_ref).collect();
            format!("[{}]", texts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn errors_are_aggregated_as_go_does() {
        for (errors, words) in [(&[][..], ""), (&["a"], "a"), (&["a", "a"], "a"), (&["a", "b", "a"], "[a, b]")] {
            assert_eq!(super::aggregate(errors), words);
        }
    }
}
