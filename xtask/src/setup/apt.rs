//! Debian packages.

use crate::context::Context;
use crate::process::{Failure, Run, find_program};
use crate::progress::{skipped, step};

/// Installs the packages that are missing; `purpose` says what for.
pub(crate) fn install(cx: &Context, purpose: &str, packages: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        skipped(purpose, format!("installed ({})", packages.join(", ")));
        return Ok(());
    }
    let _lock = cx.lock("apt")?;
    let list = missing.join(" ");
    let remedy = format!("Install by hand what stands for these Debian packages: {list}");
    let path = std::env::var_os("PATH").unwrap_or_default();
    if find_program(&["apt-get"], &path).is_none() {
        return Err(Failure::new(format!("{purpose} is missing and there is no apt-get"), remedy));
    }
    let step = step(format!("{purpose}: apt-get install {list}"));
    if install_now(&missing, &remedy).is_err() {
        // The usual reason is a package list that was never fetched or is old.
        apt_get(&remedy)?.arg("update").quiet().run()?;
        install_now(&missing, &remedy)?;
    }
    step.done();
    Ok(())
}

fn install_now(packages: &[&str], remedy: &str) -> Result<(), Failure> {
    // `--no-remove`: a compiler that the person installed is not ours to replace.
    apt_get(remedy)?
        .args(["install", "--yes", "--no-install-recommends", "--no-remove"])
        .args(packages)
        .quiet()
        .run()
}

/// apt-get with the right to install: as root, else through sudo.
fn apt_get(remedy: &str) -> Result<Run, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let run = if is_root() {
        Run::new("apt-get")
    } else if find_program(&["sudo"], &path).is_some() {
        Run::new("sudo").args(["--non-interactive", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
    } else {
        let what = "Packages are missing, and this is neither root nor is there sudo";
        return Err(Failure::new(what, remedy));
    };
    Ok(run.env("DEBIAN_FRONTEND", "noninteractive").remedy(remedy))
}

fn is_root() -> bool {
    Run::new("id").arg("-u").probe().is_some_and(|output| output.stdout.trim_ascii() == b"0")
}

fn is_installed(package: &str) -> bool {
    let query =
        Run::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]);
    query.probe().is_some_and(|output| output.stdout == b"installed")
}
