//! `demo`: from a fresh clone to a URL that two people can open.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::build::{self, Relay};
use crate::context::Context;
use crate::process::{Failure, Run};
use crate::progress::{note, step};
use crate::setup::{browsers, npm};
use crate::test;

/// The relay announces itself in milliseconds; a slow disk gets a little more.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a relay may take to say goodbye to its clients.
const STOP_LIMIT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Builds everything, starts the relay, and waits for people or takes pictures.
pub(crate) fn run(cx: &Context, screenshots: Option<&Path>) -> Result<(), Failure> {
    match screenshots {
        Some(dir) => take_screenshots(cx, dir),
        None => serve(cx),
    }
}

fn serve(cx: &Context) -> Result<(), Failure> {
    npm::check_node(cx)?;
    let page = build::page(cx)?;
    let program = build::relay(cx, Relay::Release)?;
    let step = step("relay");
    let relay = Running::start(cx, &program, &page, &[])?;
    step.done();
    eprintln!("\n  Open {} in two browsers, or send the room link to somebody.", relay.url());
    eprintln!("  The relay's log follows; stop it with Ctrl-C.\n");
    relay.wait()
}

fn take_screenshots(cx: &Context, dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|e| Failure::file("Making", dir, &e))?;
    let dir = dir.canonicalize().map_err(|e| Failure::file("Opening", dir, &e))?;
    browsers::chromium(cx)?;
    let env = test::suite_env(cx, Relay::Release)?;
    let program = cx.target("release/vivim-relay");
    // Any free ports: somebody's demo may be running on the usual ones.
    let ports = ["--ws-port", "0", "--tcp-port", "0", "--http-port", "0", "--stun-port", "0"];
    let mut options: Vec<OsString> = vec!["--host".into(), "127.0.0.1".into()];
    options.extend(ports.map(OsString::from));
    let relay = Running::start(cx, &program, &cx.path("www/dist"), &options)?;
    let step = step(format!("pictures of two Chromium processes on {}", relay.url()));
    cx.node()
        .arg(cx.path("tests/screenshots.mjs"))
        .arg(relay.url())
        .arg(&dir)
        .envs(env)
        .remedy("The output above says how far the two browsers came.")
        .run()?;
    step.done();
    note(format!("pictures are in {}", dir.display()));
    Ok(())
}

/// A running relay; it is stopped when this is dropped or when xtask is told to stop.
#[derive(Debug)]
struct Running {
    child: Arc<Mutex<Child>>,
    stopping: Arc<AtomicBool>,
    url: String,
}

impl Running {
    fn start(
        cx: &Context,
        program: &PathBuf,
        page: &Path,
        options: &[OsString],
    ) -> Result<Self, Failure> {
        let mut child = Run::new(program)
            .dir(cx.path(""))
            .arg("--data-dir")
            .arg(cx.target("demo/relay"))
            .arg("--page")
            .arg(page)
            .args(options)
            .remedy("Look at the relay's log above.")
            .spawn_reading()?;
        let output = child.stdout.take();
        let child = Arc::new(Mutex::new(child));
        let stopping = Arc::new(AtomicBool::new(false));
        stop_with_us(&child, &stopping)?;
        let mut running = Self { child, stopping, url: String::new() };
        let (found, url) = std::sync::mpsc::sync_channel(1);
        // The relay must always find a reader, or it would stop when the pipe is full.
        thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()) {
                let Ok(line) = line else { return };
                match page_url(&line) {
                    Some(url) => drop(found.try_send(url)),
                    None => println!("{line}"),
                }
            }
        });
        running.url = url.recv_timeout(START_LIMIT).map_err(|_| {
            let what = "The relay didn't say that it is ready";
            Failure::new(what, "Its log above says why; another one may be using its ports.")
        })?;
        Ok(running)
    }

    fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the relay ends by itself or because it was told to.
    fn wait(&self) -> Result<(), Failure> {
        loop {
            let ended = lock(&self.child).try_wait();
            match ended {
                Ok(None) => thread::sleep(POLL_INTERVAL),
                Ok(Some(status)) if status.success() || self.stopping.load(Ordering::SeqCst) => {
                    return Ok(());
                }
                Ok(Some(status)) => {
                    let what = format!("The relay ended with {status}");
                    return Err(Failure::new(what, "Its log above says why."));
                }
                Err(error) => {
                    let what = format!("The relay can't be watched any more: {error}");
                    return Err(Failure::new(what, "Start the demo again."));
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        stop(&mut lock(&self.child));
    }
}

/// On Ctrl-C or a request to end, the relay goes first; `wait` then returns.
fn stop_with_us(child: &Arc<Mutex<Child>>, stopping: &Arc<AtomicBool>) -> Result<(), Failure> {
    let (child, stopping) = (Arc::clone(child), Arc::clone(stopping));
    let handler = move || {
        stopping.store(true, Ordering::SeqCst);
        stop(&mut lock(&child));
    };
    ctrlc::set_handler(handler).map_err(|error| {
        Failure::new(format!("Ctrl-C can't be handled: {error}"), "Start the demo again.")
    })
}

/// Asks the process to end, and insists after a while.
fn stop(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    // std can only kill; the relay's clean shutdown needs the polite signal.
    let _ = Run::new("kill").arg("-TERM").arg(child.id().to_string()).quiet().run();
    let deadline = Instant::now() + STOP_LIMIT;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(POLL_INTERVAL);
    }
    // It had its time; if it ended meanwhile, killing it does nothing.
    let _ = child.kill();
    let _ = child.wait();
}

fn lock(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    // A panic elsewhere leaves the process handle as good as before.
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The page's address in the relay's line `ready {json}`.
fn page_url(line: &str) -> Option<String> {
    let ready: Value = serde_json::from_str(line.strip_prefix("ready ")?).ok()?;
    let address = ready["http"].as_str()?;
    let url =
        if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    // An address to listen on is not one to go to.
    Some(url.replace("://0.0.0.0:", "://localhost:").replace("://[::]:", "://localhost:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_taken_from_the_ready_line() {
        let url = |line| page_url(line);
        let line = r#"ready {"http": "http://127.0.0.1:8080", "peerId": "12D3"}"#;
        assert_eq!(url(line).as_deref(), Some("http://127.0.0.1:8080"));
        let line = r#"ready {"http": "0.0.0.0:8080"}"#;
        assert_eq!(url(line).as_deref(), Some("http://localhost:8080"));
        assert_eq!(url("INFO listening"), None);
    }
}
