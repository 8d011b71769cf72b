//! `setup`: everything the other commands need. Each of them asks only for its own part.

pub(crate) mod apt;
pub(crate) mod browsers;
pub(crate) mod npm;
pub(crate) mod tools;

use crate::context::Context;
use crate::process::Failure;
use crate::progress::note;
use crate::setup::tools::Tool;
use crate::toolchain::WasmToolchain;

/// Sets up for every command.
pub(crate) fn everything(cx: &Context) -> Result<(), Failure> {
    npm::check_node(cx)?;
    browsers::chromium(cx)?;
    browsers::firefox(cx)?;
    WasmToolchain::ready(cx)?;
    for tool in Tool::ALL {
        tool.ready(cx)?;
    }
    for folder in npm::FOLDERS {
        npm::ready(cx, folder)?;
    }
    note("setup is complete");
    Ok(())
}
