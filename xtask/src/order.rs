//! The order of the functions in the wasm: those that are alike stand side by side.
//!
//! A generic function is there once for each type it was compiled for, and Rust's linker scatters the
//! copies over the module. A compressor that looks back 32 KiB, as gzip does, never sees two of them at
//! once. The module itself stays as large as it was, and nothing runs differently.
//!
//! wasm-opt moves functions, and corrects what refers to them, but only knows an order by name; so each
//! function is named by its rank first.

use std::collections::{HashMap, VecDeque};

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
    let broken = || {
        Failure::new("the wasm is not understood", "xtask/src/order.rs reads what wasm-opt writes.")
    };
    let module = Module::read(wasm).ok_or_else(broken)?;
    let ranks = ranks(&module.bodies);
    let mut names = Vec::new();
    write_uint(&mut names, ranks.len());
    for (index, rank) in ranks.iter().enumerate() {
        write_uint(&mut names, module.imported + index);
        let name = format!("{rank:08}");
        write_uint(&mut names, name.len());
        names.extend_from_slice(name.as_bytes());
    }
    let mut section = Vec::new();
    write_uint(&mut section, "name".len());
    section.extend_from_slice(b"name");
    section.push(FUNCTION_NAMES);
    write_uint(&mut section, names.len());
    section.append(&mut names);

    let mut named = module.without_names;
    named.push(CUSTOM);
    write_uint(&mut named, section.len());
    named.append(&mut section);
    Ok(named)
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

const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;
const CODE: u8 = 10;
/// The part of a name section that names functions.
const FUNCTION_NAMES: u8 = 1;

/// What has to be known of a module.
struct Module<'a> {
    imported: usize,
    bodies: Vec<&'a [u8]>,
    without_names: Vec<u8>,
}

impl<'a> Module<'a> {
    fn read(wasm: &'a [u8]) -> Option<Self> {
        let (head, rest) = wasm.split_at_checked(8)?;
        let mut module = Self { imported: 0, bodies: Vec::new(), without_names: head.to_vec() };
        let mut reader = Reader(rest);
        while let Some(id) = reader.byte() {
            let content = reader.bytes()?;
            let mut inside = Reader(content);
            match id {
                CUSTOM if inside.bytes()? == b"name" => continue,
                IMPORTS => module.imported = imported_functions(&mut inside)?,
                CODE => {
                    for _ in 0..inside.uint()? {
                        module.bodies.push(inside.bytes()?);
                    }
                }
                _ => {}
            }
            module.without_names.push(id);
            write_uint(&mut module.without_names, content.len());
            module.without_names.extend_from_slice(content);
        }
        Some(module)
    }
}

fn imported_functions(section: &mut Reader<'_>) -> Option<usize> {
    let mut functions = 0;
    for _ in 0..section.uint()? {
        section.bytes()?; // the module
        section.bytes()?; // the name
        match section.byte()? {
            0 => {
                section.uint()?;
                functions += 1;
            }
            // A table says first of what, a memory doesn't; both have limits.
            kind @ (1 | 2) => {
                if kind == 1 {
                    section.byte()?;
                }
                let has_maximum = section.byte()? & 1 == 1;
                section.uint()?;
                if has_maximum {
                    section.uint()?;
                }
            }
            // A global: its type and whether it changes.
            3 => {
                section.byte()?;
                section.byte()?;
            }
            _ => return None,
        }
    }
    Some(functions)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn uint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A length and as many bytes.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.uint()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn write_uint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
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
        #[rustfmt::skip]
        let wasm = [
            0, b'a', b's', b'm', 1, 0, 0, 0,
            // One imported function and an imported memory.
            2, 14, 2, 1, b'm', 1, b'f', 0, 0, 1, b'm', 1, b'g', 2, 0, 1,
            // Two functions.
            10, 7, 2, 2, 0, 11, 2, 0, 11,
            // A name section.
            0, 6, 4, b'n', b'a', b'm', b'e', 9,
        ];
        let named = named_by_rank(&wasm).unwrap();
        let names = named.strip_prefix(&wasm[..wasm.len() - 8]).unwrap();
        assert_eq!(names[..9], [0, 28, 4, b'n', b'a', b'm', b'e', FUNCTION_NAMES, 21]);
        assert_eq!(names[9..12], [2, 1, 8]);
        assert_eq!(&names[12..], b"00000000\x02\x0800000001");
    }

    #[test]
    fn half_a_module_is_a_failure() {
        assert!(named_by_rank(&[0, b'a', b's', b'm', 1, 0, 0, 0, 10, 7, 2]).is_err());
        assert!(named_by_rank(b"").is_err());
    }
}
