//! How names begin: most comparisons of names are over with that.

/// The first eight bytes of a name as a number, which sorts as names do; a shorter one has zeros behind it.
#[inline]
pub(crate) fn start_of(name: &str) -> u64 {
    let bytes = name.as_bytes();
    if let Some(start) = bytes.first_chunk() {
        return u64::from_be_bytes(*start);
    }
    let behind = 8 * (8 - bytes.len());
    match (bytes.first_chunk(), bytes.last_chunk()) {
        // The two halves may overlap: they say the same there.
        (Some(first), Some(last)) => {
            u64::from(u32::from_be_bytes(*first)) << 32 | u64::from(u32::from_be_bytes(*last)) << behind
        }
        _ => bytes.iter().rev().fold(0, |start, byte| start >> 8 | u64::from(*byte) << 56),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_sort_as_names_do() {
        let names = ["", "a", "a\u{0}", "aa", "ab", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgi", "b", "é"];
        for pair in names.windows(2) {
            assert!(start_of(pair[0]) <= start_of(pair[1]), "{pair:?}");
        }
        assert_eq!(start_of("ab"), 0x6162_0000_0000_0000);
        assert_eq!(start_of("abcdefghi"), u64::from_be_bytes(*b"abcdefgh"));
    }
}
