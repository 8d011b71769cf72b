//! `pack`: the npm tarball.
//!
//! `pkg-template/` is copied to a staging folder, gets wasm-pack's output as `wasm/`, is compiled by
//! tsc there, and is packed by npm. The template itself stays free of generated files. What the
//! tarball holds is compared with a list afterwards, so that nothing slips in or is forgotten.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::build::WASM_NAME;
use crate::context::Context;
use crate::files;
use crate::process::{Failure, Run};
use crate::profile;
use crate::progress::{note, skipped, step};
use crate::stamp::{Inputs, Stamp, files_below};

/// What every tarball must hold.
const REQUIRED: [&str; 8] = [
    "package.json",
    "README.md",
    "LICENSE",
    "wasm/vivim_wasm.js",
    "wasm/vivim_wasm.d.ts",
    "wasm/vivim_wasm_bg.wasm",
    "wasm/vivim_wasm_start.wasm",
    "wasm/vivim_wasm_rest.wasm",
];

/// Where the tarball of the last `pack` is, whatever its version.
pub(crate) fn tarball_path(cx: &Context) -> PathBuf {
    cx.target("npm/vivim-wasm.tgz")
}

/// Where the package's files are, unpacked.
pub(crate) fn stage_path(cx: &Context) -> PathBuf {
    cx.target("npm/stage")
}

/// Makes the tarball, if anything changed, and returns its stable path.
pub(crate) fn tarball(cx: &Context) -> Result<PathBuf, Failure> {
    let template = cx.path("pkg-template");
    if !template.join("package.json").is_file() {
        let what = "pkg-template/package.json is not there";
        return Err(Failure::new(what, "The npm package is shaped by that folder; restore it."));
    }
    let halves = profile::halves(cx)?;

    let _lock = cx.lock("pack")?;
    let tarball = tarball_path(cx);
    let inputs = Inputs::of("pack")
        .path(&template)?
        .path(&cx.target("npm/wasm"))?
        .path(&halves)?
        .path(&cx.path("README.md"))?
        .path(&cx.path("LICENSE"))?;
    let stamp = Stamp::new(cx.stamp("pack"), inputs);
    if stamp.is_current(&tarball) {
        skipped("npm package", "nothing changed");
        return Ok(tarball);
    }
    let step = step("npm package");
    let stage = stage_path(cx);
    compile(cx, &halves, &stage)?;
    let version = agreed_version(&stage)?;
    let listed = npm_pack(cx, &stage)?;
    check_contents(&listed)?;
    let named = cx.target(&format!("npm/vivim-wasm-{version}.tgz"));
    files::copy(&named, &tarball)?;
    stamp.set()?;
    step.done();
    note(format!("{} ({} files)", tarball.display(), listed.len()));
    Ok(tarball)
}

/// Type-checks the package's TypeScript against the wasm's types, and leaves the result in `stage`, with the wasm in
/// two files that is in `halves`.
pub(crate) fn compile(cx: &Context, halves: &Path, stage: &Path) -> Result<(), Failure> {
    let template = cx.path("pkg-template");
    files::make_empty(stage)?;
    for file in files_below(&template)? {
        let relative = file.strip_prefix(&template).unwrap_or(&file);
        if relative.starts_with("wasm") {
            continue; // what somebody built by hand; ours comes below
        }
        files::copy(&file, &stage.join(relative))?;
    }
    files::copy_folder(&cx.target("npm/wasm"), &stage.join("wasm"))?;
    files::copy_folder(halves, &stage.join("wasm"))?;
    for (name, own) in
        [("README.md", template.join("README.md")), ("LICENSE", template.join("LICENSE"))]
    {
        let source = if own.is_file() { own } else { cx.path(name) };
        files::copy(&source, &stage.join(name))?;
    }
    let modules = stage.join("node_modules");
    std::os::unix::fs::symlink(template.join("node_modules"), &modules)
        .map_err(|e| Failure::file("Linking", &modules, &e))?;
    Run::new(modules.join(".bin/tsc"))
        .args(["--project", "tsconfig.json"])
        .dir(stage)
        .remedy("Fix the types in pkg-template/src; `npm ci` there if tsc itself is missing.")
        .run()
}

/// The version of the npm package, which must be the crates'.
fn agreed_version(stage: &Path) -> Result<String, Failure> {
    let file = stage.join("package.json");
    let text = files::read_text(&file)?;
    let package: Value = serde_json::from_str(&text).map_err(|e| {
        Failure::new(format!("pkg-template/package.json: {e}"), "It must be valid JSON.")
    })?;
    let npm = package["version"].as_str().unwrap_or("(none)");
    let crates = env!("CARGO_PKG_VERSION");
    if npm != crates {
        let what = format!("The npm package says version {npm}, the crates say {crates}");
        return Err(Failure::new(
            what,
            "Versions move together: change pkg-template/package.json.",
        ));
    }
    Ok(npm.to_owned())
}

/// Packs the stage and returns the paths that the tarball holds.
fn npm_pack(cx: &Context, stage: &Path) -> Result<Vec<String>, Failure> {
    let output = Run::new("npm")
        .args(["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination"])
        .arg(cx.target("npm"))
        .dir(stage)
        .remedy("Look at `files` in pkg-template/package.json.")
        .read()?;
    listed_files(&output).ok_or_else(|| {
        Failure::new("`npm pack --json` answered in an unknown form", "Update npm to 10 or later.")
    })
}

fn listed_files(npm_output: &str) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_str(npm_output).ok()?;
    // An array of packages in npm 10 and 11, an object by name in later ones.
    let package = match &answer {
        Value::Array(packages) => packages.first()?,
        Value::Object(packages) if !packages.contains_key("files") => packages.values().next()?,
        other => other,
    };
    let files = package["files"].as_array()?.iter();
    files.map(|file| file["path"].as_str().map(str::to_owned)).collect()
}

fn check_contents(files: &[String]) -> Result<(), Failure> {
    if let Some(missing) = REQUIRED.iter().find(|name| !files.iter().any(|file| file == *name)) {
        let what = format!("The npm package lacks {missing}");
        return Err(Failure::new(what, "Look at `files` in pkg-template/package.json."));
    }
    if let Some(extra) = files.iter().find(|file| !is_allowed(file)) {
        let what =
            format!("The npm package holds {extra}, which is not on the list of xtask/src/pack.rs");
        return Err(Failure::new(what, "Leave it out in pkg-template, or extend the list."));
    }
    Ok(())
}

fn is_allowed(file: &str) -> bool {
    let is_code = |file: &str| file.ends_with(".js") || file.ends_with(".d.ts");
    match file.split_once('/') {
        None => matches!(file, "package.json" | "README.md" | "LICENSE"),
        Some(("dist", rest)) => is_code(rest),
        Some(("wasm", rest)) if rest.starts_with("snippets/") => is_code(rest),
        Some(("wasm", rest)) => {
            let name = rest.strip_prefix(WASM_NAME).unwrap_or("");
            matches!(name, ".js" | ".d.ts" | "_bg.wasm" | "_start.wasm" | "_rest.wasm")
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_tests_stay_out_of_the_package() {
        for file in ["dist/index.js", "dist/a/b.d.ts", "wasm/vivim_wasm_bg.wasm", "LICENSE"] {
            assert!(is_allowed(file), "{file}");
        }
        for file in
            ["src/index.ts", "dist/index.ts.map", "tsconfig.json", "wasm/other.wasm", ".env"]
        {
            assert!(!is_allowed(file), "{file}");
        }
    }

    #[test]
    fn a_package_without_its_licence_is_refused() {
        let files: Vec<String> =
            REQUIRED.iter().filter(|name| **name != "LICENSE").map(|&name| name.into()).collect();
        assert!(check_contents(&files).unwrap_err().what().contains("LICENSE"));
    }

    #[test]
    fn every_form_of_npms_answer_is_understood() {
        for answer in [
            r#"[{"files": [{"path": "a.js"}]}]"#,
            r#"{"vivim-wasm": {"files": [{"path": "a.js"}]}}"#,
            r#"{"files": [{"path": "a.js"}]}"#,
        ] {
            assert_eq!(listed_files(answer), Some(vec!["a.js".to_owned()]), "{answer}");
        }
        assert_eq!(listed_files("npm notice"), None);
    }
}
