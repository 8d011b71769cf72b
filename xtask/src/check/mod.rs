//! `check`: everything that can be said about the sources without running them.
//!
//! All checks run, also after one has failed; the summary names each with its verdict.

mod directions;
mod supply;

use crate::build;
use crate::context::{Context, WASM_PACKAGES};
use crate::docs;
use crate::pack;
use crate::process::{Failure, Run};
use crate::progress::note;
use crate::setup::npm;
use crate::size;
use crate::toolchain::{TARGET, WasmToolchain};

/// How a check ended when it didn't fail.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    /// It could not be done here; the reason.
    Skipped(String),
}

type Check = fn(&Context) -> Result<Verdict, Failure>;

/// The packages that only make sense in a browser.
const BROWSER_ONLY: [&str; 2] = ["vivim-wasm", "vivim-wasm-tests"];

const CHECKS: [(&str, Check); 12] = [
    ("formatting", formatting),
    ("dependency directions", directions::check),
    ("clippy, native", clippy_native),
    ("clippy, wasm32", clippy_wasm),
    ("tables in docs/", tables),
    ("docs, native", docs_native),
    ("docs, wasm32", docs_wasm),
    ("types of the npm package", package_types),
    ("types of the page", page_types),
    ("size budget", size_budget),
    ("licences, bans and sources", supply::policy),
    ("advisories", supply::advisories),
];

/// Runs all checks.
pub(crate) fn run(cx: &Context) -> Result<(), Failure> {
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        eprintln!("\n===== check: {name} =====");
        let verdict = match check(cx) {
            Ok(Verdict::Passed) => "passed".to_owned(),
            Ok(Verdict::Skipped(why)) => format!("skipped: {why}"),
            Err(failure) => {
                eprintln!("{failure}");
                failed.push(name);
                format!("FAILED: {}", failure.what())
            }
        };
        summary.push(format!("{name:28} {verdict}"));
    }
    eprintln!("\n===== check: summary =====");
    for line in summary {
        note(line);
    }
    if failed.is_empty() {
        return Ok(());
    }
    let what = format!("Checks failed: {}", failed.join(", "));
    Err(Failure::new(what, "Each says above what it found."))
}

fn formatting(cx: &Context) -> Result<Verdict, Failure> {
    cx.cargo().args(["fmt", "--all", "--check"]).remedy("Run `cargo fmt --all`.").run()?;
    Ok(Verdict::Passed)
}

fn tables(cx: &Context) -> Result<Verdict, Failure> {
    docs::check(cx)?;
    Ok(Verdict::Passed)
}

fn clippy_native(cx: &Context) -> Result<Verdict, Failure> {
    cx.cargo()
        .args(["clippy", "--quiet", "--locked", "--workspace", "--all-targets"])
        .args(BROWSER_ONLY.iter().flat_map(|name| ["--exclude", name]))
        .args(["--", "-D", "warnings"])
        .remedy("Fix the lints above, or allow one with a reason.")
        .run()?;
    Ok(Verdict::Passed)
}

fn clippy_wasm(cx: &Context) -> Result<Verdict, Failure> {
    let toolchain = WasmToolchain::ready(cx)?;
    let remedy = "Fix the lints above, or allow one with a reason.";
    let common = ["--quiet", "--locked", "--target", TARGET];
    // Without the tests of the libraries: their dev-dependencies are for the native target.
    toolchain
        .clippy(cx)?
        .args(common)
        .arg("--lib")
        .args(WASM_PACKAGES.iter().flat_map(|name| ["--package", name]))
        .args(["--", "-D", "warnings"])
        .remedy(remedy)
        .run()?;
    toolchain
        .clippy(cx)?
        .args(common)
        .args(["--all-targets", "--package", "vivim-wasm-tests", "--", "-D", "warnings"])
        .remedy(remedy)
        .run()?;
    Ok(Verdict::Passed)
}

fn docs_native(cx: &Context) -> Result<Verdict, Failure> {
    docs(cx.cargo())
        .args(["--workspace", "--exclude", BROWSER_ONLY[0], "--exclude", BROWSER_ONLY[1]])
        .run()?;
    Ok(Verdict::Passed)
}

fn docs_wasm(cx: &Context) -> Result<Verdict, Failure> {
    let toolchain = WasmToolchain::ready(cx)?;
    docs(toolchain.cargo(cx))
        // The bindings' docs are for those who work on them, and name private parts; what has
        // public Rust docs was held to the full rule by the native run.
        .env("RUSTDOCFLAGS", "-Dwarnings -Arustdoc::private_intra_doc_links")
        .args(["--target", TARGET, "--lib"])
        .args(WASM_PACKAGES.iter().flat_map(|name| ["--package", name]))
        .run()?;
    Ok(Verdict::Passed)
}

fn docs(cargo: Run) -> Run {
    cargo
        .args(["doc", "--quiet", "--locked", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .remedy("Fix the links and the missing docs named above.")
}

fn package_types(cx: &Context) -> Result<Verdict, Failure> {
    if !cx.path("pkg-template/package.json").is_file() {
        return Ok(Verdict::Skipped("there is no pkg-template yet".into()));
    }
    // The types are checked against those of the wasm, so packing is the check.
    pack::tarball(cx)?;
    Ok(Verdict::Passed)
}

fn page_types(cx: &Context) -> Result<Verdict, Failure> {
    if !cx.path("www/package.json").is_file() {
        return Ok(Verdict::Skipped("there is no www yet".into()));
    }
    // Building the page begins with its type check, against the packed package.
    build::page(cx)?;
    Ok(Verdict::Passed)
}

fn size_budget(cx: &Context) -> Result<Verdict, Failure> {
    if !pack::tarball_path(cx).is_file() {
        return Ok(Verdict::Skipped("no package was built: run `cargo xtask pack`".into()));
    }
    npm::check_node(cx)?;
    let weights = size::ours(cx)?;
    for (name, weight) in weights.named() {
        for measure in size::MEASURES {
            note(format!("{name:7} {measure:7} {:>9} bytes", weight.by(measure)));
        }
    }
    let excesses = size::over_budget(cx, weights)?;
    if excesses.is_empty() {
        return Ok(Verdict::Passed);
    }
    let remedy = "Find what grew (twiggy, `cargo tree`), or change budget.json with a reason.";
    Err(Failure::new(excesses.join("; "), remedy))
}
