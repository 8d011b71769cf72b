//! What is already done: a stamp file holds the hash of a step's inputs.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files;
use crate::process::Failure;

/// Folders that are results, never inputs.
const RESULT_FOLDERS: [&str; 4] = ["node_modules", "dist", "target", ".git"];

/// Collects the inputs of a step: files, folders and plain facts such as a version.
#[derive(Debug)]
pub(crate) struct Inputs {
    hash: Sha256,
}

impl Inputs {
    /// Starts with the name of the step.
    pub(crate) fn of(step: &str) -> Self {
        let mut inputs = Self { hash: Sha256::new() };
        inputs.add(step.as_bytes());
        inputs
    }

    /// A fact that the step depends on.
    pub(crate) fn fact(mut self, fact: &str) -> Self {
        self.add(fact.as_bytes());
        self
    }

    /// A file's content, or a folder's with everything below it; a missing path counts as empty.
    pub(crate) fn path(mut self, path: &Path) -> Result<Self, Failure> {
        for file in files_below(path)? {
            let content = files::read(&file)?;
            let name = file.strip_prefix(path).unwrap_or(&file);
            self.add(name.to_string_lossy().as_bytes());
            self.add(&content);
        }
        Ok(self)
    }

    /// The hash, as text.
    pub(crate) fn finish(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn add(&mut self, bytes: &[u8]) {
        // The length keeps two neighbouring inputs from running into each other.
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }
}

/// A step's memory of the inputs it was last done with.
#[derive(Debug)]
pub(crate) struct Stamp {
    file: PathBuf,
    inputs: String,
}

impl Stamp {
    /// The stamp kept in `file`, for these inputs.
    pub(crate) fn new(file: PathBuf, inputs: Inputs) -> Self {
        Self { file, inputs: inputs.finish() }
    }

    /// True when the step was done with the same inputs and `output` is still there.
    pub(crate) fn is_current(&self, output: &Path) -> bool {
        output.exists() && fs::read_to_string(&self.file).is_ok_and(|done| done == self.inputs)
    }

    /// Remembers that the step is done.
    pub(crate) fn set(&self) -> Result<(), Failure> {
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir).map_err(|e| Failure::file("Making", dir, &e))?;
        }
        files::write(&self.file, &self.inputs)
    }
}

/// All files of a folder in a stable order, or the file itself; result folders are left out.
pub(crate) fn files_below(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .map_err(|e| Failure::file("Listing", path, &e))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let is_result = entry.file_name().is_some_and(|name| {
            RESULT_FOLDERS.iter().any(|folder| name == *folder) && entry.is_dir()
        });
        if !is_result {
            files.extend(files_below(&entry)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("vivim-xtask-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_step_is_done_until_one_of_its_inputs_changes() {
        let dir = scratch("stamp");
        let input = dir.join("input");
        fs::write(&input, "one").unwrap();
        let stamp = |dir: &Path| {
            Stamp::new(dir.join("stamp"), Inputs::of("test").path(&dir.join("input")).unwrap())
        };
        assert!(!stamp(&dir).is_current(&input));
        stamp(&dir).set().unwrap();
        assert!(stamp(&dir).is_current(&input));
        assert!(!stamp(&dir).is_current(&dir.join("missing output")));
        fs::write(&input, "two").unwrap();
        assert!(!stamp(&dir).is_current(&input));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn results_are_not_inputs() {
        let dir = scratch("results");
        fs::create_dir_all(dir.join("src")).unwrap();
        fs::create_dir_all(dir.join("node_modules/x")).unwrap();
        fs::write(dir.join("src/a"), "").unwrap();
        fs::write(dir.join("node_modules/x/b"), "").unwrap();
        assert_eq!(files_below(&dir).unwrap(), [dir.join("src/a")]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn neighbouring_facts_do_not_run_together() {
        let one = Inputs::of("x").fact("ab").fact("c").finish();
        let other = Inputs::of("x").fact("a").fact("bc").finish();
        assert_ne!(one, other);
    }
}
