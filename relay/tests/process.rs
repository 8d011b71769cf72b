//! The program itself: what it prints, how it stops, what it says when it can't start.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::Value;

const LOCAL: &str = "--host 127.0.0.1 --ws-port 0 --tcp-port 0 --http-port 0 --stun-port 0";

fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vivim-relay"));
    command.arg("--data-dir").arg(folder).args(arguments.split_whitespace());
    command.env_remove("VIVIM_LOG").env_remove("VIVIM_CONFIG");
    command
}

/// A running relay that is killed when the test fails.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    ready: Value,
}

impl Running {
    fn start(folder: &Path, arguments: &str) -> Self {
        let mut child = command(folder, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(json) = line.strip_prefix("ready ") else {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("no ready line: {line:?}, {log}");
        };
        Self { ready: serde_json::from_str(json).unwrap(), child, out }
    }

    /// Sends a signal and returns the exit code and the log.
    fn stop(mut self, signal: rustix::process::Signal) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
        let code = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line on standard output and no more");
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (code, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &Path, arguments: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(folder, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn it_says_where_it_is_and_stops_cleanly_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let relay = Running::start(folder.path(), LOCAL);
        let peer = relay.ready["peerId"].as_str().unwrap().to_owned();
        for addr in relay.ready["multiaddrs"].as_array().unwrap() {
            let addr = addr.as_str().unwrap();
            assert!(addr.starts_with("/ip4/127.0.0.1/tcp/") && addr.ends_with(&peer), "{addr}");
        }
        let http =
            relay.ready["http"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        assert!(std::net::TcpStream::connect(&http).is_ok());
        let (code, log) = relay.stop(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopped") && log.contains("limits: 5000 connections"), "{log}");
        assert!(std::net::TcpStream::connect(&http).is_err());
    }
}

#[test]
fn a_restarted_relay_has_the_same_peer_id_and_can_have_the_same_ports() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(folder.path(), LOCAL);
    let addrs = first.ready["multiaddrs"].clone();
    let http = first.ready["http"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let tcp = |n: usize| addrs[n].as_str().unwrap().split('/').nth(4).unwrap().to_owned();
    // A connection that is open when the relay is killed must not block its ports.
    let _held = std::net::TcpStream::connect(format!("127.0.0.1:{http}")).unwrap();
    first.stop(rustix::process::Signal::KILL);
    let same = format!(
        "--host 127.0.0.1 --ws-port {} --tcp-port {} --http-port {http} --stun-port off",
        tcp(0),
        tcp(1)
    );
    let second = Running::start(folder.path(), &same);
    assert_eq!(second.ready["multiaddrs"], addrs);
    let mode = fs::metadata(folder.path().join("relay.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    second.stop(rustix::process::Signal::TERM);
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for (flag, port) in [
        ("--ws-port", port),
        ("--tcp-port", port),
        ("--http-port", port),
        ("--stun-port", udp.local_addr().unwrap().port()),
    ] {
        let arguments = LOCAL.replace(&format!("{flag} 0"), &format!("{flag} {port}"));
        let (code, out, error) = run(folder.path(), &arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
        let last = error.lines().last().unwrap();
        assert!(
            last.contains(&port.to_string()) && last.contains("in use") && last.contains(flag),
            "{error}"
        );
    }
}

#[test]
fn two_relays_do_not_share_a_port() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Running::start(one.path(), LOCAL);
    for (n, flag) in [(0, "--ws-port"), (1, "--tcp-port")] {
        let port = first.ready["multiaddrs"][n].as_str().unwrap().split('/').nth(4).unwrap();
        let arguments = LOCAL.replace(&format!("{flag} 0"), &format!("{flag} {port}"));
        let (code, _, error) = run(other.path(), &arguments);
        assert!(code == Some(1) && error.contains("in use"), "{error}");
    }
}

#[test]
fn wrong_settings_are_named_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    fs::write(&file, "ws_port = 9000\n\n[limits]\ncircuit = 3\n").unwrap();
    let arguments = format!("--config {}", file.display());
    let (code, _, error) = run(folder.path(), &arguments);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("line 4") && error.contains("circuit"), "{error}");
    for arguments in [
        "--ws-port 70000",
        "--announce nonsense",
        "--announce /ip4/0.0.0.0/tcp/1",
        "--tls-key key.pem",
        "--config /nowhere/relay.toml",
        "--nonsense",
        "--log [",
    ] {
        let (code, out, error) = run(folder.path(), &format!("{LOCAL} {arguments}"));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}: {error}");
        assert!(!error.is_empty() && !error.contains("panicked"), "{error}");
    }
}

#[test]
fn what_can_not_be_used_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("relay.key"), "rubbish").unwrap();
    fs::set_permissions(data.join("relay.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let (code, _, error) = run(&data, LOCAL);
    assert!(code == Some(1) && error.contains("relay.key") && error.contains("restore"), "{error}");

    fs::set_permissions(data.join("relay.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let (code, _, error) = run(&data, LOCAL);
    assert!(code == Some(1) && error.contains("chmod 600"), "{error}");

    let good = folder.path().join("good");
    let (code, _, error) = run(&good, &format!("{LOCAL} --page /nowhere"));
    assert!(code == Some(1) && error.contains("/nowhere"), "{error}");
    let (code, _, error) = run(&good, &LOCAL.replace("127.0.0.1", "192.0.2.77"));
    assert!(code == Some(1) && error.contains("--host"), "{error}");
    let tls = "--tls-certificate /nowhere/c.pem --tls-key /nowhere/k.pem";
    let (code, _, error) = run(&good, &format!("{LOCAL} {tls}"));
    assert!(code == Some(1) && error.contains("/nowhere/c.pem"), "{error}");
}

#[test]
fn the_printed_settings_are_a_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let (code, printed, error) =
        run(folder.path(), &format!("{LOCAL} --max-circuits 7 --print-config"));
    assert_eq!(code, Some(0), "{error}");
    assert!(printed.contains("circuits = 7"));
    let file = folder.path().join("relay.toml");
    fs::write(&file, &printed).unwrap();
    let arguments = format!("--config {} --print-config", file.display());
    assert_eq!(run(folder.path(), &arguments).1, printed);
    // Printing makes no identity.
    assert!(!folder.path().join("relay.key").exists());
}

#[test]
fn logs_can_be_json_and_hold_no_rooms() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Running::start(folder.path(), &format!("{LOCAL} --log-format json"));
    let (code, log) = relay.stop(rustix::process::Signal::TERM);
    assert_eq!(code, Some(0));
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
    }
}
