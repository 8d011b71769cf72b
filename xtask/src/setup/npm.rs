//! Node.js and the folders with npm packages.

use crate::context::Context;
use crate::process::{Failure, Run};
use crate::progress::{skipped, step};
use crate::stamp::{Inputs, Stamp};

/// The folders that have a `package-lock.json`.
pub(crate) const FOLDERS: [&str; 4] = [TOOLS, "pkg-template", "www", "tests"];

/// The npm tools of this program: wasm-opt and a bundler.
pub(crate) const TOOLS: &str = "xtask/npm";

/// The oldest Node.js that Vite runs on.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Fails early when there is no Node.js or an old one.
pub(crate) fn check_node(cx: &Context) -> Result<(), Failure> {
    let remedy = format!("Install Node.js {}.{} or later with npm.", OLDEST_NODE.0, OLDEST_NODE.1);
    let version = cx.node().arg("--version").remedy(&remedy).read()?;
    let version = version.trim();
    if parse_version(version).is_none_or(|found| found < OLDEST_NODE) {
        return Err(Failure::new(format!("Node.js {version} is too old"), remedy));
    }
    Ok(())
}

/// Installs the packages of a folder exactly as its lock file says.
///
/// A folder that doesn't exist yet is passed over: what needs it will say so.
pub(crate) fn ready(cx: &Context, folder: &str) -> Result<(), Failure> {
    let dir = cx.path(folder);
    let lock_file = dir.join("package-lock.json");
    if !lock_file.is_file() {
        skipped(format!("npm packages of {folder}"), "there is no lock file");
        return Ok(());
    }
    let _lock = cx.lock("npm")?;
    let inputs = Inputs::of("npm").path(&lock_file)?.path(&dir.join("package.json"))?;
    let modules = dir.join("node_modules");
    let stamp = Stamp::new(modules.join(".vivim-stamp"), inputs);
    if stamp.is_current(&modules) {
        skipped(format!("npm packages of {folder}"), "installed");
        return Ok(());
    }
    let step = step(format!("npm packages of {folder}"));
    Run::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .dir(&dir)
        .remedy("Look at the connection to the npm registry; if the lock file is old, `npm install` there.")
        .quiet()
        .run()?;
    stamp.set()?;
    step.done();
    Ok(())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_compared_by_number() {
        assert_eq!(parse_version("v20.19.2"), Some((20, 19)));
        assert!(parse_version("v9.99.0") < Some(OLDEST_NODE));
        assert!(parse_version("v22.1.0") > Some(OLDEST_NODE));
        assert_eq!(parse_version("nonsense"), None);
    }
}
