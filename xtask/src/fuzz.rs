//! `fuzz`: the targets of `fuzz/`, one after the other.
//!
//! The fuzzer's instrumentation is only in a compiler that takes unstable flags. `RUSTC_BOOTSTRAP`
//! makes the one in use take them, so no nightly is needed; a C++ compiler is, for libFuzzer itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::process::{Failure, Run, find_program};
use crate::progress::{note, step};
use crate::setup::{apt, tools::Tool};

/// Seconds for one input: a document engine that takes longer hangs.
const TIMEOUT: u32 = 10;

/// Megabytes that one allocation may have: no input is larger than a few.
const LARGEST_ALLOCATION: u32 = 256;

/// Bytes of the longest input that the fuzzer makes up.
const LONGEST_INPUT: u32 = 4 * 1024;

/// Runs one target, or all, for so long each. New inputs stay below `target/`; findings are kept
/// there, too, and named.
pub(crate) fn run(cx: &Context, target: Option<&str>, seconds: u32) -> Result<(), Failure> {
    let all = targets(cx)?;
    let chosen: Vec<&String> = match target {
        None => all.iter().collect(),
        Some(name) => all.iter().filter(|target| target.as_str() == name).collect(),
    };
    if chosen.is_empty() {
        let what = format!("There is no fuzz target {}", target.unwrap_or_default());
        return Err(Failure::new(what, format!("There are: {}.", all.join(", "))));
    }
    if find_program(&["c++"], &cx.tool_path()).is_none() {
        apt::install(cx, "C++ compiler for libFuzzer", &["g++"])?;
    }
    let cargo_fuzz = Tool::CargoFuzz.ready(cx)?;
    let step = step("fuzz targets: cargo fuzz build (instrumented, takes minutes when cold)");
    cargo(cx, &cargo_fuzz, "build").quiet().run()?;
    step.done();
    let mut found = Vec::new();
    for target in chosen {
        note(format!("fuzzing {target} for {seconds} s"));
        if fuzz(cx, &cargo_fuzz, target, seconds).is_err() {
            found.push(target.as_str());
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let what = format!("The fuzzer found something in: {}", found.join(", "));
    let remedy = "The inputs are in target/fuzz/artifacts. Mend it, then add the input to fuzz/corpus: \
                  the tests of the crates replay it.";
    Err(Failure::new(what, remedy))
}

/// One target, from its committed inputs and those of earlier runs.
fn fuzz(cx: &Context, cargo_fuzz: &Path, target: &str, seconds: u32) -> Result<(), Failure> {
    let grown = made(cx.target("fuzz/corpus").join(target))?;
    let artifacts = made(cx.target("fuzz/artifacts").join(target))?;
    cargo(cx, cargo_fuzz, "run")
        .arg(target)
        .arg(grown)
        .arg(cx.path("fuzz/corpus").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-malloc_limit_mb={LARGEST_ALLOCATION}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        // The engine never frees a subdocument: it and its parent hold each other.
        .arg("-detect_leaks=0")
        .arg("-print_final_stats=1")
        .run()
}

fn cargo(cx: &Context, cargo_fuzz: &Path, command: &str) -> Run {
    Run::new(cargo_fuzz)
        .arg(command)
        .arg("--target-dir")
        .arg(cx.target("fuzz/build"))
        .dir(cx.path("fuzz"))
        .env("RUSTC_BOOTSTRAP", "1")
        // See `-detect_leaks`; this one looks once more at the end.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env("PATH", cx.tool_path())
        .env_remove("CARGO_TARGET_DIR")
}

/// The names of the targets: their files.
fn targets(cx: &Context) -> Result<Vec<String>, Failure> {
    let dir = cx.path("fuzz/fuzz_targets");
    let entries = fs::read_dir(&dir).map_err(|e| Failure::file("Listing", &dir, &e))?;
    let name = |path: PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.ok()?.path())).collect();
    names.sort();
    Ok(names)
}

fn made(dir: PathBuf) -> Result<PathBuf, Failure> {
    fs::create_dir_all(&dir).map_err(|e| Failure::file("Making", &dir, &e))?;
    Ok(dir)
}
