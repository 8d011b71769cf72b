//! See `src/summary.rs`.
#![no_main]

#[path = "../src/summary.rs"]
mod summary;

libfuzzer_sys::fuzz_target!(|data: &[u8]| summary::run(data));
