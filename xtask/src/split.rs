//! The wasm in two files: what a page needs at once, and the rest.
//!
//! The first file is the module without the bodies of the functions that can wait. One of these that the
//! first file still refers to is a few instructions there: they have the rest loaded, if it wasn't yet, and
//! call through a slot at the end of the table. The rest is a module of its own over the memory, the tables
//! and the globals of the first; as it is instantiated it puts its functions into these slots.
//!
//! Each of the two knows a digest of the module that they were made of, and of how it was split, by the name it
//! imports from, so a rest of another build is refused when it is linked.

use std::borrow::Cow;
use std::convert::Infallible;

use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, TableSection,
    TableType, TypeSection, ValType,
    reencode::{Error, Reencode, RoundtripReencoder, utils},
};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, ExportSectionReader, FunctionBody,
    FunctionSectionReader, GlobalSectionReader, ImportSectionReader, Operator, Parser,
    TableSectionReader, TypeRef, TypeSectionReader,
};

use crate::module::{Module, not_understood, not_written, strange};
use crate::names;
use crate::process::Failure;

/// What the first file imports, of [`rest_name`]: has the rest loaded.
pub(crate) const LOAD: &str = "load";

/// The first file's exported global that is 1 once the rest is there.
pub(crate) const LOADED: &str = "rest";

/// Bytes of a function that isn't worth an entrance.
const SMALL: u64 = 48;

/// What the first file imports [`LOAD`] from.
pub(crate) fn rest_name(digest: &str) -> String {
    format!("rest-{digest}")
}

/// What the rest imports the exports of the first file from.
pub(crate) fn start_name(digest: &str) -> String {
    format!("start-{digest}")
}

/// The module in two.
#[derive(Debug)]
pub(crate) struct Halves {
    /// Is instantiated first, and has all exports.
    pub(crate) start: Vec<u8>,
    /// Is instantiated over the exports of the first.
    pub(crate) rest: Vec<u8>,
    /// Names the pair.
    pub(crate) digest: String,
}

/// Splits a module: the first half gets the functions for whose number `is_needed` is true, and those that can't be
/// moved.
pub(crate) fn split(wasm: &[u8], is_needed: impl Fn(u32) -> bool) -> Result<Halves, Failure> {
    let module = Module::read(wasm)?;
    let plan = Plan::of(&module, is_needed)?;
    let mut start = wasm_encoder::Module::new();
    Start { plan: &plan }
        .parse_core_module(&mut start, Parser::new(0), wasm)
        .map_err(not_written)?;
    Ok(Halves { start: start.finish(), rest: plan.rest()?, digest: plan.digest })
}

/// What goes where. Functions are numbered as in the whole module, unless said otherwise.
struct Plan<'a> {
    module: &'a Module<'a>,
    digest: String,
    /// Whether a function is in the rest.
    waits: Vec<bool>,
    /// Functions of the rest that the first half refers to, each with a slot.
    entered: Vec<u32>,
    /// Functions of the first half, its own imports included, that the rest refers to.
    used: Vec<u32>,
    /// The first slot in the table.
    first_slot: u32,
    /// Numbers in the first half; what isn't there has none.
    in_start: Vec<u32>,
    /// Numbers in the rest.
    in_rest: Vec<u32>,
    /// The tables, with the slots.
    tables: Vec<TableType>,
}

/// A number for what has none.
const NONE: u32 = u32::MAX;

impl<'a> Plan<'a> {
    fn of(module: &'a Module<'a>, is_needed: impl Fn(u32) -> bool) -> Result<Self, Failure> {
        let count = module.functions.len();
        let mut waits = vec![false; count];
        let mut calls: Vec<Vec<u32>> = vec![Vec::new(); count];
        for (function, body) in module.own() {
            let can_wait = !is_needed(function);
            let mut is_bound = false;
            for operator in body.get_operators_reader().map_err(not_understood)? {
                match operator.map_err(not_understood)? {
                    Operator::Call { function_index } => {
                        calls[function as usize].push(function_index);
                    }
                    // Data and elements stay with the first half, and what names them.
                    Operator::RefFunc { .. }
                    | Operator::ReturnCall { .. }
                    | Operator::MemoryInit { .. }
                    | Operator::DataDrop { .. }
                    | Operator::TableInit { .. }
                    | Operator::ElemDrop { .. } => is_bound = true,
                    _ => {}
                }
            }
            waits[function as usize] = can_wait && !is_bound;
        }
        keep_small_callees(module, &calls, &mut waits);

        let mut is_entered = vec![false; count];
        let mut is_used = vec![false; count];
        for (caller, callees) in calls.iter().enumerate() {
            for callee in callees {
                match (waits[caller], waits[*callee as usize]) {
                    (false, true) => is_entered[*callee as usize] = true,
                    (true, false) => is_used[*callee as usize] = true,
                    _ => {}
                }
            }
        }
        for function in module.referred()? {
            is_entered[function as usize] |= waits[function as usize];
        }
        let those = |which: &[bool]| -> Vec<u32> {
            (0..).zip(which).filter(|(_, is)| **is).map(|(function, _)| function).collect()
        };
        let (mut entered, used) = (those(&is_entered), those(&is_used));
        // Those alike side by side: they compress well.
        entered.sort_by_key(|function| module.functions[*function as usize]);

        // The one import more comes behind the others.
        let imported = module.imported;
        let own = (imported..).zip(&waits[imported as usize..]);
        let staying = own.filter(|(_, waits)| !**waits).map(|(function, _)| function);
        let order = (0..imported).chain([NONE]).chain(staying).chain(entered.iter().copied());
        let in_start = numbered(count, order);
        let own = (imported..).zip(&waits[imported as usize..]);
        let waiting = own.filter(|(_, waits)| **waits).map(|(function, _)| function);
        let in_rest = numbered(count, used.iter().copied().chain(waiting));

        let table = module.tables.first().ok_or_else(|| strange("it has no table"))?;
        let first_slot = u32::try_from(table.ty.initial).map_err(|_| strange("its table"))?;
        // The same module may be split in another way: those halves don't fit either.
        let waiting: Vec<u8> = waits.iter().map(|waits| u8::from(*waits)).collect();
        let digest = names::digest(&[module.bytes, &waiting].concat());
        let mut tables = Vec::new();
        for table in &module.tables {
            tables.push(RoundtripReencoder.table_type(table.ty).map_err(not_written)?);
        }
        let slots = entered.len() as u64;
        tables[0].minimum += slots;
        tables[0].maximum = tables[0].maximum.map(|maximum| maximum + slots);
        Ok(Self { module, digest, waits, entered, used, first_slot, in_start, in_rest, tables })
    }

    fn loader(&self) -> u32 {
        self.module.imported
    }

    fn loader_type(&self) -> u32 {
        self.module.parameters.len() as u32
    }

    fn loaded(&self) -> u32 {
        self.module.globals.len() as u32
    }

    /// The name that the first half exports the function by that is in this place of `used`.
    fn function_name(place: usize) -> String {
        format!(".{}", names::short(place))
    }

    /// The name that the first half exports a memory, table or global by for the rest.
    fn export_name(kind: char, number: u32) -> String {
        format!("{kind}{number}")
    }

    /// What the first half has instead of a function of the rest.
    fn entrance(&self, slot: u32, function: u32) -> Function {
        let of = self.module.functions[function as usize];
        let parameters = self.module.parameters[of as usize];
        let mut body = Function::new([]);
        body.instruction(&Instruction::GlobalGet(self.loaded()));
        body.instruction(&Instruction::I32Eqz);
        body.instruction(&Instruction::If(wasm_encoder::BlockType::Empty));
        body.instruction(&Instruction::Call(self.loader()));
        body.instruction(&Instruction::End);
        for parameter in 0..parameters {
            body.instruction(&Instruction::LocalGet(parameter));
        }
        body.instruction(&Instruction::I32Const((self.first_slot + slot).cast_signed()));
        body.instruction(&Instruction::CallIndirect { type_index: of, table_index: 0 });
        body.instruction(&Instruction::End);
        body
    }

    fn rest(&self) -> Result<Vec<u8>, Failure> {
        let module = self.module;
        let mut plain = RoundtripReencoder;
        let mut types = TypeSection::new();
        plain.parse_type_section(&mut types, module.types.clone()).map_err(not_written)?;

        let start = start_name(&self.digest);
        let mut imports = ImportSection::new();
        let foreign: Vec<_> =
            module.imports.iter().filter(|import| matches!(import.ty, TypeRef::Func(_))).collect();
        for (place, function) in self.used.iter().enumerate() {
            let of = EntityType::Function(module.functions[*function as usize]);
            match foreign.get(*function as usize) {
                Some(import) => imports.import(import.module, import.name, of),
                None => imports.import(&start, &Self::function_name(place), of),
            };
        }
        for (number, memory) in (0..).zip(&module.memories) {
            let of = plain.memory_type(*memory).map_err(not_written)?;
            imports.import(&start, &Self::export_name('m', number), of);
        }
        for (number, of) in (0..).zip(&self.tables) {
            imports.import(&start, &Self::export_name('t', number), *of);
        }
        for (number, global) in (0..).zip(&module.globals) {
            let of = plain.global_type(global.ty).map_err(not_written)?;
            imports.import(&start, &Self::export_name('g', number), of);
        }

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        let mut renumber = Renumber { numbers: &self.in_rest };
        for (function, body) in module.own() {
            if self.waits[function as usize] {
                functions.function(module.functions[function as usize]);
                renumber.parse_function_body(&mut code, body.clone()).map_err(not_written)?;
            }
        }
        let mut elements = ElementSection::new();
        let entered: Vec<u32> =
            self.entered.iter().map(|function| self.in_rest[*function as usize]).collect();
        elements.active(
            None,
            &ConstExpr::i32_const(self.first_slot.cast_signed()),
            Elements::Functions(Cow::Owned(entered)),
        );

        let mut out = wasm_encoder::Module::new();
        out.section(&types).section(&imports).section(&functions);
        out.section(&elements).section(&code);
        Ok(out.finish())
    }
}

/// Moves small functions to the first half that needed ones call: which of them are called depends on chance, and
/// an entrance instead would be nearly as long.
fn keep_small_callees(module: &Module<'_>, calls: &[Vec<u32>], waits: &mut [bool]) {
    let len = |body: &FunctionBody<'_>| body.range().end - body.range().start;
    let is_small: Vec<bool> = module.bodies.iter().map(|body| len(body) <= SMALL).collect();
    let of_body = |function: u32| function.checked_sub(module.imported).map(|at| at as usize);
    let mut kept: Vec<u32> = module.own().map(|(function, _)| function).collect();
    kept.retain(|function| !waits[*function as usize]);
    while let Some(function) = kept.pop() {
        for callee in &calls[function as usize] {
            let small = of_body(*callee).is_some_and(|at| is_small[at]);
            if small && std::mem::take(&mut waits[*callee as usize]) {
                kept.push(*callee);
            }
        }
    }
}

/// For each function its place in an order.
fn numbered(count: usize, order: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut numbers = vec![NONE; count];
    for (number, function) in (0..).zip(order) {
        if let Some(place) = numbers.get_mut(function as usize) {
            *place = number;
        }
    }
    numbers
}

/// Copies instructions with functions numbered anew.
struct Renumber<'a> {
    numbers: &'a [u32],
}

impl Reencode for Renumber<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(self.numbers[function as usize])
    }
}

/// Writes the first half.
struct Start<'a> {
    plan: &'a Plan<'a>,
}

impl Reencode for Start<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(self.plan.in_start[function as usize])
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([], []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_import_section(self, imports, section)?;
        let of = EntityType::Function(self.plan.loader_type());
        imports.import(&rest_name(&self.plan.digest), LOAD, of);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        _: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        let plan = self.plan;
        let own = plan.module.own().map(|(function, _)| function);
        let staying = own.filter(|function| !plan.waits[*function as usize]);
        for function in staying.chain(plan.entered.iter().copied()) {
            functions.function(plan.module.functions[function as usize]);
        }
        Ok(())
    }

    fn parse_table_section(
        &mut self,
        tables: &mut TableSection,
        _: TableSectionReader<'_>,
    ) -> Result<(), Error> {
        for of in &self.plan.tables {
            tables.table(*of);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_global_section(self, globals, section)?;
        let of = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(of, &ConstExpr::i32_const(0));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        let plan = self.plan;
        exports.export(LOADED, ExportKind::Global, plan.loaded());
        let used = plan.used.iter().enumerate();
        for (place, function) in used.filter(|(_, function)| **function >= plan.module.imported) {
            let name = Plan::function_name(place);
            exports.export(&name, ExportKind::Func, plan.in_start[*function as usize]);
        }
        let kinds = [
            ('m', ExportKind::Memory, plan.module.memories.len()),
            ('t', ExportKind::Table, plan.module.tables.len()),
            ('g', ExportKind::Global, plan.module.globals.len()),
        ];
        for (letter, kind, count) in kinds {
            for number in 0..count as u32 {
                exports.export(&Plan::export_name(letter, number), kind, number);
            }
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        _: CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        let plan = self.plan;
        for (function, body) in plan.module.own() {
            if !plan.waits[function as usize] {
                self.parse_function_body(code, body.clone())?;
            }
        }
        for (slot, function) in (0..).zip(&plan.entered) {
            code.function(&plan.entrance(slot, *function));
        }
        Ok(())
    }

    /// Functions have other numbers now than custom sections know them by.
    fn parse_custom_section(
        &mut self,
        _: &mut wasm_encoder::Module,
        _: CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{MemorySection, MemoryType, RefType};

    use super::*;

    /// Two imports, and functions 2 to 5: the exported 2 calls 3, which calls 4 and an import; 5 is only in the table.
    fn whole() -> Vec<u8> {
        with_callee_of(2 * SMALL)
    }

    fn with_callee_of(len: u64) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32, ValType::I64], [ValType::I32]);
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("glue", "a", EntityType::Function(1));
        imports.import("glue", "b", EntityType::Function(1));
        let mut functions = FunctionSection::new();
        for of in [0, 0, 1, 1] {
            functions.function(of);
        }
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 2,
            maximum: Some(2),
            shared: false,
        });
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut globals = GlobalSection::new();
        globals.global(
            GlobalType { val_type: ValType::I32, mutable: true, shared: false },
            &ConstExpr::i32_const(7),
        );
        let mut exports = ExportSection::new();
        exports.export("run", ExportKind::Func, 2);
        let mut elements = ElementSection::new();
        let slots = Elements::Functions(Cow::Owned(vec![5]));
        elements.active(None, &ConstExpr::i32_const(1), slots);
        let mut code = CodeSection::new();
        let calls: [&[u32]; 4] = [&[3], &[1, 4], &[], &[0]];
        for (number, calls) in (2..).zip(calls) {
            let mut body = Function::new([]);
            if number == 3 {
                for _ in 0..len {
                    body.instruction(&Instruction::Nop);
                }
            }
            for called in calls {
                if *called == 3 {
                    body.instruction(&Instruction::LocalGet(0));
                    body.instruction(&Instruction::LocalGet(1));
                    body.instruction(&Instruction::Call(3));
                    body.instruction(&Instruction::Drop);
                } else {
                    body.instruction(&Instruction::Call(*called));
                }
            }
            if number < 4 {
                body.instruction(&Instruction::GlobalGet(0));
            }
            body.instruction(&Instruction::End);
            code.function(&body);
        }
        let mut out = wasm_encoder::Module::new();
        out.section(&types).section(&imports).section(&functions).section(&tables);
        out.section(&memories).section(&globals).section(&exports).section(&elements);
        out.section(&code);
        out.finish()
    }

    fn imported(module: &Module<'_>) -> Vec<(String, String)> {
        let name = |import: &wasmparser::Import<'_>| (import.module.into(), import.name.into());
        module.imports.iter().map(name).collect()
    }

    #[test]
    fn both_halves_are_modules_that_fit() {
        let whole = whole();
        let halves = split(&whole, |function| function == 2).unwrap();
        wasmparser::validate(&halves.start).unwrap();
        wasmparser::validate(&halves.rest).unwrap();

        let start = Module::read(&halves.start).unwrap();
        // The needed function, and an entrance for the one it calls and for the one in the table.
        assert_eq!(start.bodies.len(), 3);
        assert!(imported(&start).contains(&(rest_name(&halves.digest), LOAD.into())));
        // A slot for each entrance.
        assert_eq!(start.tables[0].ty.initial, 4);

        let rest = Module::read(&halves.rest).unwrap();
        assert_eq!(rest.bodies.len(), 3);
        let exported: Vec<&str> = start.exports.iter().map(|export| export.name).collect();
        assert!(exported.contains(&"run") && exported.contains(&LOADED));
        for (from, name) in imported(&rest) {
            let is_there = from == "glue" || exported.contains(&name.as_str());
            assert!(
                is_there && (from == "glue" || from == start_name(&halves.digest)),
                "{from} {name}"
            );
        }
    }

    #[test]
    fn nothing_waits_if_everything_is_needed() {
        let halves = split(&whole(), |_| true).unwrap();
        wasmparser::validate(&halves.start).unwrap();
        assert!(Module::read(&halves.rest).is_ok_and(|rest| rest.bodies.is_empty()));
    }

    #[test]
    fn small_functions_come_with_their_caller() {
        let halves = split(&with_callee_of(1), |function| function == 2).unwrap();
        wasmparser::validate(&halves.start).unwrap();
        // The callee, and what that calls; only what is in the table waits.
        assert_eq!(Module::read(&halves.rest).unwrap().bodies.len(), 1);
    }

    #[test]
    fn another_way_to_split_has_another_name() {
        let of = |needed: u32| split(&whole(), |function| function == needed).unwrap().digest;
        assert_ne!(of(2), of(3));
        assert_eq!(of(2), of(2));
    }
}
