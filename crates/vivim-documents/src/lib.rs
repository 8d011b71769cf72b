//! The document service: documents that persist, sync and say how far they have got.
