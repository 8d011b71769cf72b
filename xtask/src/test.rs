//! `test`: all parts, or one, and a summary at the end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;

use crate::build::{self, Relay};
use crate::context::{Context, NATIVE_PACKAGES};
use crate::pack;
use crate::process::{Failure, Run, find_program};
use crate::progress::{human, note};
use crate::setup::tools::Tool;
use crate::setup::{browsers, npm};
use crate::stamp::files_below;
use crate::toolchain::WasmToolchain;

/// Seconds a single browser test in `wasm-tests` may take.
const WASM_TEST_TIMEOUT: &str = "120";

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Unit and property tests of the crates, and doc tests.
    Unit,
    /// `wasm-tests` in headless Chromium; the tests of the npm package and of the page's own code in
    /// Node.
    Wasm,
    /// Two browsers, the real relay, the real page.
    E2e,
    /// Ours and js-libp2p, Yrs and Yjs.
    Interop,
}

impl Part {
    const ALL: [Self; 4] = [Self::Unit, Self::Wasm, Self::E2e, Self::Interop];

    fn name(self) -> &'static str {
        match self {
            Self::E2e => "e2e",
            Self::Interop => "interop",
            Self::Unit => "unit",
            Self::Wasm => "wasm",
        }
    }

    fn run(self, cx: &Context, filter: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::E2e | Self::Interop => suite(cx, self.name(), filter),
            Self::Unit => unit(cx, filter),
            Self::Wasm => wasm(cx, filter),
        }
    }
}

/// Runs the parts one after the other; a failed one doesn't keep the others from running.
pub(crate) fn run(cx: &Context, part: Option<Part>, filter: Option<&str>) -> Result<(), Failure> {
    let parts = part.map_or_else(|| Part::ALL.to_vec(), |part| vec![part]);
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for part in parts {
        eprintln!("\n===== tests: {} =====", part.name());
        let started = Instant::now();
        let result = part.run(cx, filter);
        let verdict = match &result {
            Ok(()) => "passed".to_owned(),
            Err(failure) => format!("FAILED: {}", failure.what()),
        };
        if let Err(failure) = result {
            eprintln!("{failure}");
            failed.push(part.name());
        }
        summary.push(format!("{:8} {:>13}  {verdict}", part.name(), human(started.elapsed())));
    }
    eprintln!("\n===== tests: summary =====");
    for line in summary {
        note(line);
    }
    if failed.is_empty() {
        return Ok(());
    }
    let what = format!("Tests failed in: {}", failed.join(", "));
    Err(Failure::new(what, format!("Run one part alone: cargo xtask test {}", failed[0])))
}

fn unit(cx: &Context, filter: Option<&str>) -> Result<(), Failure> {
    let remedy = "The failing tests are named above.";
    let has_nextest = find_program(&["cargo-nextest"], &cx.tool_path()).is_some();
    // The same selection as for the relay of the end-to-end tests: it is built here already.
    let selection = ["--locked", "--no-fail-fast", "--lib", "--bins", "--tests"];
    let run = if has_nextest {
        cx.cargo().args(["nextest", "run"])
    } else {
        note("cargo-nextest isn't installed; using cargo test");
        cx.cargo().arg("test")
    };
    let native =
        run.args(selection).args(flags(&NATIVE_PACKAGES)).args(filter).remedy(remedy).run();
    let docs = if filter.is_none() { doc_tests(cx) } else { Ok(()) };
    native.and(docs)
}

/// The examples in the docs of the libraries.
fn doc_tests(cx: &Context) -> Result<(), Failure> {
    let libraries: Vec<&str> =
        NATIVE_PACKAGES.into_iter().filter(|name| *name != "xtask").collect();
    cx.cargo()
        .args(["test", "--quiet", "--locked", "--doc"])
        .args(flags(&libraries))
        .remedy("The failing examples are named above.")
        .run()
}

fn flags<'a>(packages: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    packages.iter().flat_map(|name| ["--package", name])
}

/// The tests of the page's own code, which need no browser, but the types of the package.
fn page_tests(cx: &Context) -> Result<(), Failure> {
    if !cx.path("www/test").is_dir() {
        return Ok(());
    }
    let tarball = pack::tarball(cx)?;
    npm::check_node(cx)?;
    npm::ready(cx, "www")?;
    for script in ["link-package", "test"] {
        Run::new("npm")
            .args(["run", "--silent", script])
            .dir(cx.path("www"))
            .env("VIVIM_WASM_TARBALL", &tarball)
            .remedy("The failing tests of www/test are named above.")
            .run()?;
    }
    Ok(())
}

fn wasm(cx: &Context, filter: Option<&str>) -> Result<(), Failure> {
    let chromium = browsers::chromium(cx)?;
    let toolchain = WasmToolchain::ready(cx)?;
    Tool::WasmBindgen.ready(cx)?;
    Tool::WasmPack.ready(cx)?;
    let run = toolchain
        .tool(cx, "wasm-pack")
        .args(["test", "--headless", "--chrome", "--mode", "no-install", "--chromedriver"])
        .arg(&chromium.driver)
        .arg(cx.path("wasm-tests"))
        .env("WASM_BINDGEN_TEST_TIMEOUT", WASM_TEST_TIMEOUT)
        .remedy("The failing tests are named above; the browser's flags are in wasm-tests/webdriver.json.");
    let browser = match filter {
        Some(filter) => run.args(["--", filter]).run(),
        None => run.run(),
    };
    if filter.is_some() {
        return browser;
    }
    let package = package_tests(cx);
    let page = page_tests(cx);
    browser.and(package).and(page)
}

/// The npm package's own tests: its types, and what it does in Node.
fn package_tests(cx: &Context) -> Result<(), Failure> {
    if !cx.path("pkg-template/test").is_dir() {
        return Ok(());
    }
    pack::tarball(cx)?;
    let stage = pack::stage_path(cx);
    let remedy = "The failing tests of pkg-template/test are named above.";
    let types = stage.join("test/types/tsconfig.json");
    if types.is_file() {
        let tsc = Run::new(stage.join("node_modules/.bin/tsc")).arg("--project").arg(types);
        tsc.dir(&stage).remedy("The types of the package don't fit its users: see above.").run()?;
    }
    // Named one by one: Node 20 knows no patterns.
    let is_test = |file: &PathBuf| file.to_string_lossy().ends_with(".test.mjs");
    let files: Vec<PathBuf> =
        files_below(&stage.join("test"))?.into_iter().filter(is_test).collect();
    if files.is_empty() {
        return Ok(());
    }
    cx.node().args(["--test", "--test-reporter=spec"]).args(files).dir(stage).remedy(remedy).run()
}

/// A suite of `tests/`, with the shipped package, the built page and a relay.
fn suite(cx: &Context, name: &str, filter: Option<&str>) -> Result<(), Failure> {
    let env = suite_env(cx, Relay::Dev)?;
    let runner = cx.path("tests/run.mjs");
    let run = cx.node().envs(env).remedy("The failing cases are named above.");
    if runner.is_file() {
        return run.arg(runner).arg(name).args(filter).run();
    }
    let pattern = filter.map(|filter| format!("--test-name-pattern={filter}"));
    let files = format!("tests/{name}/*.test.mjs");
    run.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(pattern)
        .arg(files)
        .run()
}

/// Builds what the suites of `tests/` need and says in variables where it is.
pub(crate) fn suite_env(
    cx: &Context,
    relay: Relay,
) -> Result<Vec<(&'static str, OsString)>, Failure> {
    npm::check_node(cx)?;
    let chromium = browsers::chromium(cx)?;
    let page = build::page(cx)?;
    let relay_program = build::relay(cx, relay)?;
    npm::ready(cx, "tests")?;
    let mut env: Vec<(&'static str, OsString)> = vec![
        ("CARGO_TARGET_DIR", cx.target("").into()),
        ("CHROMEDRIVER", chromium.driver.into()),
        ("VIVIM_CHROMIUM", chromium.program.into()),
        ("VIVIM_PAGE", page.into()),
        ("VIVIM_RELAY", relay_program.into()),
        ("VIVIM_TARBALL", pack::tarball_path(cx).into()),
    ];
    // Only the cross-browser cases of the tests need Firefox; benches and the demo don't.
    if relay == Relay::Dev {
        let firefox = browsers::firefox(cx)?;
        env.push(("VIVIM_FIREFOX", firefox.program.into()));
        env.push(("VIVIM_GECKODRIVER", firefox.driver.into()));
    }
    Ok(env)
}
