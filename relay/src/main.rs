//! Starts a relay with the settings of the command line and stops it when asked to.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vivim_relay::{Config, LogFormat, Relay, cli::Cli};

/// Wrong settings.
const EXIT_SETTINGS: u8 = 2;

fn main() -> ExitCode {
    let (config, print) = match Cli::parse().into_config() {
        Ok(parsed) => parsed,
        Err(error) => return fail(&error, EXIT_SETTINGS),
    };
    if print {
        print!("{config}");
        return ExitCode::SUCCESS;
    }
    if let Err(error) = init_log(&config) {
        return fail(&error, EXIT_SETTINGS);
    }
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    runtime.block_on(run(config))
}

async fn run(config: Config) -> ExitCode {
    // Before the ports open, so that no signal is missed once the ready line is out.
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => return fail(&error, 1),
        };
    let relay = match Relay::start(config).await {
        Ok(relay) => relay,
        Err(error @ vivim_relay::StartError::Config(_)) => return fail(&error, EXIT_SETTINGS),
        Err(error) => return fail(&error, 1),
    };
    announce(&relay);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    tokio::select! {
        () = relay.stop() => tracing::info!("stopped"),
        // Whoever asks twice means it.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    ExitCode::SUCCESS
}

fn announce(relay: &Relay) {
    let ready = relay.ready();
    tracing::info!(peer = %relay.peer_id(), "relay {}", ready.version);
    for addr in &ready.multiaddrs {
        tracing::info!("clients dial {addr}");
    }
    let l = &ready.limits;
    tracing::info!(
        "limits: {} connections, {} reservations of {} s, {} circuits ({} of one peer) of {} s and \
         {} bytes, {} rooms of one peer",
        l.max_connections,
        l.max_reservations,
        l.reservation_secs,
        l.max_circuits,
        l.max_circuits_per_peer,
        l.max_circuit_secs,
        l.max_circuit_bytes,
        l.max_rooms
    );
    if let Some(http) = &ready.http {
        tracing::info!("page at {http}");
    }
    match serde_json::to_string(ready) {
        // Whoever started the relay may have closed the pipe; that's no reason to stop.
        Ok(json) => {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "ready {json}").and_then(|()| out.flush());
        }
        Err(error) => tracing::error!(%error, "the ready line can't be written"),
    }
}

fn init_log(config: &Config) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(config.log_filter())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format() {
        LogFormat::Human => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// Each connection is an open file, and many systems allow 1024 unless asked.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) =
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the number of open files stays limited to {:?}", limit.current);
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    // The log may not exist yet, and an operator looks at the last line.
    eprintln!("vivim-relay: {error}");
    ExitCode::from(code)
}
