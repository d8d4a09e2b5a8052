//! Key prefixes as ranges.

/// The first key after all keys that start with `prefix`; `None` if there is no such key.
pub(crate) fn end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_end_is_the_first_key_beyond_the_prefix() {
        for (prefix, end) in [
            (&b"/registry/pods/"[..], Some(&b"/registry/pods0"[..])),
            (b"a\xff\xff", Some(b"b")),
            (b"\0", Some(b"\x01")),
            (b"\xff", None),
            (b"", None),
        ] {
            assert_eq!(super::end(prefix).as_deref(), end, "prefix {prefix:?}");
        }
    }
}
