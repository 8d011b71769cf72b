//! The places: the work tree, the results in `target/`, and the cache of tools outside of it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::files;
use crate::process::{Failure, Run, prepend_path};
use crate::progress;

/// The native packages, in the order of their dependencies. They are always built in one call with
/// the same selection, because cargo would build libp2p once more for every other set of features.
pub(crate) const NATIVE_PACKAGES: [&str; 9] = [
    "vivim-proto",
    "vivim-doc",
    "vivim-store",
    "vivim-documents",
    "vivim-social",
    "vivim-webrtc",
    "vivim-node",
    "vivim-relay",
    "xtask",
];

/// Everything that compiles for the browser.
pub(crate) const WASM_PACKAGES: [&str; 8] = [
    "vivim-proto",
    "vivim-doc",
    "vivim-store",
    "vivim-documents",
    "vivim-social",
    "vivim-webrtc",
    "vivim-node",
    "vivim-wasm",
];

/// Where things are.
#[derive(Debug)]
pub(crate) struct Context {
    root: PathBuf,
    cache: PathBuf,
}

impl Context {
    /// Finds the work tree and the cache folder.
    pub(crate) fn discover() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().filter(|root| root.join("Cargo.lock").is_file());
        let root = root.ok_or_else(|| {
            let what = format!("{} is not inside the VIVIM work tree any more", manifest.display());
            Failure::new(what, "Run `cargo xtask` from a checkout; cargo rebuilds it there.")
        })?;
        Ok(Self { root: root.to_owned(), cache: cache_dir()? })
    }

    /// A path inside the work tree.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path inside `target/`.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.root.join("target").join(relative)
    }

    /// A path inside the cache, which is outside the work tree and shared by all checkouts.
    pub(crate) fn cache(&self, relative: &str) -> PathBuf {
        self.cache.join(relative)
    }

    /// The stamp file of a step.
    pub(crate) fn stamp(&self, step: &str) -> PathBuf {
        self.target("xtask/stamps").join(step)
    }

    /// PATH with the tools that `setup` installs in front.
    pub(crate) fn tool_path(&self) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        prepend_path(&[&self.cache("tools/bin")], &path)
    }

    /// Cargo with the toolchain of the person, for the native target.
    pub(crate) fn cargo(&self) -> Run {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Run::new(cargo)
            .dir(&self.root)
            .env("PATH", self.tool_path())
            .env("CARGO_TARGET_DIR", self.target(""))
    }

    /// Node.js in the work tree.
    pub(crate) fn node(&self) -> Run {
        Run::new("node")
            .dir(&self.root)
            .remedy("The output above says why; Node.js 20.19 or later is needed.")
    }

    /// The version of a crate in `Cargo.lock`.
    pub(crate) fn locked_version(&self, name: &str) -> Result<String, Failure> {
        let file = self.path("Cargo.lock");
        let text = files::read_text(&file)?;
        locked_version(&text, name).ok_or_else(|| {
            Failure::new(format!("Cargo.lock has no {name}"), "Run `cargo update --workspace`.")
        })
    }

    /// Keeps two xtasks from building the same thing in one work tree at the same time.
    ///
    /// The lock is released when the returned file is dropped; steps must not nest.
    pub(crate) fn lock(&self, step: &str) -> Result<File, Failure> {
        let dir = self.target("xtask/locks");
        fs::create_dir_all(&dir).map_err(|e| Failure::file("Making", &dir, &e))?;
        let path = dir.join(step);
        let file = File::create(&path).map_err(|e| Failure::file("Making", &path, &e))?;
        if file.try_lock().is_err() {
            progress::note(format!("waiting for another xtask in step `{step}`"));
            file.lock().map_err(|e| Failure::file("Locking", &path, &e))?;
        }
        Ok(file)
    }
}

fn cache_dir() -> Result<PathBuf, Failure> {
    if let Some(dir) = std::env::var_os("VIVIM_CACHE") {
        return Ok(dir.into());
    }
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        _ => {
            let what = "There is no folder for the tools: neither XDG_CACHE_HOME nor HOME is set";
            return Err(Failure::new(what, "Set VIVIM_CACHE to a folder of yours."));
        }
    };
    Ok(base.join("vivim"))
}

fn locked_version(lock: &str, name: &str) -> Option<String> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{name}\""))?;
    let version = lines.next()?.strip_prefix("version = \"")?;
    version.strip_suffix('"').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"ab\"\nversion = \"4.0.0\"\n";
        assert_eq!(locked_version(lock, "a").as_deref(), Some("1.2.3"));
        assert_eq!(locked_version(lock, "ab").as_deref(), Some("4.0.0"));
        assert_eq!(locked_version(lock, "b"), None);
    }
}
