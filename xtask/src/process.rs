//! Running other programs, and the one error of this tool.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a program with a time limit is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A step that failed: what, and what the person can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
}

impl Failure {
    /// `what` is a sentence about what went wrong, `remedy` one about what to do.
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }

    /// A file that could not be read or written.
    pub(crate) fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(
            format!("{action} {} failed: {error}", path.display()),
            "Look at the path's permissions and at the free disk space.",
        )
    }

    /// What went wrong, without the remedy.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FAILED: {}\n        {}", self.what, self.remedy)
    }
}

/// A program to run: arguments, surroundings, and the sentence for when it fails.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    remedy: String,
    quiet: bool,
}

impl Run {
    /// Runs `program`, found on the PATH or given as a path.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        // Cargo tells its children about the package being run; nested cargo calls must not see it.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        let remedy = "Its output above says why.".to_owned();
        Self { command, remedy, quiet: false }
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets several environment variables.
    pub(crate) fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Removes an environment variable.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the working directory.
    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Says what to do when this program fails.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Shows the program's output only when it fails.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs to the end; a non-zero exit is a failure.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        if self.quiet {
            let output = self.command.output().map_err(|e| self.not_started(&e))?;
            if output.status.success() {
                return Ok(());
            }
            eprint!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(self.failed(&output.status.to_string()));
        }
        let status = self.command.status().map_err(|e| self.not_started(&e))?;
        if status.success() { Ok(()) } else { Err(self.failed(&status.to_string())) }
    }

    /// Runs to the end and returns standard output; its errors go to the terminal.
    pub(crate) fn read(mut self) -> Result<String, Failure> {
        let output =
            self.command.stderr(Stdio::inherit()).output().map_err(|e| self.not_started(&e))?;
        if !output.status.success() {
            return Err(self.failed(&output.status.to_string()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs quietly and returns whatever came out; `None` when the program is not there.
    pub(crate) fn probe(mut self) -> Option<Output> {
        self.command.output().ok()
    }

    /// Runs quietly for at most `limit`; false when it failed, was missing or took longer.
    pub(crate) fn succeeds_within(mut self, limit: Duration) -> bool {
        let started = self.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = started else { return false };
        let deadline = Instant::now() + limit;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
                Ok(None) | Err(_) => {
                    // It may have ended just now; either way it is gone afterwards.
                    let _ = child.kill();
                    let _ = child.wait();
                    return false;
                }
            }
        }
    }

    /// Starts the program with its standard output in our hands.
    pub(crate) fn spawn_reading(mut self) -> Result<Child, Failure> {
        self.command.stdout(Stdio::piped()).spawn().map_err(|e| self.not_started(&e))
    }

    fn name(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let mut line: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        if let Some(name) = Path::new(&line[0]).file_name() {
            line[0] = name.to_string_lossy().into_owned();
        }
        line.join(" ")
    }

    fn failed(&self, status: &str) -> Failure {
        Failure::new(format!("`{}` ended with {status}", self.name()), self.remedy.clone())
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        let what = format!("`{}` could not be started: {error}", self.name());
        Failure::new(what, self.remedy.clone())
    }
}

/// The first of `names` that is an executable on `path` (a PATH variable).
pub(crate) fn find_program(names: &[&str], path: &OsStr) -> Option<std::path::PathBuf> {
    names.iter().find_map(|name| {
        std::env::split_paths(path).map(|dir| dir.join(name)).find(|candidate| candidate.is_file())
    })
}

/// Puts `dirs` in front of `path`.
pub(crate) fn prepend_path(dirs: &[&Path], path: &OsStr) -> OsString {
    let all = dirs.iter().map(|dir| dir.to_path_buf()).chain(std::env::split_paths(path));
    // A folder with a colon in its name can't be on a PATH; leave the variable as it was.
    std::env::join_paths(all).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_remedy() {
        let failure = Run::new("false").arg("x").remedy("Try another.").run().unwrap_err();
        assert!(failure.to_string().contains("`false x`"), "{failure}");
        assert!(failure.to_string().contains("Try another."), "{failure}");
    }

    #[test]
    fn a_missing_program_is_a_failure_not_a_panic() {
        let failure = Run::new("no-such-program-of-vivim").run().unwrap_err();
        assert!(failure.what().contains("could not be started"), "{failure}");
    }

    #[test]
    fn a_program_over_its_time_limit_is_stopped() {
        let started = Instant::now();
        assert!(!Run::new("sleep").arg("30").succeeds_within(Duration::from_millis(100)));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn folders_put_in_front_are_searched_first() {
        let path = prepend_path(&[Path::new("/first")], OsStr::new("/second"));
        assert_eq!(path, OsString::from("/first:/second"));
    }
}
