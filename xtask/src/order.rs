//! The order of the functions in the wasm: those that are alike stand side by side.
//!
//! A generic function is there once for each type it was compiled for, and Rust's linker scatters the
//! copies over the module. A compressor that looks back 32 KiB, as gzip does, never sees two of them at
//! once. The module itself stays as large as it was, and nothing runs differently.
//!
//! wasm-opt moves functions, and corrects what refers to them, but only knows an order by name; so each
//! function is named by its rank first.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;

use wasm_encoder::{
    NameMap, NameSection,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{CustomSectionReader, Parser};

use crate::module::{Module, not_written};
use crate::process::Failure;

/// How many bytes in a row must be the same for it to count.
const RUN: usize = 8;

/// Runs that so many functions share say nothing about two of them.
const COMMON: usize = 300;

/// How far back gzip looks.
const WINDOW: usize = 32 * 1024;

/// A large function has more in common with everything. This much less than its length is made of it,
/// for otherwise all small ones would come first; found by trying.
const LENGTH_WEIGHT: f64 = 0.7;

/// The module with a name section that gives each function its rank as its name.
pub(crate) fn named_by_rank(wasm: &[u8]) -> Result<Vec<u8>, Failure> {
    let module = Module::read(wasm)?;
    let bodies: Vec<&[u8]> = module.bodies.iter().map(|body| body.as_bytes()).collect();
    let mut ranked = NameMap::new();
    for ((function, _), rank) in module.own().zip(ranks(&bodies)) {
        ranked.append(function, &format!("{rank:08}"));
    }
    let mut names = NameSection::new();
    names.functions(&ranked);

    let mut named = wasm_encoder::Module::new();
    WithoutNames.parse_core_module(&mut named, Parser::new(0), wasm).map_err(not_written)?;
    named.section(&names);
    Ok(named.finish())
}

struct WithoutNames;

impl Reencode for WithoutNames {
    type Error = Infallible;

    fn parse_custom_section(
        &mut self,
        module: &mut wasm_encoder::Module,
        section: CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        if section.name() == "name" {
            return Ok(());
        }
        utils::parse_custom_section(self, module, section)
    }
}

/// The place of each function. Each follows the ones it has most in common with, of those not yet
/// placed; ties go by the old order, so the result is always the same.
fn ranks(bodies: &[&[u8]]) -> Vec<usize> {
    let (runs, users) = shared_runs(bodies);
    let weight = |body: &&[u8]| (body.len() as f64 + 16.0).powf(-LENGTH_WEIGHT);
    let weights: Vec<f64> = bodies.iter().map(weight).collect();
    // How many of a function's runs are in the window.
    let mut known = vec![0_u32; bodies.len()];
    let mut in_window = vec![0_u32; users.len()];
    let mut window = VecDeque::new();
    let mut window_len = 0;
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    let mut ranks = vec![0; bodies.len()];
    for rank in 0..bodies.len() {
        let (mut best, mut best_score) = (0, 0.0);
        for (at, function) in left.iter().enumerate() {
            let score = f64::from(known[*function]) * weights[*function];
            if score > best_score {
                (best, best_score) = (at, score);
            }
        }
        let function = left.remove(best);
        ranks[function] = rank;
        window.push_back(function);
        window_len += bodies[function].len();
        for run in &runs[function] {
            in_window[*run] += 1;
            if in_window[*run] == 1 {
                users[*run].iter().for_each(|user| known[*user] += 1);
            }
        }
        while window_len > WINDOW
            && let Some(old) = window.pop_front()
        {
            window_len -= bodies[old].len();
            for run in &runs[old] {
                in_window[*run] -= 1;
                if in_window[*run] == 0 {
                    users[*run].iter().for_each(|user| known[*user] -= 1);
                }
            }
        }
    }
    ranks
}

/// The runs of bytes that each function shares with some others, by number, and their users.
fn shared_runs(bodies: &[&[u8]]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let mut numbers: HashMap<&[u8], usize> = HashMap::new();
    let mut users: Vec<Vec<usize>> = Vec::new();
    for (function, body) in bodies.iter().enumerate() {
        for run in body.windows(RUN) {
            let number = *numbers.entry(run).or_insert(users.len());
            if number == users.len() {
                users.push(Vec::new());
            }
            if users[number].last() != Some(&function) {
                users[number].push(function);
            }
        }
    }
    users.retain(|users| (2..=COMMON).contains(&users.len()));
    let mut runs = vec![Vec::new(); bodies.len()];
    for (number, users) in users.iter().enumerate() {
        users.iter().for_each(|user| runs[*user].push(number));
    }
    (runs, users)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        CodeSection, EntityType, Function, FunctionSection, ImportSection, Instruction, TypeSection,
    };

    use super::*;

    #[test]
    fn functions_that_are_alike_stand_side_by_side() {
        let function = |seed: u8, end: u8| -> Vec<u8> {
            let mut body: Vec<u8> = (0..40).map(|i| seed.wrapping_mul(i) ^ seed).collect();
            body.push(end);
            body
        };
        let bodies =
            [function(7, 1), function(11, 1), function(13, 1), function(11, 2), function(7, 2)];
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        assert_eq!(ranks(&bodies), [0, 2, 4, 3, 1]);
    }

    #[test]
    fn each_function_has_one_place() {
        let bodies: Vec<Vec<u8>> = (0..50_u8).map(|i| vec![i / 5; usize::from(i) + 4]).collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let mut ranks = ranks(&bodies);
        ranks.sort_unstable();
        assert!(ranks.into_iter().eq(0..50));
    }

    #[test]
    fn functions_are_numbered_after_the_imported_ones_and_old_names_go() {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("m", "f", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        functions.function(0).function(0);
        let mut code = CodeSection::new();
        for _ in 0..2 {
            let mut body = Function::new([]);
            body.instruction(&Instruction::End);
            code.function(&body);
        }
        let mut old = NameMap::new();
        old.append(1, "old");
        let mut names = NameSection::new();
        names.functions(&old);
        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&types).section(&imports).section(&functions).section(&code);
        let unnamed = wasm.clone().finish();

        wasm.section(&names);
        let named = named_by_rank(&wasm.finish()).unwrap();
        let names = named.strip_prefix(unnamed.as_slice()).unwrap();
        // A name section with the names of two functions, by number.
        assert_eq!(names[..9], [0, 28, 4, b'n', b'a', b'm', b'e', 1, 21]);
        assert_eq!(names[9..12], [2, 1, 8]);
        assert_eq!(&names[12..], b"00000000\x02\x0800000001");
    }

    #[test]
    fn half_a_module_is_a_failure() {
        assert!(named_by_rank(&[0, b'a', b's', b'm', 1, 0, 0, 0, 10, 7, 2]).is_err());
        assert!(named_by_rank(b"").is_err());
    }
}
