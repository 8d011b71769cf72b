//! The supply chain: `deny.toml`, by cargo-deny.

use std::time::Duration;

use super::Verdict;
use crate::context::Context;
use crate::process::{Failure, Run};
use crate::setup::tools::Tool;

/// The advisory database is a git repository of some megabytes.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// Licences, refused versions and sources; needs no network.
pub(super) fn policy(cx: &Context) -> Result<Verdict, Failure> {
    cargo_deny(cx)?
        .args(["--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        .remedy("deny.toml says why a version or a licence is refused.")
        .run()?;
    Ok(Verdict::Passed)
}

/// Known vulnerabilities, where their database can be had.
pub(super) fn advisories(cx: &Context) -> Result<Verdict, Failure> {
    if !cargo_deny(cx)?.args(["fetch", "db"]).succeeds_within(FETCH_LIMIT) {
        let why = "the advisory database can't be fetched here; deny.toml refuses what we know of";
        return Ok(Verdict::Skipped(why.into()));
    }
    cargo_deny(cx)?
        .args(["--locked", "check", "--disable-fetch", "--hide-inclusion-graph", "advisories"])
        .remedy("Update the crate, or list the advisory in deny.toml with the reason.")
        .run()?;
    Ok(Verdict::Passed)
}

fn cargo_deny(cx: &Context) -> Result<Run, Failure> {
    let program = Tool::CargoDeny.ready(cx)?;
    Ok(Run::new(program).dir(cx.path("")).env("PATH", cx.tool_path()))
}
