//! What wasm-bindgen's glue lacks: somebody who hears when the module traps, and a module in two files.
//!
//! A panic, as everything else that WebAssembly stops at, throws a `RuntimeError` at whoever called in.
//! Calls of the facade catch it there. But a timer, a promise or a socket calls through one of the
//! module's closures, and nobody would learn that the instance is dead and that what is awaited of it
//! will never come.
//!
//! The same calls are counted, so that the facade knows when the module has nothing to do.

use crate::process::Failure;
use crate::split::{LOAD, LOADED, rest_name, start_name};

const INSTANTIATED: &str = "    wasm = instance.exports;\n";

/// In the name of every export that calls a closure, however Rust mangles it.
const CLOSURES: &str = "convert__closures_";

const GUARD: &str = "\
let closures, onTrap, called = 0;
function guarded(exports) {
    const guard = (closure) => (...args) => {
        called++;
        try {
            return closure(...args);
        } catch (error) {
            if (error instanceof WebAssembly.RuntimeError) onTrap?.(error);
            throw error;
        }
    };
    const ours = Object.entries(exports).filter(([name]) => name.includes('convert__closures_'));
    return Object.fromEntries(ours.map(([name, closure]) => [name, guard(closure)]));
}

export function setTrapHandler(handler) {
    onTrap = handler;
}

export function callbacks() {
    return called;
}
";

const GUARD_TYPE: &str = "
/**
 * Sets who is told when a callback into the module has trapped. The instance is dead afterwards: the
 * handler must call nothing of it.
 */
export function setTrapHandler(handler: (error: WebAssembly.RuntimeError) => void): void;

/** How many callbacks into the module there have been. */
export function callbacks(): number;
";

/// The glue, with closures that tell of traps.
pub(crate) fn with_guard(glue: &str) -> Result<String, Failure> {
    let called: Vec<&str> = glue.lines().filter(|line| calls_closure(line)).collect();
    if glue.matches(INSTANTIATED).count() != 1 || called.is_empty() {
        return Err(other_form());
    }
    let watched = format!("{INSTANTIATED}    closures = guarded(wasm);\n");
    let mut guarded = glue.replace(INSTANTIATED, &watched);
    for line in called {
        guarded = guarded.replace(line, &line.replacen("wasm.", "closures.", 1));
    }
    Ok(guarded + "\n" + GUARD)
}

/// Whether the line calls an export that calls a closure.
fn calls_closure(line: &str) -> bool {
    let export = line.split_once("wasm.").and_then(|(_, call)| call.split_once('('));
    export.is_some_and(|(name, _)| name.contains(CLOSURES))
}

/// Where the glue makes what the module imports.
const IMPORTS: &str = "    const imports = __wbg_get_imports();\n";

/// The file that the glue loads if it is told of none. A bundler would find it, and copy it for nothing.
const DEFAULT_FILE: &str = "new URL('vivim_wasm_bg.wasm', import.meta.url)";

const REST_TYPES: &str = "
/** Sets what is called when a function of the second file is needed before that is there. It throws if it can't help. */
export function setRestLoader(loader: () => void): void;

/** Whether the module is the first file of two, and the second isn't there yet. */
export function lacksRest(): boolean;

/** What the second file is instantiated with. */
export function restImports(): WebAssembly.Imports;

/** Says that the second file was instantiated. */
export function restIsThere(): void;
";

/// The glue for a module in two files that were split of the one with this digest. It still takes the whole module, too.
pub(crate) fn with_rest(glue: &str, digest: &str) -> Result<String, Failure> {
    if !glue.contains(IMPORTS) || !glue.contains(DEFAULT_FILE) {
        return Err(other_form());
    }
    let glue = glue.replace(IMPORTS, "    const imports = withRest(__wbg_get_imports());\n");
    let glue = glue.replace(DEFAULT_FILE, "undefined");
    let (start, rest) = (start_name(digest), rest_name(digest));
    Ok(format!(
        "{glue}
let ownImports, loadRest;
function withRest(imports) {{
    ownImports = imports;
    return {{ ...imports, '{rest}': {{ {LOAD}: () => loadRest() }} }};
}}

export function setRestLoader(loader) {{
    loadRest = loader;
}}

export function lacksRest() {{
    return wasm.{LOADED} !== undefined && wasm.{LOADED}.value === 0;
}}

export function restImports() {{
    return {{ ...ownImports, '{start}': wasm }};
}}

export function restIsThere() {{
    wasm.{LOADED}.value = 1;
}}
"
    ))
}

/// What tells a page which of the exported globals that begin so are set, by the rest of their names.
pub(crate) fn telling(prefix: &str) -> String {
    format!(
        "
globalThis.vivimCalled = () => Object.entries(wasm)
    .filter(([name, global]) => name.startsWith('{prefix}') && global.value !== 0)
    .map(([name]) => name.slice({}));
",
        prefix.len()
    )
}

/// The glue's types.
pub(crate) fn with_types(types: &str) -> String {
    types.to_owned() + GUARD_TYPE + REST_TYPES
}

/// What is said when something of it isn't found.
pub(crate) fn other_form() -> Failure {
    Failure::new(
        "wasm-bindgen's glue has another form than expected",
        "See what has become of `wasm = instance.exports`, of the calls of closures and of how the \
         module is loaded, and change xtask/src/glue.rs.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_are_called_through_the_guard() {
        let glue = "\
function wasm_bindgen__convert__closures_____invoke__h1(arg0) {
    wasm.wasm_bindgen__convert__closures_____invoke__h1(arg0);
}
function finish(instance) {
    wasm = instance.exports;
    wasm.other();
}
";
        let guarded = with_guard(glue).unwrap();
        assert!(guarded.contains("    closures.wasm_bindgen__convert__closures_____invoke__h1("));
        assert!(guarded.contains("exports;\n    closures = guarded(wasm);\n    wasm.other();"));
        assert!(guarded.contains("export function setTrapHandler("));
        assert!(guarded.contains("export function callbacks("));
    }

    #[test]
    fn the_glue_of_two_files_names_their_build_and_no_third_file() {
        let glue = "\
    module_or_path = new URL('vivim_wasm_bg.wasm', import.meta.url);
    const imports = __wbg_get_imports();
";
        let glue = with_rest(glue, "0a1b").unwrap();
        assert!(glue.contains("const imports = withRest(__wbg_get_imports());"));
        assert!(glue.contains("'rest-0a1b': { load: () => loadRest() }"));
        assert!(glue.contains("'start-0a1b': wasm"));
        assert!(!glue.contains("import.meta.url"));
    }

    #[test]
    fn another_form_of_glue_is_a_failure() {
        assert!(with_guard("let wasm = 1;").unwrap_err().what().contains("another form"));
        assert!(with_rest("let wasm = 1;", "0a1b").unwrap_err().what().contains("another form"));
    }
}
