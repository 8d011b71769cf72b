//! A document as a file, to be kept elsewhere or given to somebody.
//!
//! ```text
//! "VIVIMDOC" ‖ version (1) ‖ length (varint) ‖ record of the meta ‖ length (varint) ‖ record of a snapshot
//! ```
//!
//! The records are those of [`vivim_store::record`], each with its checksum. The meta has the
//! document's name, room and kind, and nothing of this device or of peers.

use bytes::Bytes;
use vivim_proto::wire::{Reader, WireError, put_bytes};
use vivim_store::{
    DocumentMeta,
    record::{self, Record, RecordError},
};

use crate::limits::{MAX_FILE, MAX_FILE_META};

/// What every file begins with.
pub const MAGIC: &[u8; 8] = b"VIVIMDOC";

/// The version of the format that this code writes, and the only one that it reads.
pub const VERSION: u8 = 1;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFile {
    /// Names of the document; `devices` is empty.
    pub meta: DocumentMeta,
    /// Its state as an update. It is hostile until a document has taken it.
    pub update: Bytes,
}

/// Why bytes are no document's file, or a document can't be made one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It doesn't begin as such a file does.
    #[error("this isn't a file of a VIVIM document")]
    NotADocument,
    /// A version that this code doesn't read.
    #[error("the file has version {0}; update this software")]
    UnknownVersion(u8),
    /// It is larger than [`MAX_FILE`].
    #[error("the file is larger than {MAX_FILE} bytes")]
    TooLarge,
    /// It was cut or changed.
    #[error("the file is damaged: {0}")]
    Damaged(#[from] RecordError),
    /// It was cut.
    #[error("the file is damaged: {0}")]
    Wire(#[from] WireError),
}

impl DocumentFile {
    /// The file's bytes.
    ///
    /// # Errors
    ///
    /// [`FileError::Damaged`] for what is too large to be a record.
    pub fn encode(&self) -> Result<Vec<u8>, FileError> {
        let meta = DocumentMeta { devices: Bytes::new(), later: Bytes::new(), ..self.meta.clone() };
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        put_bytes(&mut out, &record::encode_meta(&meta)?);
        put_bytes(&mut out, &record::encode_snapshot(&self.update)?);
        Ok(out)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// See [`FileError`]. Whatever the bytes are, nothing is reserved on the word of a length.
    pub fn decode(bytes: &Bytes) -> Result<Self, FileError> {
        if bytes.len() > MAX_FILE {
            return Err(FileError::TooLarge);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(FileError::NotADocument);
        }
        let mut reader = Reader::new(bytes.slice(MAGIC.len()..));
        let version = reader.u8()?;
        if version != VERSION {
            return Err(FileError::UnknownVersion(version));
        }
        let meta = record::decode(&reader.bytes(MAX_FILE_META)?)?;
        let snapshot = record::decode(&reader.bytes(MAX_FILE)?)?;
        reader.finish()?;
        match (meta, snapshot) {
            (Record::Meta(meta), Record::Snapshot(update)) => Ok(Self { meta, update }),
            _ => Err(RecordError::Misplaced.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vivim_proto::id::DocId;

    use super::*;

    fn file() -> DocumentFile {
        DocumentFile {
            meta: DocumentMeta {
                doc: DocId([7; 32]),
                name: "default".to_owned(),
                room: "garden".to_owned(),
                kind: "notes".to_owned(),
                created: 1,
                opened: 2,
                devices: Bytes::new(),
                later: Bytes::new(),
            },
            update: Bytes::from_static(&[0, 0]),
        }
    }

    #[test]
    fn a_file_is_read_back_without_what_concerns_this_device() {
        let mut written = file();
        written.meta.devices = Bytes::from_static(b"secret");
        let bytes = Bytes::from(written.encode().unwrap());
        assert_eq!(DocumentFile::decode(&bytes), Ok(file()));
    }

    #[test]
    fn other_bytes_are_refused_for_what_they_are() {
        assert_eq!(
            DocumentFile::decode(&Bytes::from_static(b"PK\x03\x04")),
            Err(FileError::NotADocument)
        );
        let mut newer = file().encode().unwrap();
        newer[8] = 9;
        assert_eq!(DocumentFile::decode(&newer.into()), Err(FileError::UnknownVersion(9)));
    }

    proptest! {
        #[test]
        fn a_changed_or_cut_file_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u32, cut: bool) {
            let mut bytes = file().encode().unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            prop_assert!(DocumentFile::decode(&bytes.into()).is_err());
        }
    }
}
