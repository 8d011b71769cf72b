//! The identity of the relay: an Ed25519 key in a file that only its owner reads.
//!
//! Clients know a relay by its peer id, so the key must outlive restarts. The file appears
//! complete or not at all: a crash while it is written leaves no half key behind, and of two
//! relays that start at once in one folder both use the same key.

use std::{
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use libp2p::identity::Keypair;
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::error::IdentityError;

/// Name of the key file in the data folder.
pub const KEY_FILE: &str = "relay.key";

/// Longest key file that is read, in bytes. An encoded Ed25519 key has 68.
const MAX_KEY_FILE: u64 = 4096;

/// Reads the key in `folder`, or makes folder and key when there is none yet.
pub fn load_or_create(folder: &Path) -> Result<Keypair, IdentityError> {
    create_folder(folder)
        .map_err(|source| IdentityError::Folder { path: folder.to_owned(), source })?;
    let path = folder.join(KEY_FILE);
    match load(&path) {
        Err(IdentityError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create(folder, &path)?;
            // Read back: if another process was faster, its key is the one that counts.
            load(&path)
        }
        other => other,
    }
}

fn load(path: &Path) -> Result<Keypair, IdentityError> {
    let file_error = |source| IdentityError::File { path: path.to_owned(), source };
    let malformed = |reason: String| IdentityError::Malformed { path: path.to_owned(), reason };

    let file = fs::File::open(path).map_err(file_error)?;
    check_mode(&file, path)?;
    let mut bytes = Vec::new();
    file.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes).map_err(file_error)?;
    if bytes.len() as u64 > MAX_KEY_FILE {
        return Err(malformed("it is too long".into()));
    }
    if bytes.is_empty() {
        return Err(malformed("it is empty".into()));
    }
    Keypair::from_protobuf_encoding(&bytes).map_err(|e| malformed(e.to_string()))
}

fn create(folder: &Path, path: &Path) -> Result<(), IdentityError> {
    let file_error = |path: &Path, source| IdentityError::File { path: path.to_owned(), source };
    let bytes = Keypair::generate_ed25519()
        .to_protobuf_encoding()
        .map_err(|e| IdentityError::Malformed { path: path.to_owned(), reason: e.to_string() })?;

    let temporary = temporary_path(folder);
    let written = write_private(&temporary, &bytes)
        // A hard link fails if the name is taken, where a rename would replace a key that is
        // already in use.
        .and_then(|()| match fs::hard_link(&temporary, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    let removed = fs::remove_file(&temporary);
    written.and(removed).map_err(|e| file_error(path, e))?;
    // The name must be on disk before the peer id is told to anybody.
    fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|e| file_error(folder, e))
}

fn temporary_path(folder: &Path) -> PathBuf {
    // Not the process id: in a container it is the same after every crash.
    folder.join(format!(".{KEY_FILE}.{:016x}", StdRng::from_os_rng().next_u64()))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(unix)]
fn check_mode(file: &fs::File, path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file
        .metadata()
        .map_err(|source| IdentityError::File { path: path.to_owned(), source })?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Readable { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_file: &fs::File, _path: &Path) -> Result<(), IdentityError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let first = load_or_create(&data).unwrap();
        let second = load_or_create(&data).unwrap();
        assert_eq!(first.public(), second.public());
        let mode = fs::metadata(data.join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        // No temporary file stays behind.
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn relays_that_start_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<_> = std::thread::scope(|s| {
            let threads: Vec<_> =
                (0..8).map(|_| s.spawn(|| load_or_create(folder.path()).unwrap())).collect();
            threads.into_iter().map(|t| t.join().unwrap().public()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        load_or_create(folder.path()).unwrap();
        let path = folder.path().join(KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            load_or_create(folder.path()),
            Err(IdentityError::Readable { mode: 0o644, .. })
        ));
    }

    #[test]
    fn a_damaged_key_is_named_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        load_or_create(folder.path()).unwrap();
        let path = folder.path().join(KEY_FILE);
        for content in [&b""[..], b"not a key", &[8; 5000]] {
            fs::write(&path, content).unwrap();
            assert!(matches!(load_or_create(folder.path()), Err(IdentityError::Malformed { .. })));
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }
}
