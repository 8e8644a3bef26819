//! A piece of a file on its way.

use super::{CHUNK, TransferId};

/// The version of the form: its first byte.
const VERSION: u8 = 1;
/// Version, transfer, offset.
const HEAD: usize = 1 + 16 + 8;

/// A piece of a file. Its bytes: the version (1), the transfer (16), the offset in the file (8, most significant first),
/// then the piece: [`CHUNK`] bytes, or what is left of the file; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Of which transfer.
    pub id: TransferId,
    /// Where it stands in the file: a multiple of [`CHUNK`].
    pub offset: u64,
    /// The piece.
    pub data: Vec<u8>,
}

impl Chunk {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.data.len());
        out.push(VERSION);
        out.extend(self.id.0);
        out.extend(self.offset.to_be_bytes());
        out.extend(&self.data);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (head, data) = bytes.split_at_checked(HEAD).ok_or("a piece of a file was cut")?;
        if head[0] != VERSION {
            return Err(format!("version {} of pieces of files is not known", head[0]));
        }
        let id = TransferId(head[1..17].try_into().expect("sixteen bytes"));
        let offset = u64::from_be_bytes(head[17..].try_into().expect("eight bytes"));
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if length == 0
            || length > CHUNK
            || !offset.is_multiple_of(CHUNK)
            || offset.checked_add(length).is_none()
        {
            return Err(format!("{length} bytes at {offset} are no piece of a file"));
        }
        Ok(Self { id, offset, data: data.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_reads_back_and_nothing_else_reads() {
        let piece = Chunk { id: TransferId([7; 16]), offset: 3 * CHUNK, data: vec![1, 2, 3] };
        let bytes = piece.encode();
        assert_eq!(Chunk::decode(&bytes), Ok(piece));
        assert!(Chunk::decode(&bytes[..HEAD]).is_err(), "an empty piece");
        assert!(Chunk::decode(&bytes[..HEAD - 1]).is_err());
        assert!(Chunk::decode(&[&[2], &bytes[1..]].concat()).is_err(), "another version");
        let mut odd = bytes.clone();
        odd[HEAD - 1] = 1;
        assert!(Chunk::decode(&odd).is_err(), "between two pieces");
        let mut far = bytes;
        far[17..HEAD].fill(0xff);
        assert!(Chunk::decode(&far).is_err());
    }
}
