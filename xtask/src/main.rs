//! VIVIM's build commands: `cargo xtask <command>`.
//!
//! Two of them do everything on a fresh machine: `demo` and `test`. Every command first sets up
//! what it needs itself, says what it does, skips what is already done, and names what failed and
//! what to do about it.
//!
//! One module per subject. [`context`] knows the places, [`process`] runs programs, [`stamp`]
//! remembers what is done; the others are the commands.

mod bench;
mod build;
mod check;
mod context;
mod demo;
mod docs;
mod files;
mod fuzz;
mod glue;
mod module;
mod names;
mod order;
mod pack;
mod process;
mod profile;
mod progress;
mod rustc;
mod setup;
mod size;
mod split;
mod stamp;
mod test;
mod toolchain;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::context::Context;
use crate::process::Failure;

/// VIVIM's build commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install everything that any command needs: packages, wasm target, tools, npm folders.
    Setup,
    /// Build the wasm package, the relay (release) and the demo page.
    Build,
    /// Make the npm tarball: target/npm/vivim-wasm.tgz.
    Pack,
    /// Build everything, start the relay and print the URL of the demo page.
    Demo {
        /// Instead of waiting for people, write in two Chromium processes and leave pictures here.
        #[arg(long, value_name = "DIR")]
        screenshots: Option<PathBuf>,
    },
    /// Run the tests: all of them, or one part.
    Test {
        /// Only this part.
        #[arg(value_enum)]
        part: Option<test::Part>,
        /// Only tests whose name contains this (handed to the runner of the part).
        #[arg(long)]
        filter: Option<String>,
    },
    /// Throw made-up bytes at everything that takes bytes from peers or a store (not part of `test`,
    /// which replays what was found).
    Fuzz {
        /// Only this target.
        target: Option<String>,
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Formatting, lints for both targets, docs, dependency rules, size budget, supply chain.
    Check,
    /// Make the tables in docs/ from the sources again.
    Docs,
    /// Weigh the package and its peer: target/bench/size.json.
    Size,
    /// Measure against js-libp2p and Yjs' providers, or compare the last measurement with the goals.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Two Chromium processes, ours and the peers alternating: target/bench/network.json.
    Network {
        /// Runs of each contender; the medians count.
        #[arg(long, default_value_t = 5)]
        runs: u32,
    },
    /// Documents against Yjs with y-webrtc, y-indexeddb and y-websocket: target/bench/documents.json.
    Documents {
        /// Runs of each contender; the medians count.
        #[arg(long, default_value_t = 5)]
        runs: u32,
    },
    /// Print each ratio, its goal and whether it holds.
    Check,
}

fn main() -> ExitCode {
    if rustc::is_wanted() {
        return rustc::run();
    }
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let cx = Context::discover()?;
    match cli.command {
        Command::Setup => setup::everything(&cx),
        Command::Build => build::everything(&cx),
        Command::Pack => pack::tarball(&cx).map(|_| ()),
        Command::Demo { screenshots } => demo::run(&cx, screenshots.as_deref()),
        Command::Test { part, filter } => test::run(&cx, part, filter.as_deref()),
        Command::Check => check::run(&cx),
        Command::Fuzz { target, seconds } => fuzz::run(&cx, target.as_deref(), seconds),
        Command::Docs => docs::write(&cx),
        Command::Size => size::run(&cx).map(|_| ()),
        Command::Bench { what: Bench::Network { runs } } => bench::measure(&cx, "network", runs),
        Command::Bench { what: Bench::Documents { runs } } => {
            bench::measure(&cx, "documents", runs)
        }
        Command::Bench { what: Bench::Check } => bench::check(&cx),
    }
}
