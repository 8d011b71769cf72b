//! A wasm module taken apart, for what writes it anew: [`names`](crate::names),
//! [`order`](crate::order), [`profile`](crate::profile) and [`split`](crate::split).

use wasm_encoder::reencode::Error;
use wasmparser::{
    BinaryReaderError, Element, ElementItems, Export, ExternalKind, FunctionBody, Global, Import,
    MemoryType, Parser, Payload, Table, TypeRef, TypeSectionReader,
};

use crate::process::Failure;

/// The parts of a module, as far as the package's has them.
pub(crate) struct Module<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) types: TypeSectionReader<'a>,
    /// How many parameters the functions of each type have.
    pub(crate) parameters: Vec<u32>,
    pub(crate) imports: Vec<Import<'a>>,
    /// The types of the imported functions, then of its own.
    pub(crate) functions: Vec<u32>,
    pub(crate) imported: u32,
    pub(crate) tables: Vec<Table<'a>>,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) globals: Vec<Global<'a>>,
    pub(crate) exports: Vec<Export<'a>>,
    pub(crate) elements: Vec<Element<'a>>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Module<'a> {
    /// # Errors
    ///
    /// If the bytes are no module, or one with parts that the package's hasn't.
    pub(crate) fn read(wasm: &'a [u8]) -> Result<Self, Failure> {
        let mut types = None;
        let mut module = Self {
            bytes: wasm,
            parameters: Vec::new(),
            types: TypeSectionReader::new(wasmparser::BinaryReader::new(&[0], 0))
                .map_err(not_understood)?,
            imports: Vec::new(),
            functions: Vec::new(),
            imported: 0,
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            exports: Vec::new(),
            elements: Vec::new(),
            bodies: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(wasm) {
            module.take(payload.map_err(not_understood)?, &mut types).map_err(not_understood)?;
        }
        module.types = types.ok_or_else(|| strange("it has no types"))?;
        for of in module.types.clone().into_iter_err_on_gc_types() {
            let of = of.map_err(not_understood)?;
            module.parameters.push(u32::try_from(of.params().len()).unwrap_or(u32::MAX));
        }
        if module.functions.len() != module.imported as usize + module.bodies.len() {
            return Err(strange("it has sections that aren't expected"));
        }
        Ok(module)
    }

    fn take(
        &mut self,
        payload: Payload<'a>,
        types: &mut Option<TypeSectionReader<'a>>,
    ) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(section) => *types = Some(section),
            Payload::ImportSection(section) => {
                self.imports = section.into_imports().collect::<Result<_, _>>()?;
                for import in &self.imports {
                    if let TypeRef::Func(of) = import.ty {
                        self.functions.push(of);
                        self.imported += 1;
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for of in section {
                    self.functions.push(of?);
                }
            }
            Payload::TableSection(section) => {
                self.tables = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::MemorySection(section) => {
                self.memories = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::GlobalSection(section) => {
                self.globals = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::ExportSection(section) => {
                self.exports = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::ElementSection(section) => {
                self.elements = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            // The lengths don't fit together then, which is noticed.
            Payload::StartSection { .. } | Payload::TagSection(_) => self.functions.clear(),
            _ => {}
        }
        Ok(())
    }

    /// The functions that anything but a function refers to: exports and tables.
    pub(crate) fn referred(&self) -> Result<Vec<u32>, Failure> {
        let exported = self.exports.iter().filter(|export| export.kind == ExternalKind::Func);
        let mut functions: Vec<u32> = exported.map(|export| export.index).collect();
        for element in &self.elements {
            match &element.items {
                ElementItems::Functions(items) => {
                    for function in items.clone() {
                        functions.push(function.map_err(not_understood)?);
                    }
                }
                ElementItems::Expressions(..) => {
                    return Err(strange("it has elements that are expressions"));
                }
            }
        }
        Ok(functions)
    }

    /// Its own functions: their indices and bodies.
    pub(crate) fn own(&self) -> impl Iterator<Item = (u32, &FunctionBody<'a>)> {
        (self.imported..).zip(&self.bodies)
    }
}

pub(crate) fn not_understood(error: BinaryReaderError) -> Failure {
    strange(&error.to_string())
}

pub(crate) fn not_written(error: Error) -> Failure {
    strange(&error.to_string())
}

pub(crate) fn strange(what: &str) -> Failure {
    Failure::new(
        format!("the wasm is not understood: {what}"),
        "xtask/src/module.rs knows the parts that the package's module has; extend it.",
    )
}
