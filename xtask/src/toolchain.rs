//! A Rust toolchain that compiles for `wasm32-unknown-unknown`, and has the sources of the standard
//! library, which the package is built with.
//!
//! Two ways, tried in this order:
//! 1. the toolchain in use, when it has both or rustup can fetch them;
//! 2. Debian's `rustc-web` packages. They bring no standard library for wasm, but its sources, from
//!    which it is built once (about 40 s) into the cache. The result is a sysroot of links with the
//!    new libraries added; wrappers of the compiler name it. It is also linked in rustup as
//!    `vivim-wasm`, for use by hand: `RUSTUP_TOOLCHAIN=vivim-wasm cargo build --target …`.
//!
//! `VIVIM_WASM_TOOLCHAIN=debian` goes straight to the second way.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::process::{Failure, Run, find_program, prepend_path};
use crate::progress::{note, skipped, step};
use crate::setup::apt;

/// The browser's target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Rustup's name of the standard library's sources.
const SOURCES: &str = "rust-src";

/// Chooses the second way, when set to `debian`.
const CHOICE_VARIABLE: &str = "VIVIM_WASM_TOOLCHAIN";

/// The name under which rustup knows the fallback.
const LINKED_NAME: &str = "vivim-wasm";

/// Rustup without a connection tries for minutes; with one, the target is there in seconds.
const RUSTUP_LIMIT: Duration = Duration::from_secs(40);

/// To be changed with the way the sysroot is made, so that old ones aren't used any more.
const RECIPE: &str = "3";

/// Debian's compiler, its cargo, its sources and its linker driver.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// A toolchain that can compile for the browser.
#[derive(Debug)]
pub(crate) struct WasmToolchain {
    /// The folder of its programs; `None` for the toolchain in use.
    bin: Option<PathBuf>,
    version: String,
}

impl WasmToolchain {
    /// Finds the toolchain, or makes it.
    pub(crate) fn ready(cx: &Context) -> Result<Self, Failure> {
        let _lock = cx.lock("toolchain")?;
        let wants_debian = std::env::var(CHOICE_VARIABLE).is_ok_and(|choice| choice == "debian");
        if !wants_debian && let Some(version) = version_in_use_with_target() {
            skipped("wasm target", "the Rust toolchain in use has it, and Rust's sources");
            return Ok(Self { bin: None, version });
        }
        if let Some(ready) = Self::made_before(cx) {
            skipped(
                "wasm target",
                "Debian's rustc-web with its own wasm standard library is ready",
            );
            return Ok(ready);
        }
        if !wants_debian && has_rustup() {
            let step = step(format!("wasm target: rustup adds {TARGET} and {SOURCES}"));
            let target = Run::new("rustup").args(["target", "add", TARGET]);
            let sources = Run::new("rustup").args(["component", "add", SOURCES]);
            if target.succeeds_within(RUSTUP_LIMIT)
                && sources.succeeds_within(RUSTUP_LIMIT)
                && let Some(version) = version_in_use_with_target()
            {
                step.done();
                return Ok(Self { bin: None, version });
            }
            note("rustup's server was not reached; falling back to Debian's rustc-web packages");
        }
        Self::from_debian(cx)
    }

    /// Whether it is the toolchain in use, and not Debian's.
    pub(crate) fn is_in_use(&self) -> bool {
        self.bin.is_none()
    }

    /// Cargo of this toolchain, building into `target/wasm` (another compiler, another folder).
    pub(crate) fn cargo(&self, cx: &Context) -> Run {
        self.prepare(cx, Run::new(self.program("cargo")))
    }

    /// `cargo clippy` of this toolchain.
    pub(crate) fn clippy(&self, cx: &Context) -> Result<Run, Failure> {
        if self.bin.is_some() {
            apt::install(cx, "clippy for the wasm compiler", &[DEBIAN_CLIPPY])?;
        }
        // Not `cargo clippy`: cargo would look in its own folder first and find another clippy.
        Ok(self.prepare(cx, Run::new(self.program("cargo-clippy")).arg("clippy")))
    }

    /// Another program that calls cargo and rustc by name, such as wasm-pack.
    pub(crate) fn tool(&self, cx: &Context, program: &str) -> Run {
        let path = self.path(cx);
        let program = find_program(&[program], &path).unwrap_or_else(|| program.into());
        self.prepare(cx, Run::new(program))
    }

    /// The compiler's description of itself, as an input of what it compiles.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn prepare(&self, cx: &Context, run: Run) -> Run {
        let run = run
            .dir(cx.path(""))
            .env("PATH", self.path(cx))
            .env("CARGO_TARGET_DIR", cx.target("wasm"))
            .env_remove("CARGO");
        if self.bin.is_some() {
            run.env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN")
        } else {
            run
        }
    }

    fn path(&self, cx: &Context) -> OsString {
        match &self.bin {
            Some(bin) => prepend_path(&[bin], &cx.tool_path()),
            None => cx.tool_path(),
        }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.bin.as_ref().map_or_else(|| name.into(), |bin| bin.join(name))
    }

    /// The fallback, if it was made for the Debian compiler that is installed now.
    fn made_before(cx: &Context) -> Option<Self> {
        let version = compiler_version(DEBIAN_RUSTC)?;
        let bin = prefix(cx, &version).join("bin");
        bin.is_dir().then_some(Self { bin: Some(bin), version })
    }

    fn from_debian(cx: &Context) -> Result<Self, Failure> {
        apt::install(cx, "Rust compiler with a wasm backend", &DEBIAN_PACKAGES)?;
        let version = compiler_version(DEBIAN_RUSTC).ok_or_else(|| {
            let what = format!("{DEBIAN_RUSTC} doesn't run");
            Failure::new(what, "Reinstall the Debian package rustc-web.")
        })?;
        if let Some(llvm) = llvm_major(&version) {
            // The compiler's linker driver is a link to this one.
            apt::install(cx, "linker for wasm", &[&format!("lld-{llvm}")])?;
        }
        let prefix = prefix(cx, &version);
        let step = step("wasm standard library, built from Debian's Rust sources (about 40 s)");
        let work = cx.cache("wasm-toolchain/building");
        let rlibs = build_std(&work)?;
        assemble(&prefix, &rlibs).map_err(|e| Failure::file("Making", &prefix, &e))?;
        fs::remove_dir_all(&work).map_err(|e| Failure::file("Removing", &work, &e))?;
        link_in_rustup(&prefix);
        step.done();
        Ok(Self { bin: Some(prefix.join("bin")), version })
    }
}

fn has_rustup() -> bool {
    find_program(&["rustup"], &std::env::var_os("PATH").unwrap_or_default()).is_some()
}

/// The description of the compiler in use, if it has a wasm standard library, and the sources of it.
fn version_in_use_with_target() -> Option<String> {
    let sysroot = Run::new("rustc").args(["--print", "sysroot"]).probe()?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    if !sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
        return None;
    }
    let output =
        Run::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).probe()?;
    let libdir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let has_std = fs::read_dir(libdir).ok()?.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    });
    if has_std { compiler_version("rustc") } else { None }
}

fn compiler_version(rustc: &str) -> Option<String> {
    let output = Run::new(rustc).arg("-vV").probe()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn llvm_major(version: &str) -> Option<&str> {
    version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?.split('.').next()
}

fn prefix(cx: &Context, version: &str) -> PathBuf {
    let hash = Sha256::digest(format!("{RECIPE}\n{version}"));
    let id: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    cx.cache("wasm-toolchain").join(id)
}

/// Compiles the standard library in an empty crate and returns its libraries.
fn build_std(work: &Path) -> Result<Vec<PathBuf>, Failure> {
    let made = || -> io::Result<()> {
        if work.exists() {
            fs::remove_dir_all(work)?;
        }
        fs::create_dir_all(work.join("src"))?;
        let manifest =
            "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n";
        fs::write(work.join("Cargo.toml"), manifest)?;
        fs::write(work.join("src/lib.rs"), "#![no_std]\n")
    };
    made().map_err(|e| Failure::file("Preparing", work, &e))?;
    Run::new(DEBIAN_CARGO)
        .args(["build", "--release", "--target", TARGET])
        .args(["-Z", "build-std=std,panic_abort,panic_unwind,test"])
        .dir(work)
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        // Bitcode, so that link-time optimisation reaches into the standard library.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .remedy("Its dependencies come from crates.io: look at the connection, then try again.")
        .quiet()
        .run()?;
    let deps = work.join("target").join(TARGET).join("release/deps");
    let entries = fs::read_dir(&deps).map_err(|e| Failure::file("Listing", &deps, &e))?;
    let is_std = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".rlib") && !name.starts_with("libempty-")
    };
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_std).collect())
}

/// Makes the sysroot: links to Debian's, wrappers that name it, and the new libraries.
///
/// It is made aside and renamed at the end, so that an interrupted run leaves no half of one.
fn assemble(prefix: &Path, rlibs: &[PathBuf]) -> io::Result<()> {
    let half = prefix.with_extension("half");
    for old in [prefix, &half] {
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    let rustlib = half.join("lib/rustlib");
    let wasm = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&wasm)?;
    for entry in fs::read_dir("/usr/lib/rustlib")? {
        let entry = entry?;
        if entry.file_name() != TARGET {
            symlink(entry.path(), rustlib.join(entry.file_name()))?;
        }
    }
    for rlib in rlibs {
        fs::copy(rlib, wasm.join(rlib.file_name().unwrap_or_default()))?;
    }
    let bin = half.join("bin");
    fs::create_dir_all(&bin)?;
    symlink(DEBIAN_CARGO, bin.join("cargo"))?;
    let sysroot = prefix.display();
    for name in ["rustc", "rustdoc"] {
        wrapper(&bin.join(name), &format!("exec /usr/bin/{name} --sysroot \"{sysroot}\" \"$@\""))?;
    }
    for name in ["cargo-clippy", "clippy-driver"] {
        wrapper(&bin.join(name), &format!("SYSROOT=\"{sysroot}\" exec /usr/bin/{name} \"$@\""))?;
    }
    fs::rename(half, prefix)
}

fn wrapper(path: &Path, line: &str) -> io::Result<()> {
    fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// For use by hand only; nothing here depends on it.
fn link_in_rustup(prefix: &Path) {
    if !has_rustup() {
        return;
    }
    let link = Run::new("rustup").args(["toolchain", "link", LINKED_NAME]).arg(prefix);
    if link.succeeds_within(RUSTUP_LIMIT) {
        note(format!("by hand: RUSTUP_TOOLCHAIN={LINKED_NAME} cargo build --target {TARGET}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_version_is_read_from_the_compiler() {
        assert_eq!(llvm_major("release: 1.96.0\nLLVM version: 22.1.8\n"), Some("22"));
        assert_eq!(llvm_major("release: 1.96.0\n"), None);
    }
}
