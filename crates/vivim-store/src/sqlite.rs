//! Documents in an SQLite file.

mod schema;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use vivim_proto::id::DocId;

use crate::error::StoreError;
use crate::limits::{MAX_QUARANTINE, MAX_QUARANTINED_BYTES, SQLITE_BUSY_TIMEOUT, SQLITE_WAL_BYTES};
use crate::meta::DocumentMeta;
use crate::record;
use crate::store::{
    Damage, Listing, Loaded, RecordKey, Store, Usage, Written, known_meta, leave_newer,
};

/// Documents in an SQLite file, in WAL mode with `synchronous=FULL`: what was acknowledged is on the
/// disk. Any number of processes may use one file; they wait for each other.
///
/// Needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// Two, so that opening a document doesn't wait for writes. Not a pool: writers take turns here,
    /// in the order of asking (SQLite's own waiting is by polling, and for other processes), and
    /// closing is over when the file is closed.
    reader: Turn,
    writer: Turn,
}

/// A connection, for one at a time; `None` when it is closed.
type Turn = Arc<Mutex<Option<SqliteConnection>>>;

impl SqliteStore {
    /// Opens the file, or makes it, readable for this user only. Brings an older one up to date.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let is_new = make_private(path)?;
        let mut options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .pragma("journal_size_limit", SQLITE_WAL_BYTES.to_string())
            // A file from elsewhere can't make functions run that its schema names.
            .pragma("trusted_schema", "OFF");
        if is_new {
            // On a file that has it already this would be a write.
            options = options.auto_vacuum(SqliteAutoVacuum::Incremental);
        }
        let mut writer = options.connect().await.map_err(failure)?;
        schema::migrate(&mut writer).await?;
        let reader = options.connect().await.map_err(failure)?;
        let turn = |connection| Arc::new(Mutex::new(Some(connection)));
        Ok(Self { reader: turn(reader), writer: turn(writer) })
    }
}

/// Waits for the turn.
async fn take(turn: &Turn) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
    MutexGuard::try_map(turn.lock().await, Option::as_mut).map_err(|_| StoreError::Closed)
}

/// Begins a write; it is rolled back when it isn't committed.
async fn begin(writer: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, StoreError> {
    writer.begin_with("BEGIN IMMEDIATE").await.map_err(failure)
}

impl Store for SqliteStore {
    async fn load(&self, doc: DocId) -> Result<Loaded, StoreError> {
        // One transaction, so that both are of the same moment.
        let mut reader = take(&self.reader).await?;
        let mut transaction = reader.begin().await.map_err(failure)?;
        let mut loaded = Loaded::default();
        let meta: Option<Vec<u8>> = sqlx::query_scalar(SELECT_META)
            .bind(id(&doc))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failure)?;
        if let Some(meta) = meta {
            loaded.put_meta(doc, &meta.into())?;
        }
        let rows: Result<Vec<(i64, Vec<u8>)>, _> = sqlx::query_as(SELECT_RECORDS)
            .bind(id(&doc))
            .fetch_all(&mut *transaction)
            .await
            .map_err(failure);
        // Nothing was written. After a broken page SQLite fails to end the transaction well, too.
        let _ = transaction.rollback().await;
        match rows {
            Ok(rows) => {
                for (key, record) in rows {
                    loaded.push(RecordKey(key.cast_unsigned()), &record.into())?;
                }
            }
            Err(StoreError::Damaged { .. }) => {
                load_one_by_one(&mut reader, doc, &mut loaded).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(loaded)
    }

    async fn append(&self, doc: DocId, updates: &[Bytes]) -> Result<Vec<Written>, StoreError> {
        let records = record::encode_updates(updates)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut writer = take(&self.writer).await?;
        let mut transaction = begin(&mut writer).await?;
        let mut written = Vec::with_capacity(records.len());
        for record in &records {
            written.push(insert(&mut transaction, doc, record).await?);
        }
        transaction.commit().await.map_err(failure)?;
        Ok(written)
    }

    async fn replace(
        &self,
        doc: DocId,
        keys: &[RecordKey],
        snapshot: &[u8],
    ) -> Result<Option<Written>, StoreError> {
        let record = record::encode_snapshot(snapshot)?;
        let mut writer = take(&self.writer).await?;
        let mut transaction = begin(&mut writer).await?;
        if remove(&mut transaction, doc, keys).await? < keys.len() {
            transaction.rollback().await.map_err(failure)?;
            return Ok(None);
        }
        let written = insert(&mut transaction, doc, &record).await?;
        transaction.commit().await.map_err(failure)?;
        Ok(Some(written))
    }

    async fn discard(&self, doc: DocId, keys: &[RecordKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut writer = take(&self.writer).await?;
        let mut transaction = begin(&mut writer).await?;
        for key in keys {
            let kept = sqlx::query(QUARANTINE)
                .bind(MAX_QUARANTINED_BYTES as i64)
                .bind(key.0.cast_signed())
                .bind(id(&doc))
                .execute(&mut *transaction)
                .await
                .map_err(failure);
            match kept {
                // What SQLite itself can't read can't be kept either.
                Ok(_) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        sqlx::query("DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?")
            .bind(MAX_QUARANTINE as i64)
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        remove(&mut transaction, doc, keys).await?;
        transaction.commit().await.map_err(failure)
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT doc, CAST(record AS BLOB) FROM documents")
                .fetch_all(&mut *take(&self.reader).await?)
                .await
                .map_err(failure)?;
        let mut listing = Listing::default();
        for (doc, record) in rows {
            // The schema holds ids to 32 bytes.
            if let Ok(doc) = doc.try_into() {
                listing.push(DocId(doc), &record.into());
            }
        }
        Ok(listing)
    }

    async fn meta(&self, doc: DocId) -> Result<Option<DocumentMeta>, StoreError> {
        let record: Option<Vec<u8>> = sqlx::query_scalar(SELECT_META)
            .bind(id(&doc))
            .fetch_optional(&mut *take(&self.reader).await?)
            .await
            .map_err(failure)?;
        record.map_or(Ok(None), |record| known_meta(doc, &record.into()))
    }

    async fn put_meta(&self, meta: &DocumentMeta) -> Result<(), StoreError> {
        let record = record::encode_meta(meta)?;
        let mut writer = take(&self.writer).await?;
        let mut transaction = begin(&mut writer).await?;
        let old: Option<Vec<u8>> = sqlx::query_scalar(SELECT_META)
            .bind(id(&meta.doc))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failure)?;
        old.map_or(Ok(()), |old| leave_newer(&old.into()))?;
        sqlx::query("INSERT OR REPLACE INTO documents (doc, record) VALUES (?, ?)")
            .bind(id(&meta.doc))
            .bind(record.as_ref())
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        transaction.commit().await.map_err(failure)
    }

    async fn delete(&self, doc: DocId) -> Result<(), StoreError> {
        let mut writer = take(&self.writer).await?;
        let mut transaction = begin(&mut writer).await?;
        for statement in [
            "DELETE FROM records WHERE doc = ?",
            "DELETE FROM documents WHERE doc = ?",
            "DELETE FROM quarantine WHERE doc = ?",
        ] {
            let done = sqlx::query(statement).bind(id(&doc)).execute(&mut *transaction).await;
            done.map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)?;
        // Gives the room back to the file system; what compaction frees is used again soon.
        sqlx::query("PRAGMA incremental_vacuum").execute(&mut *writer).await.map_err(failure)?;
        Ok(())
    }

    async fn usage(&self, doc: DocId) -> Result<Usage, StoreError> {
        let (records, bytes): (i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(length(CAST(record AS BLOB))), 0) FROM records WHERE doc = ?",
        )
        .bind(id(&doc))
        .fetch_one(&mut *take(&self.reader).await?)
        .await
        .map_err(failure)?;
        Ok(Usage { records: usize::try_from(records).unwrap_or(0), bytes: bytes.cast_unsigned() })
    }

    async fn close(&self) {
        // Everything was committed; what fails here is tidying up.
        if let Some(reader) = self.reader.lock().await.take() {
            let _ = reader.close().await;
        }
        if let Some(mut writer) = self.writer.lock().await.take() {
            // SQLite would do it when the last connection closes, but sqlx doesn't wait for that.
            let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
            let _ = sqlx::query(fold).execute(&mut writer).await;
            let _ = writer.close().await;
        }
    }
}

// The casts: what a damaged file has in the place of bytes comes as bytes too, and is judged as such.
const SELECT_META: &str = "SELECT CAST(record AS BLOB) FROM documents WHERE doc = ?";
const SELECT_RECORDS: &str =
    "SELECT key, CAST(record AS BLOB) FROM records WHERE doc = ? ORDER BY key";
const SELECT_RECORD: &str = "SELECT CAST(record AS BLOB) FROM records WHERE key = ? AND doc = ?";
const SELECT_HEAD: &str =
    "SELECT substr(CAST(record AS BLOB), 1, 2) FROM records WHERE key = ? AND doc = ?";
const QUARANTINE: &str = "INSERT INTO quarantine (doc, key, record) \
    SELECT doc, key, substr(CAST(record AS BLOB), 1, ?) FROM records WHERE key = ? AND doc = ?";

/// When a page is broken SQLite gives up the whole query; this finds out which record it is.
async fn load_one_by_one(
    connection: &mut SqliteConnection,
    doc: DocId,
    loaded: &mut Loaded,
) -> Result<(), StoreError> {
    let keys: Vec<i64> = sqlx::query_scalar("SELECT key FROM records WHERE doc = ? ORDER BY key")
        .bind(id(&doc))
        .fetch_all(&mut *connection)
        .await
        .map_err(failure)?;
    for number in keys {
        let key = RecordKey(number.cast_unsigned());
        let record: Result<Option<Vec<u8>>, _> = sqlx::query_scalar(SELECT_RECORD)
            .bind(number)
            .bind(id(&doc))
            .fetch_optional(&mut *connection)
            .await
            .map_err(failure);
        match record {
            Ok(Some(record)) => loaded.push(key, &record.into())?,
            Ok(None) => {}
            Err(StoreError::Damaged { reason }) => {
                loaded.push_damaged(Some(key), Damage::Unreadable(reason));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    doc: DocId,
    record: &Bytes,
) -> Result<Written, StoreError> {
    let done = sqlx::query("INSERT INTO records (doc, record) VALUES (?, ?)")
        .bind(id(&doc))
        .bind(record.as_ref())
        .execute(connection)
        .await
        .map_err(failure)?;
    let key = RecordKey(done.last_insert_rowid().cast_unsigned());
    Ok(Written { key, bytes: record.len() as u64 })
}

async fn remove(
    connection: &mut SqliteConnection,
    doc: DocId,
    keys: &[RecordKey],
) -> Result<usize, StoreError> {
    let mut removed = 0;
    for key in keys {
        leave_newer_record(connection, doc, *key).await?;
        let done = sqlx::query("DELETE FROM records WHERE key = ? AND doc = ?")
            .bind(key.0.cast_signed())
            .bind(id(&doc))
            .execute(&mut *connection)
            .await
            .map_err(failure)?;
        removed += done.rows_affected() as usize;
    }
    Ok(removed)
}

/// Fails for a record of a newer version. What can't be read isn't known to be one.
async fn leave_newer_record(
    connection: &mut SqliteConnection,
    doc: DocId,
    RecordKey(key): RecordKey,
) -> Result<(), StoreError> {
    // The head first: almost all are known by it, and the rest of a large one takes a while to read.
    for (query, is_whole) in [(SELECT_HEAD, false), (SELECT_RECORD, true)] {
        let bytes: Result<Option<Vec<u8>>, _> = sqlx::query_scalar(query)
            .bind(key.cast_signed())
            .bind(id(&doc))
            .fetch_optional(&mut *connection)
            .await
            .map_err(failure);
        match bytes {
            Ok(Some(bytes)) if is_whole => return leave_newer(&bytes.into()),
            Ok(Some(head)) if !record::is_known(&head) => {}
            Ok(_) | Err(StoreError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn id(doc: &DocId) -> &[u8] {
    &doc.0
}

/// SQLite would make the file readable for everybody; its companions take after the file. Whether
/// the file is new.
fn make_private(path: &Path) -> Result<bool, StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let length = options.open(path).and_then(|file| file.metadata()).map(|file| file.len());
    match length {
        Ok(length) => Ok(length == 0),
        Err(error) => Err(StoreError::Io { reason: format!("{}: {error}", path.display()) }),
    }
}

/// What an error of SQLite means for us. The numbers are SQLite's primary result codes.
fn failure(error: sqlx::Error) -> StoreError {
    const CORRUPT: u32 = 11;
    const FULL: u32 = 13;
    const NOT_A_DATABASE: u32 = 26;
    const READONLY_DBMOVED: u32 = 1032;
    let reason = error.to_string();
    let code = match &error {
        sqlx::Error::Database(database) => {
            database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default()
        }
        _ => 0,
    };
    match (code, code & 0xff) {
        (READONLY_DBMOVED, _) => StoreError::Gone,
        (_, FULL) => StoreError::QuotaExceeded,
        (_, CORRUPT | NOT_A_DATABASE) => StoreError::Damaged { reason },
        _ => StoreError::Io { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DOC, texts, updates};

    #[tokio::test]
    async fn a_full_disk_is_said_to_be_full_and_what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("documents.db")).await.unwrap();
        store.append(DOC, &updates(["a"])).await.unwrap();
        // A connection with this setting can't make the file larger than it is.
        let mut writer = take(&store.writer).await.unwrap();
        sqlx::query("PRAGMA max_page_count = 1").execute(&mut *writer).await.unwrap();
        drop(writer);
        let large = Bytes::from(vec![0; 100_000]);
        assert_eq!(store.append(DOC, &[large]).await, Err(StoreError::QuotaExceeded));
        assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a"]);
    }

    #[tokio::test]
    async fn a_write_that_is_given_up_half_way_leaves_nothing_and_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("documents.db")).await.unwrap();
        {
            let mut writer = take(&store.writer).await.unwrap();
            let mut transaction = begin(&mut writer).await.unwrap();
            insert(&mut transaction, DOC, &Bytes::from_static(b"half")).await.unwrap();
        }
        store.append(DOC, &updates(["a"])).await.unwrap();
        let loaded = store.load(DOC).await.unwrap();
        assert_eq!((texts(&loaded), loaded.damaged), (vec!["a".to_owned()], Vec::new()));
    }
}
