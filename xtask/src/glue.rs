//! What wasm-bindgen's glue lacks: somebody who hears when the module traps.
//!
//! A panic, as everything else that WebAssembly stops at, throws a `RuntimeError` at whoever called in.
//! Calls of the facade catch it there. But a timer, a promise or a socket calls through one of the
//! module's closures, and nobody would learn that the instance is dead and that what is awaited of it
//! will never come.
//!
//! The same calls are counted, so that the facade knows when the module has nothing to do.

use crate::process::Failure;

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
        return Err(Failure::new(
            "wasm-bindgen's glue has another form than expected",
            "See what has become of `wasm = instance.exports` and of the calls of closures, and \
             change xtask/src/glue.rs.",
        ));
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

/// The glue's types.
pub(crate) fn with_guard_types(types: &str) -> Result<String, Failure> {
    Ok(types.to_owned() + GUARD_TYPE)
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
    fn another_form_of_glue_is_a_failure() {
        assert!(with_guard("let wasm = 1;").unwrap_err().what().contains("another form"));
    }
}
