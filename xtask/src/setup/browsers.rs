//! The browsers of the tests and their drivers, found where they are or installed.

use std::path::PathBuf;

use crate::context::Context;
use crate::process::{Failure, find_program};
use crate::progress::skipped;
use crate::setup::apt;
use crate::setup::tools::Tool;

/// A browser and the program that drives it.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) program: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Chromium and ChromeDriver.
pub(crate) fn chromium(cx: &Context) -> Result<Browser, Failure> {
    let find = || {
        let program =
            find("VIVIM_CHROMIUM", &["chromium", "chromium-browser", "google-chrome", "chrome"])?;
        Some(Browser { program, driver: find("CHROMEDRIVER", &["chromedriver"])? })
    };
    found_or_installed(cx, "Chromium", find, &["chromium", "chromium-driver"])
}

/// Firefox and geckodriver.
pub(crate) fn firefox(cx: &Context) -> Result<Browser, Failure> {
    let driver = Tool::Geckodriver.ready(cx)?;
    let find = || {
        let program = find("VIVIM_FIREFOX", &["firefox-esr", "firefox"])?;
        Some(Browser { program, driver: driver.clone() })
    };
    found_or_installed(cx, "Firefox", find, &["firefox-esr"])
}

fn found_or_installed(
    cx: &Context,
    name: &str,
    find: impl Fn() -> Option<Browser>,
    packages: &[&str],
) -> Result<Browser, Failure> {
    if let Some(browser) = find() {
        skipped(name, format!("found {}", browser.program.display()));
        return Ok(browser);
    }
    apt::install(cx, name, packages)?;
    find().ok_or_else(|| {
        let what = format!("{name} was installed but is not on the PATH");
        Failure::new(what, "Set VIVIM_CHROMIUM, CHROMEDRIVER or VIVIM_FIREFOX to its path.")
    })
}

fn find(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    find_program(names, &std::env::var_os("PATH").unwrap_or_default())
}
