//! Which functions of the wasm a page needs at once: [`split`] leaves the others out of the first file.
//!
//! It is tried, each time the wasm has changed: two pages in two browsers meet by way of a relay, write together,
//! part, open again what they stored, and lose the relay and each other, with a module in which every function notes
//! that it was called. A function that nobody called there is in the second file. Its first call may have to wait for
//! that, and is never wrong, so it does little harm if another run would have called it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Instruction,
    ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{ExportSectionReader, FunctionBody, GlobalSectionReader, Parser};

use crate::build::{self, REST, Relay, START, WHOLE};
use crate::context::Context;
use crate::files;
use crate::glue;
use crate::module::{Module, not_written};
use crate::pack;
use crate::process::{Failure, Run};
use crate::progress::{note, skipped, step};
use crate::setup::{browsers, npm};
use crate::split;
use crate::stamp::{Inputs, Stamp};

/// What the exports begin with that say of each function whether it was called; its number follows.
const CALLED: &str = "called:";

/// Browsers and relays do fail now and then.
const ATTEMPTS: u32 = 3;

/// Splits what `build::wasm` made and returns the folder with the two files and the glue that knows them.
pub(crate) fn halves(cx: &Context) -> Result<PathBuf, Failure> {
    let wasm = build::wasm(cx)?;
    npm::ready(cx, "pkg-template")?;
    npm::ready(cx, "tests")?;

    let _lock = cx.lock("halves")?;
    let out = cx.target("npm/halves");
    let inputs = Inputs::of("halves")
        .path(&wasm)?
        .path(&cx.path("xtask/src"))?
        .path(&cx.path("tests/profile.mjs"))?
        .path(&cx.path("tests/pages/start.mjs"))?;
    let stamp = Stamp::new(cx.stamp("halves"), inputs);
    if stamp.is_current(&out.join(START)) {
        skipped("wasm in two files", "nothing changed");
        return Ok(out);
    }
    let step =
        step("wasm in two files: what two browsers call until they are together comes first");
    let whole = files::read(&wasm.join(WHOLE))?;
    let called = called(cx, &wasm, &whole)?;
    let halves = split::split(&whole, |function| called.binary_search(&function).is_ok())?;
    for half in [&halves.start, &halves.rest] {
        wasmparser::validate(half).map_err(crate::module::not_understood)?;
    }
    files::make_empty(&out)?;
    let js = files::read_text(&wasm.join(build::GLUE))?;
    files::write(&out.join(build::GLUE), glue::with_rest(&js, &halves.digest)?)?;
    files::write(&out.join(START), &halves.start)?;
    files::write(&out.join(REST), &halves.rest)?;
    stamp.set()?;
    step.done();
    note(format!(
        "{} functions are called, of {}",
        called.len(),
        Module::read(&whole)?.bodies.len()
    ));
    Ok(out)
}

/// The numbers of the functions that are called in the pages of `tests/profile.mjs`, in order.
fn called(cx: &Context, wasm: &Path, whole: &[u8]) -> Result<Vec<u32>, Failure> {
    let chromium = browsers::chromium(cx)?;
    // Whichever was built before: it makes no difference here.
    let is_dev = cx.target("debug/vivim-relay").exists();
    let relay = build::relay(cx, if is_dev { Relay::Dev } else { Relay::Release })?;
    let tarball = noting_package(cx, wasm, whole)?;
    let mut attempt = 1;
    loop {
        let output = cx
            .node()
            .arg(cx.path("tests/profile.mjs"))
            .env("CARGO_TARGET_DIR", cx.target(""))
            .env("CHROMEDRIVER", &chromium.driver)
            .env("VIVIM_CHROMIUM", &chromium.program)
            .env("VIVIM_RELAY", &relay)
            .env("VIVIM_TARBALL", &tarball)
            .remedy("The output above says how far the two browsers came.")
            .read();
        match output {
            Ok(output) => {
                // For whoever wonders what is in the first file.
                files::write(&cx.target("npm/profile/called"), &output)?;
                return numbers(&output);
            }
            Err(failure) if attempt == ATTEMPTS => return Err(failure),
            Err(failure) => note(format!("{}; once more", failure.what())),
        }
        attempt += 1;
    }
}

fn numbers(output: &str) -> Result<Vec<u32>, Failure> {
    let numbers: Result<Vec<u32>, _> = output.split_whitespace().map(str::parse).collect();
    let mut numbers = numbers.ok().filter(|numbers| !numbers.is_empty()).ok_or_else(|| {
        Failure::new("tests/profile.mjs printed no numbers of functions", "One on each line.")
    })?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// The package with a module that notes what is called of it.
fn noting_package(cx: &Context, wasm: &Path, whole: &[u8]) -> Result<PathBuf, Failure> {
    let halves = cx.target("npm/profile/halves");
    files::make_empty(&halves)?;
    let js = files::read_text(&wasm.join(build::GLUE))?;
    let glue = glue::with_rest(&js, "")? + &glue::telling(CALLED);
    files::write(&halves.join(build::GLUE), glue)?;
    files::write(&halves.join(START), noting(whole)?)?;
    // Never asked for: nothing is missing in the first.
    files::write(&halves.join(REST), wasm_encoder::Module::new().finish())?;

    let stage = cx.target("npm/profile/stage");
    pack::compile(cx, &halves, &stage)?;
    Run::new("npm")
        .args(["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination"])
        .arg(cx.target("npm/profile"))
        .dir(&stage)
        .remedy("Look at `files` in pkg-template/package.json.")
        .quiet()
        .run()?;
    Ok(cx.target(&format!("npm/profile/vivim-wasm-{}.tgz", env!("CARGO_PKG_VERSION"))))
}

/// The same module, in which each function notes that it was called.
fn noting(wasm: &[u8]) -> Result<Vec<u8>, Failure> {
    let module = Module::read(wasm)?;
    let globals = u32::try_from(module.globals.len()).unwrap_or(u32::MAX);
    let mut noting = Noting { module: &module, first: globals, next: globals };
    let mut out = wasm_encoder::Module::new();
    noting.parse_core_module(&mut out, Parser::new(0), wasm).map_err(not_written)?;
    Ok(out.finish())
}

struct Noting<'a> {
    module: &'a Module<'a>,
    /// The global of the first function.
    first: u32,
    /// The global of the function that is written next.
    next: u32,
}

impl Reencode for Noting<'_> {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_global_section(self, globals, section)?;
        for _ in self.module.own() {
            let of = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
            globals.global(of, &ConstExpr::i32_const(0));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        for ((function, _), global) in self.module.own().zip(self.first..) {
            exports.export(&format!("{CALLED}{function}"), ExportKind::Global, global);
        }
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        function.instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::GlobalSet(self.next));
        self.next += 1;
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            function.instruction(&self.parse_instruction(&mut reader)?);
        }
        code.function(&function);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once_and_nothing_else_is_one() {
        assert_eq!(numbers("12\n7\n12\n").unwrap(), [7, 12]);
        assert!(numbers("").is_err());
        assert!(numbers("12\nfailed\n").is_err());
    }
}
