//! Where the plain parts of strings end: what most of reading and writing JSON is about.

/// A set of bytes.
pub(super) struct Bytes {
    has: [bool; 256],
}

impl Bytes {
    /// Those below `below`, and these.
    pub(super) const fn new(below: u8, these: &[u8]) -> Self {
        let mut has = [false; 256];
        let mut at = 0;
        while at < below {
            has[at as usize] = true;
            at += 1;
        }
        let mut at = 0;
        while at < these.len() {
            has[these[at] as usize] = true;
            at += 1;
        }
        Self { has }
    }

    /// Where the first of them is. `is_one` says the same of a byte as the set, in a way that the compiler can make instructions
    /// of that look at a block of bytes at once.
    #[inline]
    pub(super) fn find(&self, text: &[u8], is_one: impl Fn(u8) -> bool) -> Option<usize> {
        let (blocks, _) = text.as_chunks::<16>();
        let plain = blocks.iter().take_while(|block| !block.iter().fold(false, |found, byte| found | is_one(*byte)));
        let start = 16 * plain.count();
        let found = text[start..].iter().position(|byte| self.has[usize::from(*byte)])?;
        Some(start + found)
    }
}
