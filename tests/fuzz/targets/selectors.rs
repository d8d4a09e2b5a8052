//! What lists and watches are asked for.

use apimachinery::selector::{fields, labels};

/// Label selectors: what is printed is read as the same selector.
pub fn label_selector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(selector) = labels::Selector::parse(text) else { return };
    let printed = selector.to_string();
    let again = labels::Selector::parse(&printed).unwrap_or_else(|error| panic!("{error}: {text:?} {printed:?}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
    for label in [None, Some(""), Some("a"), Some("1")] {
        assert_eq!(selector.matches(|_| label), again.matches(|_| label), "{text:?} {printed:?}");
    }
}

/// Field selectors: the same.
pub fn field_selector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(selector) = fields::Selector::parse(text) else { return };
    let printed = selector.to_string();
    let again = fields::Selector::parse(&printed).unwrap_or_else(|error| panic!("{error}: {text:?} {printed:?}"));
    // Upstream sorts the terms as they are written: `a==b` comes elsewhere than `a=b`.
    let all = |selector: &fields::Selector| {
        let mut all: Vec<String> = selector.requirements().iter().map(|one| format!("{one:?}")).collect();
        all.sort();
        all
    };
    assert_eq!(all(&again), all(&selector), "{text:?} {printed:?}");
}
