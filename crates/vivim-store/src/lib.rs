//! Durable storage of documents: SQLite natively, IndexedDB in browsers.
