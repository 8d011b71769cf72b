//! The compiler of the package, without features that cargo can't be told to leave out.
//!
//! A crate's default features are there as soon as one crate in the graph asks for them, and libp2p's do. Cargo runs
//! this program in place of the compiler (`RUSTC_WRAPPER`), and it runs the compiler without them.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::process::Failure;

/// Set in the environment when this program is run as the compiler.
const WRAPPED: &str = "VIVIM_RUSTC_WRAPPED";

/// Crates, and the feature that each is compiled without.
///
/// The tables of curve25519 are 38 KB that no compressor makes smaller. Without them a signature, a verification and a
/// new key multiply a point from the start; a connection has a few of these. The arithmetic is the crate's own, in
/// constant time where secrets are involved, either way.
const LEFT_OUT: [(&str, &str); 1] = [("curve25519_dalek", "precomputed-tables")];

/// What cargo has to be told to run the compiler through here.
pub(crate) fn environment() -> Result<[(&'static str, OsString); 2], Failure> {
    let this = env::current_exe().map_err(|e| {
        Failure::new(
            format!("xtask doesn't know where it is: {e}"),
            "Don't remove it while it runs.",
        )
    })?;
    Ok([("RUSTC_WRAPPER", this.into()), (WRAPPED, "1".into())])
}

/// Whether this program was run as the compiler.
pub(crate) fn is_wanted() -> bool {
    env::var_os(WRAPPED).is_some()
}

/// Runs the compiler that the arguments begin with.
pub(crate) fn run() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let compiler = args.next().unwrap_or_else(|| "rustc".into());
    let args = without_features(args.collect());
    match Command::new(compiler).args(args).status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1).into(),
        Err(error) => {
            eprintln!("The compiler can't be run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn without_features(mut args: Vec<OsString>) -> Vec<OsString> {
    let name = args.iter().position(|arg| arg == "--crate-name").and_then(|at| args.get(at + 1));
    let Some(name) = name.cloned() else { return args };
    for (_, feature) in LEFT_OUT.iter().filter(|(of, _)| name == *of) {
        let flag = format!("feature=\"{feature}\"");
        if let Some(at) = args.iter().position(|arg| *arg == *flag) {
            // With the `--cfg` before it.
            args.drain(at.saturating_sub(1)..=at);
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn only_the_named_feature_of_the_named_crate_is_left_out() {
        let line = |name: &str| {
            args(&format!(
                "--crate-name {name} --cfg feature=\"alloc\" --cfg feature=\"precomputed-tables\" -O"
            ))
        };
        let left = args("--crate-name curve25519_dalek --cfg feature=\"alloc\" -O");
        assert_eq!(without_features(line("curve25519_dalek")), left);
        assert_eq!(without_features(line("other")), line("other"));
        assert_eq!(without_features(args("-vV")), args("-vV"));
    }
}
