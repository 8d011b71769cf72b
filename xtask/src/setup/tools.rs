//! Programs from crates.io, installed into the cache unless the person has them already.

use std::path::PathBuf;

use crate::context::Context;
use crate::process::{Failure, Run, find_program};
use crate::progress::{skipped, step};

/// A program that `cargo install` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    CargoDeny,
    /// Only for `fuzz`; `setup` leaves it out.
    CargoFuzz,
    Geckodriver,
    WasmBindgen,
    WasmPack,
}

impl Tool {
    /// What `setup` installs.
    pub(crate) const ALL: [Self; 4] =
        [Self::WasmBindgen, Self::WasmPack, Self::Geckodriver, Self::CargoDeny];

    /// Finds the program, or installs it.
    pub(crate) fn ready(self, cx: &Context) -> Result<PathBuf, Failure> {
        let wanted = self.version(cx)?;
        if let Some(found) = self.find(cx, &wanted) {
            skipped(self.program(), format!("found {}", found.display()));
            return Ok(found);
        }
        let _lock = cx.lock("tools")?;
        let dir = cx.cache("tools");
        std::fs::create_dir_all(&dir).map_err(|e| Failure::file("Making", &dir, &e))?;
        let step = step(format!("cargo install {} {wanted} (about 2 minutes)", self.package()));
        Run::new("cargo")
            .args(["install", "--locked", "--force", "--quiet", "--root"])
            .arg(cx.cache("tools"))
            .arg(format!("{}@{wanted}", self.package()))
            // Outside of the work tree, where no toolchain file or profile of ours applies.
            .dir(cx.cache("tools"))
            // One folder for all tools, so that what they share is compiled once.
            .env("CARGO_TARGET_DIR", cx.cache("tools/build"))
            // These run for seconds; compiling them well takes minutes more.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .remedy("Look at the connection to crates.io, or install it by hand and try again.")
            .run()?;
        step.done();
        self.find(cx, &wanted).ok_or_else(|| {
            let what = format!("{} {wanted} was installed but doesn't run", self.program());
            Failure::new(what, format!("Look into {}.", cx.cache("tools/bin").display()))
        })
    }

    fn find(self, cx: &Context, wanted: &str) -> Option<PathBuf> {
        let found = find_program(&[self.program()], &cx.tool_path())?;
        if self.is_exact() {
            let output = Run::new(&found).arg("--version").probe()?;
            let version = String::from_utf8_lossy(&output.stdout).into_owned();
            version.split_whitespace().any(|word| word == wanted).then_some(found)
        } else {
            Some(found)
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::CargoDeny => "cargo-deny",
            Self::CargoFuzz => "cargo-fuzz",
            Self::Geckodriver => "geckodriver",
            Self::WasmBindgen => "wasm-bindgen",
            Self::WasmPack => "wasm-pack",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::WasmBindgen => "wasm-bindgen-cli",
            other => other.program(),
        }
    }

    fn version(self, cx: &Context) -> Result<String, Failure> {
        Ok(match self {
            Self::CargoDeny => "0.20.2".into(),
            Self::CargoFuzz => "0.13.2".into(),
            Self::Geckodriver => "0.37.1".into(),
            // The program and the crate must be of one version, to the last digit.
            Self::WasmBindgen => cx.locked_version("wasm-bindgen")?,
            Self::WasmPack => "0.15.1".into(),
        })
    }

    /// Whether another version than the wanted one is of no use.
    fn is_exact(self) -> bool {
        self == Self::WasmBindgen
    }
}
