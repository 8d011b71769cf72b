//! See `src/update.rs`.
#![no_main]

#[path = "../src/update.rs"]
mod update;

libfuzzer_sys::fuzz_target!(|data: &[u8]| update::run(data));
