//! Sets of a job's indexes as text: `1,3-5`.

use apimachinery::quote::quoted;

/// How many indexes a text names, all of them below `completions`.
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let (mut last, mut total): (Option<i64>, i64) = (None, 0);
    for part in text.split(',') {
        let (first, end) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total = total.saturating_add(end - first + 1);
        last = Some(end);
    }
    Ok(total)
}

/// Where two texts name the same index; parts that cannot be read name none.
pub(super) fn overlap(a: &str, b: &str, completions: i64) -> Option<i64> {
    let read = |text: &str| -> Vec<(i64, i64)> {
        text.split(',').filter_map(|part| interval(part, completions).ok()).collect()
    };
    let (a, b) = (read(a), read(b));
    let (mut i, mut j) = (0, 0);
    while let (Some(&(first_a, end_a)), Some(&(first_b, end_b))) = (a.get(i), b.get(j)) {
        if first_a <= end_b && first_b <= end_a {
            return Some(first_a.max(first_b));
        }
        if first_a <= first_b { i += 1 } else { j += 1 }
    }
    None
}

fn interval(part: &str, completions: i64) -> Result<(i64, i64), String> {
    let limits: Vec<&str> = part.split('-').collect();
    let read = |text: &str| -> Result<i64, String> {
        let Ok(index) = text.parse::<i64>() else {
            return Err(format!("cannot convert string to integer for index: {}", quoted(text)));
        };
        if index >= completions { Err(format!("too large index: {}", quoted(text))) } else { Ok(index) }
    };
    match limits[..] {
        [only] => read(only).map(|index| (index, index)),
        [first, end] => {
            let (first, end) = (read(first)?, read(end)?);
            if first >= end {
                return Err(format!("non-increasing order, previous: {first}, current: {end}"));
            }
            Ok((first, end))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            quoted(part)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_counted_in_order() {
        for (text, want) in [
            ("", Ok(0)),
            ("1", Ok(1)),
            ("1,3-5", Ok(4)),
            ("3,1", Err("non-increasing order, previous: 3, current: 1")),
            ("5-3", Err("non-increasing order, previous: 5, current: 3")),
            ("10", Err("too large index: \"10\"")),
            ("x", Err("cannot convert string to integer for index: \"x\"")),
        ] {
            assert_eq!(count(text, 10), want.map_err(str::to_owned), "{text}");
        }
        assert_eq!(overlap("0,2-4", "1,4-6", 10), Some(4));
        assert_eq!(overlap("0,2-3", "1,4-6", 10), None);
    }
}
