//! The tables, and how an older file gets them.
//!
//! `user_version` counts the migrations that were done. A file is brought up to date in one
//! transaction; one that is newer than this code isn't touched.

use sqlx::sqlite::SqliteConnection;

use super::{begin, failure};
use crate::error::StoreError;

/// `VIVM`: says in the file's header whose it is.
const APPLICATION_ID: i64 = 0x5649_564d;

/// What each version added to the one before. Never changed once released; a new version is a new
/// entry.
const MIGRATIONS: [&str; 2] = [
    // `AUTOINCREMENT`: a key that is gone isn't given again, so that a compaction of somebody who
    // has read the old record can't remove a new one.
    "CREATE TABLE documents (
        doc BLOB PRIMARY KEY NOT NULL CHECK (length(doc) = 32),
        record BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE records (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        doc BLOB NOT NULL CHECK (length(doc) = 32),
        record BLOB NOT NULL
    );
    CREATE INDEX records_of_doc ON records (doc);",
    "CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        doc BLOB NOT NULL,
        key INTEGER NOT NULL,
        record BLOB NOT NULL
    );",
];

/// Brings the file up to date.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let newest = MIGRATIONS.len() as i64;
    // Most openings find nothing to do, and write nothing.
    if version(&mut *connection).await? == (APPLICATION_ID, newest) {
        return Ok(());
    }
    // Asked again inside: another process may be at it.
    let mut transaction = begin(connection).await?;
    let (owner, found) = version(&mut transaction).await?;
    if owner != APPLICATION_ID && (owner, found) != (0, 0) {
        return Err(StoreError::Damaged { reason: "the file belongs to another program".into() });
    }
    let done = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..));
    let Some(missing) = done else {
        return Err(StoreError::NewerVersion);
    };
    let header =
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {newest};");
    for statements in missing.iter().copied().chain([header.as_str()]) {
        sqlx::raw_sql(statements).execute(&mut *transaction).await.map_err(failure)?;
    }
    transaction.commit().await.map_err(failure)
}

/// Whose the file is, and the migrations that were done.
async fn version(connection: &mut SqliteConnection) -> Result<(i64, i64), StoreError> {
    sqlx::query_as(
        "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version",
    )
    .fetch_one(connection)
    .await
    .map_err(failure)
}
