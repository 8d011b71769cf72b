//! Files and folders, with failures that name them.

use std::fs;
use std::path::Path;

use crate::process::Failure;

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|e| Failure::file("Reading", file, &e))
}

pub(crate) fn read_text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|e| Failure::file("Reading", file, &e))
}

pub(crate) fn write(file: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    fs::write(file, content).map_err(|e| Failure::file("Writing", file, &e))
}

/// Copies a file, and makes the folder it comes to.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).map_err(|e| Failure::file("Making", dir, &e))?;
    }
    fs::copy(from, to).map(drop).map_err(|e| Failure::file("Copying", from, &e))
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|e| Failure::file("Making", to, &e))?;
    for entry in fs::read_dir(from).map_err(|e| Failure::file("Listing", from, &e))? {
        let entry = entry.map_err(|e| Failure::file("Listing", from, &e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Makes a folder, without what was in it.
pub(crate) fn make_empty(dir: &Path) -> Result<(), Failure> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|e| Failure::file("Removing", dir, &e))?;
    }
    fs::create_dir_all(dir).map_err(|e| Failure::file("Making", dir, &e))
}
