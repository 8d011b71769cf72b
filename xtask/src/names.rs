//! The names by which the wasm imports the glue's functions, made short.
//!
//! wasm-bindgen's end in hashes, which no compressor makes smaller, and stand in both files. With the hashes goes what
//! refuses glue of another build, so the name of the module that they are imported from gets the build's digest.

use std::convert::Infallible;

use sha2::{Digest, Sha256};
use wasm_encoder::{
    ImportSection,
    reencode::{Error, Reencode},
};
use wasmparser::{Import, Parser};

use crate::glue;
use crate::module::{Module, not_written};
use crate::process::Failure;

/// What wasm-bindgen calls the glue.
const GLUE_MODULE: &str = "./vivim_wasm_bg.js";

/// The wasm and the glue with short names.
pub(crate) fn shortened(wasm: &[u8], glue: &str) -> Result<(Vec<u8>, String), Failure> {
    let module = Module::read(wasm)?;
    let names: Vec<&str> = module
        .imports
        .iter()
        .filter(|import| import.module == GLUE_MODULE)
        .map(|import| import.name)
        .collect();
    let glue_module = format!("glue-{}", digest(wasm));
    let mut glue =
        replaced(glue, &format!("\"{GLUE_MODULE}\": "), &format!("\"{glue_module}\": "))?;
    for (number, name) in names.iter().enumerate() {
        let indent = "\n        ";
        glue =
            replaced(&glue, &format!("{indent}{name}: "), &format!("{indent}{}: ", short(number)))?;
    }
    let mut out = wasm_encoder::Module::new();
    Shorten { names, glue_module }
        .parse_core_module(&mut out, Parser::new(0), wasm)
        .map_err(not_written)?;
    Ok((out.finish(), glue))
}

/// What tells builds apart, short enough for a name.
pub(crate) fn digest(wasm: &[u8]) -> String {
    Sha256::digest(wasm)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name of one to three characters.
pub(crate) fn short(mut number: usize) -> String {
    let mut name = Vec::new();
    loop {
        name.push(b"abcdefghijklmnopqrstuvwxyz"[number % 26]);
        number /= 26;
        if number == 0 {
            break;
        }
        number -= 1;
    }
    name.reverse();
    String::from_utf8_lossy(&name).into_owned()
}

fn replaced(glue: &str, what: &str, with: &str) -> Result<String, Failure> {
    if glue.matches(what).count() == 1 {
        Ok(glue.replacen(what, with, 1))
    } else {
        Err(glue::other_form())
    }
}

struct Shorten<'a> {
    names: Vec<&'a str>,
    glue_module: String,
}

impl Reencode for Shorten<'_> {
    type Error = Infallible;

    fn parse_import(
        &mut self,
        imports: &mut ImportSection,
        import: Import<'_>,
    ) -> Result<(), Error> {
        let of = self.entity_type(import.ty)?;
        match self.names.iter().position(|name| *name == import.name) {
            Some(number) => imports.import(&self.glue_module, &short(number), of),
            None => imports.import(import.module, import.name, of),
        };
        Ok(())
    }

    /// wasm-bindgen lists imports one by one.
    fn parse_imports(
        &mut self,
        section: &mut ImportSection,
        imports: wasmparser::Imports<'_>,
    ) -> Result<(), Error> {
        for import in imports {
            let (_, import) = import?;
            self.parse_import(section, import)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wasm_encoder::{EntityType, TypeSection};

    use super::*;

    #[test]
    fn no_two_short_names_are_the_same() {
        let names: BTreeSet<String> = (0..3000).map(short).collect();
        assert_eq!(names.len(), 3000);
        assert!(names.iter().all(|name| name.len() <= 3));
    }

    #[test]
    fn wasm_and_glue_get_the_same_names() {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import(GLUE_MODULE, "__wbg_now_1", EntityType::Function(0));
        imports.import(GLUE_MODULE, "__wbg_send_2", EntityType::Function(0));
        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&types).section(&imports);
        let wasm = wasm.finish();
        let glue = "{
        __wbg_send_2: function() {},
        __wbg_now_1: function() {},
    };
    return { \"./vivim_wasm_bg.js\": import0 };";

        let (shorter, glue) = shortened(&wasm, glue).unwrap();
        let module = Module::read(&shorter).unwrap();
        let names: Vec<&str> = module.imports.iter().map(|import| import.name).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(glue.contains("        b: function() {},\n        a: function() {},"));
        assert!(glue.contains(&format!("{{ \"{}\": import0 }}", module.imports[0].module)));
        assert_eq!(module.imports[0].module, format!("glue-{}", digest(&wasm)));

        assert!(shortened(&wasm, "").is_err());
    }
}
