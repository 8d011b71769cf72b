//! What is known about a document besides its content.

use bytes::Bytes;
use vivim_proto::id::DocId;
use vivim_proto::limits::MAX_NAME;
use vivim_proto::wire::{Reader, WireError, put_bytes, put_uvarint};

use crate::limits::{MAX_DEVICES, MAX_KIND};
use crate::record::RecordError;

/// What is known about a document besides its content. Times are the caller's: milliseconds since
/// 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentMeta {
    /// The document.
    pub doc: DocId,
    /// The document's name, at most [`MAX_NAME`] bytes.
    pub name: String,
    /// The room's name, at most [`MAX_NAME`] bytes.
    pub room: String,
    /// What the application calls this sort of document, at most [`MAX_KIND`] bytes.
    pub kind: String,
    /// When it was first stored here.
    pub created: u64,
    /// When it was last opened here, roughly: see [`opened_is_old`](Self::opened_is_old).
    pub opened: u64,
    /// Which client ids belong to which device; what the bytes mean is the owner's affair. At most
    /// [`MAX_DEVICES`] bytes.
    pub devices: Bytes,
    /// What a later version of this software has appended. It is written back as it was read.
    pub later: Bytes,
}

impl DocumentMeta {
    /// Whether it is worth a write that the document was opened at `now`. Opening a document that
    /// was opened a short time ago should write nothing.
    pub fn opened_is_old(&self, now: u64) -> bool {
        let granularity = crate::limits::OPENED_GRANULARITY.as_millis() as u64;
        now.saturating_sub(self.opened) >= granularity
    }

    /// Fields in the order of the struct. A later version appends fields, which this one hands on.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let texts = [(&self.name, MAX_NAME), (&self.room, MAX_NAME), (&self.kind, MAX_KIND)];
        let mut out = self.doc.0.to_vec();
        for (text, limit) in texts {
            within(text.len(), limit)?;
            put_bytes(&mut out, text.as_bytes());
        }
        put_uvarint(&mut out, self.created);
        put_uvarint(&mut out, self.opened);
        within(self.devices.len(), MAX_DEVICES)?;
        put_bytes(&mut out, &self.devices);
        out.extend_from_slice(&self.later);
        Ok(out)
    }

    pub(crate) fn decode(payload: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        Ok(Self {
            doc: DocId(reader.array32()?),
            name: text(&mut reader, MAX_NAME)?,
            room: text(&mut reader, MAX_NAME)?,
            kind: text(&mut reader, MAX_KIND)?,
            created: reader.uvarint()?,
            opened: reader.uvarint()?,
            devices: reader.bytes(MAX_DEVICES)?,
            later: reader.rest(),
        })
    }
}

fn within(size: usize, limit: usize) -> Result<(), RecordError> {
    if size > limit { Err(RecordError::TooLarge { size, limit }) } else { Ok(()) }
}

fn text(reader: &mut Reader, max: usize) -> Result<String, WireError> {
    let bytes = reader.bytes(max)?;
    // The first byte that isn't UTF-8: a value that isn't known.
    let first_bad = |e: std::str::Utf8Error| {
        let at = e.valid_up_to();
        WireError::UnknownValue(bytes.get(at).copied().unwrap_or_default().into())
    };
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(first_bad)
}
