//! `build`: the wasm package, the relay and the demo page.

use std::fs;
use std::path::{Path, PathBuf};

use crate::context::{Context, NATIVE_PACKAGES};
use crate::files;
use crate::glue;
use crate::names;
use crate::order;
use crate::pack;
use crate::process::{Failure, Run};
use crate::progress::{note, skipped, step};
use crate::rustc;
use crate::setup::npm;
use crate::setup::tools::Tool;
use crate::stamp::{Inputs, Stamp};
use crate::toolchain::WasmToolchain;

/// The base name of the files that wasm-pack makes.
pub(crate) const WASM_NAME: &str = "vivim_wasm";

/// The JavaScript that is made for the wasm.
pub(crate) const GLUE: &str = "vivim_wasm.js";

/// The wasm in one file, for who names one to `init`, and for Node.
pub(crate) const WHOLE: &str = "vivim_wasm_bg.wasm";

/// What a page needs of it at once.
pub(crate) const START: &str = "vivim_wasm_start.wasm";

/// What is loaded behind that.
pub(crate) const REST: &str = "vivim_wasm_rest.wasm";

/// What the compiler may use and every supported browser has; wasm-opt must be told.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The standard library is compiled with the rest, for size: its sorts and searches are there once for
/// each type that uses them.
const STD_FOR_SIZE: [&str; 2] =
    ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];

/// A panic is a trap and nothing else: the messages, and what formats them, are a twentieth of the
/// package. The glue tells the facade of the trap. Names are mangled in the way that is shorter in the
/// glue. SHA-2 has its rounds in a loop: what is hashed here is short.
const COMPILER_FLAGS: [&str; 5] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "-Csymbol-mangling-version=legacy",
    "--cfg=sha2_backend_soft=\"compact\"",
];

/// How the relay is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relay {
    /// As the unit tests are, so that nothing is compiled twice for them.
    Dev,
    /// As it is shipped.
    Release,
}

/// Builds all three.
pub(crate) fn everything(cx: &Context) -> Result<(), Failure> {
    let page = page(cx)?;
    let relay = relay(cx, Relay::Release)?;
    note(format!("package {}", pack::tarball_path(cx).display()));
    note(format!("page    {}", page.display()));
    note(format!("relay   {}", relay.display()));
    Ok(())
}

/// Builds the wasm with its JavaScript glue and types; returns their folder.
pub(crate) fn wasm(cx: &Context) -> Result<PathBuf, Failure> {
    let toolchain = WasmToolchain::ready(cx)?;
    let wasm_bindgen = cx.locked_version("wasm-bindgen")?;
    Tool::WasmBindgen.ready(cx)?;
    Tool::WasmPack.ready(cx)?;
    npm::check_node(cx)?;
    npm::ready(cx, npm::TOOLS)?;

    let _lock = cx.lock("wasm")?;
    let out = cx.target("npm/wasm");
    let inputs = Inputs::of("wasm")
        .fact(toolchain.version())
        .fact(&wasm_bindgen)
        .fact(&WASM_FEATURES.join(" "))
        .fact(&STD_FOR_SIZE.join(" "))
        .fact(&COMPILER_FLAGS.join(" "))
        .path(&cx.path("Cargo.toml"))?
        .path(&cx.path("Cargo.lock"))?
        .path(&cx.path("crates"))?
        .path(&cx.path("xtask/src"))?
        .path(&cx.path("xtask/npm/package-lock.json"))?;
    let stamp = Stamp::new(cx.stamp("wasm"), inputs);
    if stamp.is_current(&out.join(WHOLE)) {
        skipped("wasm package", "nothing changed");
        return Ok(out);
    }
    let step = step("wasm package: wasm-pack build (link-time optimised, takes minutes when cold)");
    let raw = cx.target("npm/wasm-pack");
    toolchain
        .tool(cx, "wasm-pack")
        .arg("build")
        .arg(cx.path("crates/vivim-wasm"))
        .args(["--target", "web", "--profile", "wasm-release", "--mode", "no-install"])
        // wasm-pack would download wasm-opt; ours is an npm package with a locked version.
        .args(["--no-opt", "--no-pack", "--no-gitignore", "--out-name", WASM_NAME, "--out-dir"])
        .arg(&raw)
        .args(["--", "--locked"])
        // Debian's compiler may be too old for these; its package is a fifth larger.
        .args(if toolchain.is_in_use() { &STD_FOR_SIZE[..] } else { &[] })
        .env("CARGO_ENCODED_RUSTFLAGS", compiler_flags(cx, &toolchain).join("\x1f"))
        // The flags above, without a nightly compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .envs(rustc::environment()?)
        .remedy("Fix what the compiler says above; `cargo xtask setup` repairs the tools.")
        .run()?;
    step.done();
    optimise(cx, &raw, &out)?;
    stamp.set()?;
    Ok(out)
}

/// What the compiler is told for the package. The places of sources on this machine stay out of it, so
/// that the package is the same wherever it is built.
fn compiler_flags(cx: &Context, toolchain: &WasmToolchain) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let registries = registries.into_iter().flatten().filter_map(Result::ok);
    let places = registries.map(|entry| entry.path()).chain([cx.path("")]);
    let remapped = places.map(|place| format!("--remap-path-prefix={}=.", place.display()));
    let flags = if toolchain.is_in_use() { &COMPILER_FLAGS[..] } else { &[] };
    flags.iter().map(|flag| (*flag).to_owned()).chain(remapped).collect()
}

/// Builds the relay and returns the program.
pub(crate) fn relay(cx: &Context, kind: Relay) -> Result<PathBuf, Failure> {
    let remedy = "Fix what the compiler says above.";
    match kind {
        Relay::Dev => {
            let step = step("relay, as the unit tests have it");
            let packages = NATIVE_PACKAGES.iter().flat_map(|name| ["--package", name]);
            cx.cargo()
                .args(["build", "--quiet", "--locked", "--bins", "--tests"])
                .args(packages)
                .remedy(remedy)
                .run()?;
            step.done();
            Ok(cx.target("debug/vivim-relay"))
        }
        Relay::Release => {
            let step = step("relay, release");
            let build = ["build", "--quiet", "--locked", "--release", "--package", "vivim-relay"];
            cx.cargo().args(build).remedy(remedy).run()?;
            step.done();
            Ok(cx.target("release/vivim-relay"))
        }
    }
}

/// Builds the demo page from the packed npm package and returns its folder.
pub(crate) fn page(cx: &Context) -> Result<PathBuf, Failure> {
    let tarball = pack::tarball(cx)?;
    npm::ready(cx, "www")?;

    let _lock = cx.lock("page")?;
    let dist = cx.path("www/dist");
    let inputs = Inputs::of("page").path(&cx.path("www"))?.path(&tarball)?;
    let stamp = Stamp::new(cx.stamp("page"), inputs);
    if stamp.is_current(&dist.join("index.html")) {
        skipped("demo page", "nothing changed");
        return Ok(dist);
    }
    let step = step("demo page");
    Run::new("npm")
        .args(["run", "--silent", "build"])
        .dir(cx.path("www"))
        .env("VIVIM_WASM_TARBALL", &tarball)
        .remedy("Fix what tsc or Vite says above.")
        .quiet()
        .run()?;
    stamp.set()?;
    step.done();
    Ok(dist)
}

/// Copies wasm-pack's output with the wasm made smaller, and the glue made to tell of traps.
fn optimise(cx: &Context, raw: &Path, out: &Path) -> Result<(), Failure> {
    let step = step("wasm package: wasm-opt");
    files::make_empty(out)?;
    files::copy_folder(raw, out)?;
    let wasm = out.join(WHOLE);
    // For size, but not at any price: with -Oz it is smaller until it is compressed.
    wasm_opt(cx, &wasm, &["-Os", ONE_CALLER_INLINE])?;
    files::write(&wasm, order::named_by_rank(&files::read(&wasm)?)?)?;
    wasm_opt(cx, &wasm, &["--reorder-functions-by-name"])?;

    let glue = out.join(GLUE);
    let guarded = glue::with_guard(&files::read_text(&glue)?)?;
    let (short, shorter_glue) = names::shortened(&files::read(&wasm)?, &guarded)?;
    files::write(&wasm, short)?;
    files::write(&glue, shorter_glue)?;
    let types = out.join(format!("{WASM_NAME}.d.ts"));
    files::write(&types, glue::with_types(&files::read_text(&types)?))?;
    step.done();
    Ok(())
}

/// Without it all of the actor becomes one function of 170 KB, which the browser compiles whole at
/// its first call; and the result is smaller, too.
const ONE_CALLER_INLINE: &str = "--one-caller-inline-max-function-size=400";

fn wasm_opt(cx: &Context, wasm: &Path, args: &[&str]) -> Result<(), Failure> {
    Run::new(cx.path("xtask/npm/node_modules/.bin/wasm-opt"))
        .args(args)
        .args(WASM_FEATURES)
        .arg(wasm)
        .arg("--output")
        .arg(wasm)
        .remedy(
            "A feature the compiler uses may be missing in WASM_FEATURES of xtask/src/build.rs.",
        )
        .run()
}
