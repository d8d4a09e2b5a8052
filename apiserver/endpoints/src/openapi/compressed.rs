//! Documents held compressed: a tenth of their size, in pieces that several documents share, and no work for clients that
//! read gzip.

use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress};

/// A gzip member's header: deflate, no time, no name, of an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The last block of a deflate stream, empty.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// A part of a document. Its blocks end on a byte and refer to nothing before them: pieces make one stream side by side.
#[derive(Debug)]
pub(super) struct Piece {
    deflated: Bytes,
    checksum: Crc,
}

/// A document: pieces, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pieces: Arc<[Arc<Piece>]>,
}

impl Piece {
    /// Compresses a text.
    pub fn new(text: &[u8]) -> Arc<Self> {
        let mut checksum = Crc::new();
        checksum.update(text);
        let mut deflate = Compress::new(Compression::fast(), false);
        let mut out = Vec::with_capacity(text.len() / 8 + 64);
        loop {
            let rest = text.get(deflate.total_in() as usize..).unwrap_or_default();
            // Compressing into memory does not fail. Where there is room left, all is out.
            let _ = deflate.compress_vec(rest, &mut out, FlushCompress::Sync);
            if out.len() < out.capacity() {
                break;
            }
            out.reserve(out.len().max(64));
        }
        Arc::new(Self { deflated: out.into_boxed_slice().into(), checksum })
    }

    /// How long the text is.
    pub fn len(&self) -> usize {
        self.checksum.amount() as usize
    }

    fn text(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.len());
        // What was compressed above can be read, and there is room for all of it.
        let _ = Decompress::new(false).decompress_vec(&self.deflated, &mut out, FlushDecompress::Sync);
        out.into()
    }
}

impl Document {
    pub fn new(pieces: Vec<Arc<Piece>>) -> Self {
        Self { pieces: pieces.into() }
    }

    /// How long it is, uncompressed.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }

    /// The document in pieces, each uncompressed when it is taken; none is empty.
    pub fn plain(self) -> impl Iterator<Item = Bytes> + Send + 'static {
        let pieces = self.pieces;
        let texts = (0..pieces.len()).filter_map(move |at| pieces.get(at).map(|piece| piece.text()));
        texts.filter(|text| !text.is_empty())
    }

    /// The document as gzip, in pieces.
    pub fn gzip(self) -> impl Iterator<Item = Bytes> + Send + 'static {
        let mut checksum = Crc::new();
        self.pieces.iter().for_each(|piece| checksum.combine(&piece.checksum));
        let mut end = LAST_BLOCK.to_vec();
        end.extend_from_slice(&checksum.sum().to_le_bytes());
        end.extend_from_slice(&checksum.amount().to_le_bytes());
        let pieces = self.pieces;
        let deflated = (0..pieces.len()).filter_map(move |at| pieces.get(at).map(|piece| piece.deflated.clone()));
        std::iter::once(Bytes::from_static(&HEADER)).chain(deflated).chain(std::iter::once(end.into()))
    }
}

#[cfg(test)]
impl Document {
    /// How many pieces it has in common with another.
    pub fn shared_pieces(&self, other: &Self) -> usize {
        self.pieces.iter().filter(|piece| other.pieces.iter().any(|other| Arc::ptr_eq(piece, other))).count()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_are_one_text_plain_and_compressed() {
        let random: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let texts: [&[u8]; 5] = [b"{", b"", &b"abcdefgh".repeat(50_000), &random, b"}"];
        let document = Document::new(texts.iter().map(|text| Piece::new(text)).collect());
        let want = texts.concat();
        assert_eq!(document.len(), want.len());
        assert!(document.clone().plain().all(|piece| !piece.is_empty()));
        assert!(document.clone().plain().collect::<Vec<_>>().concat() == want);
        let compressed = document.gzip().collect::<Vec<_>>().concat();
        assert!(compressed.len() < random.len() + random.len() / 50, "{}", compressed.len());
        let mut read = Vec::new();
        // One member, with nothing behind it.
        let mut gzip = flate2::bufread::GzDecoder::new(&compressed[..]);
        gzip.read_to_end(&mut read).unwrap();
        assert!(read == want && gzip.into_inner().is_empty());
    }
}
