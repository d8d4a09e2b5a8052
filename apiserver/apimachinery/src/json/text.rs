//! Where the plain parts of strings end: what most of reading and writing JSON is about. Blocks of bytes are looked at at once.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x80 * ONES;

/// Where the first quotation mark, backslash or control character is: where a string that is read ends, or is no longer plain.
#[inline]
pub(super) fn end_of_plain(text: &[u8]) -> Option<usize> {
    let (blocks, tail) = text.as_chunks::<8>();
    for (at, block) in blocks.iter().enumerate() {
        // Marks the high bit of each byte that is one of them. A borrow may mark bytes behind the first, never before it.
        let bytes = u64::from_le_bytes(*block);
        let is = |byte: u8| {
            let others = bytes ^ (ONES * u64::from(byte));
            others.wrapping_sub(ONES) & !others
        };
        let marks = (bytes.wrapping_sub(ONES * 0x20) & !bytes | is(b'"') | is(b'\\')) & HIGHS;
        if marks != 0 {
            return Some(8 * at + marks.trailing_zeros() as usize / 8);
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    tail.iter().position(ends).map(|found| text.len() - tail.len() + found)
}

/// Where the first byte is that may have to be escaped in what is written; 0xe2 begins U+2028 and U+2029.
#[inline]
pub(super) fn first_escaped(text: &[u8]) -> Option<usize> {
    let (blocks, tail) = text.as_chunks::<8>();
    for (at, block) in blocks.iter().enumerate() {
        let marks = escaped_in(u64::from_le_bytes(*block));
        if marks != 0 {
            return Some(8 * at + marks.trailing_zeros() as usize / 8);
        }
    }
    // Nearly always nothing is found: the last bytes are looked at as a block, too, some of them twice.
    let marks = match (text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(last), ..) => escaped_in(u64::from_le_bytes(*last)),
        (None, Some(first), Some(last)) => {
            escaped_in(u64::from(u32::from_le_bytes(*last)) << 32 | u64::from(u32::from_le_bytes(*first)))
        }
        _ => u64::from(!tail.is_empty()),
    };
    if marks == 0 {
        return None;
    }
    let is_escaped = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2);
    tail.iter().position(is_escaped).map(|found| text.len() - tail.len() + found)
}

/// Marks the high bit of each byte that may have to be escaped. A borrow may mark bytes behind the first, never before it.
#[inline]
fn escaped_in(bytes: u64) -> u64 {
    let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let is = |byte: u8| is_zero(bytes ^ (ONES * u64::from(byte)));
    // Two bytes that are one bit apart.
    let are = |byte: u8, bit: u8| is_zero((bytes | (ONES * u64::from(bit))) ^ (ONES * u64::from(byte | bit)));
    let control = bytes.wrapping_sub(ONES * 0x20) & !bytes;
    (control | are(b'"', b'"' ^ b'&') | are(b'<', b'<' ^ b'>') | is(b'\\') | is(0xe2)) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let ends = matches!(byte, b'"' | b'\\' | 0..0x20);
            let escaped = ends || matches!(byte, b'<' | b'>' | b'&' | 0xe2);
            for before in 0..35 {
                // Behind it stands what borrows are made of, and another special one.
                for after in ["", "\u{20}\u{21}x", "\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
                    let text =
                        [[b'~', b' ', b'#', 0xff].repeat(9)[..before].to_vec(), vec![byte], after.into()].concat();
                    let in_after = after.find('"').map(|at| before + 1 + at);
                    let want = |here: bool| if here { Some(before) } else { in_after };
                    assert_eq!(end_of_plain(&text), want(ends), "{text:?}");
                    assert_eq!(first_escaped(&text), want(escaped), "{text:?}");
                }
            }
        }
        assert_eq!((end_of_plain(b""), first_escaped(b"")), (None, None));
    }
}
