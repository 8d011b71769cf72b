//! The command line.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Parser};
use libp2p::Multiaddr;

use crate::config::{Config, ConfigError, LogFormat, MetricsAccess, Overrides, Port};

/// The server browsers need to find each other: relays, keeps rooms, answers STUN, serves the page.
///
/// Started without arguments it keeps its identity in your data folder, listens on all addresses,
/// and prints the addresses that clients dial.
#[derive(Debug, Parser)]
#[command(
    name = "vivim-relay",
    version,
    max_term_width = 100,
    after_help = "Everything can be set in a file too: `vivim-relay --print-config > relay.toml`, \
                  then\n`vivim-relay --config relay.toml`. See the README for wss, proxies and \
                  metrics.",
    after_long_help = AFTER_HELP
)]
pub struct Cli {
    /// Settings file (TOML). Flags win over it.
    #[arg(long, value_name = "FILE", env = "VIVIM_CONFIG")]
    config: Option<PathBuf>,

    /// Print all settings with their meaning, as a file for --config, and exit.
    #[arg(long)]
    print_config: bool,

    /// Folder in which the identity is kept, made if it isn't there [default: $STATE_DIRECTORY,
    /// else ~/.local/share/vivim-relay].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Folder of the page to serve over HTTP [default: a short page that says what this is].
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,

    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    logging: Logging,

    #[command(flatten)]
    limits: LimitFlags,
}

const AFTER_HELP: &str = "\
Examples:
  vivim-relay --page www/dist
      Try it: open http://localhost:8080.
  vivim-relay --announce /dns4/relay.example.org/tcp/443/tls/ws
      Behind a proxy that terminates TLS at relay.example.org and forwards to port 9000.
  vivim-relay --ws-port 443 --tls-certificate fullchain.pem --tls-key privkey.pem \\
              --announce /dns4/relay.example.org/tcp/443/tls/ws
      wss without a proxy.
  vivim-relay --host 127.0.0.1 --ws-port 0 --tcp-port 0 --http-port 0 --stun-port off
      For tests: any free ports, this machine only.

When everything listens, a line `ready {...}` with peer id, addresses and limits goes to standard
output. Logs go to standard error; --log or the variable VIVIM_LOG chooses what is logged.

Exit codes: 0 stopped by a signal, 1 couldn't start, 2 wrong settings.";

/// Where the relay listens and by what addresses it is known.
#[derive(Debug, Args)]
#[command(next_help_heading = "Addresses")]
struct Listen {
    /// Address of this machine to listen on; repeat for several [default: all, IPv4 and IPv6].
    #[arg(long, value_name = "IP")]
    host: Vec<IpAddr>,

    /// WebSocket, for browsers; 0 takes any free port, "off" none [default: 9000].
    #[arg(long, value_name = "PORT")]
    ws_port: Option<Port>,

    /// TCP, for native programs [default: 9001].
    #[arg(long, value_name = "PORT")]
    tcp_port: Option<Port>,

    /// HTTP: page, /healthz, /metrics, /.well-known/vivim [default: 8080].
    #[arg(long, value_name = "PORT")]
    http_port: Option<Port>,

    /// STUN over UDP [default: 3478].
    #[arg(long, value_name = "PORT")]
    stun_port: Option<Port>,

    /// Address by which clients reach this relay, if it isn't one it listens on; repeat for
    /// several, the preferred first.
    #[arg(long, value_name = "MULTIADDR")]
    announce: Vec<Multiaddr>,

    /// PEM file of the certificate chain: the WebSocket port then speaks wss.
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,

    /// PEM file of the certificate's key.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
}

/// What is told to the operator.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs and metrics")]
struct Logging {
    /// What is logged, such as warn or info,vivim_relay=debug [default: info].
    #[arg(long, value_name = "FILTER", env = "VIVIM_LOG")]
    log: Option<String>,

    /// How log lines look [default: human].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// Who may read /metrics [default: loopback].
    #[arg(long, value_name = "WHO")]
    metrics: Option<MetricsAccess>,
}

/// The limits one changes most; the file has them all.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (the settings file has them all)")]
struct LimitFlags {
    /// Connections in all.
    #[arg(long, value_name = "N")]
    max_connections: Option<u32>,

    /// Connections whose handshake is under way.
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_pending_connections: Option<u32>,

    /// Connections of one peer.
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_connections_per_peer: Option<u32>,

    /// Connections of one address (IPv6: /64).
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_connections_per_ip: Option<u32>,

    /// Peers that can be reached through this relay.
    #[arg(long, value_name = "N")]
    max_reservations: Option<u32>,

    /// How long a reservation holds before it is renewed.
    #[arg(long, value_name = "SECS", hide_short_help = true)]
    reservation_secs: Option<u32>,

    /// Relayed connections in all.
    #[arg(long, value_name = "N")]
    max_circuits: Option<u32>,

    /// Relayed connections of one peer.
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_circuits_per_peer: Option<u32>,

    /// How long a relayed connection may last.
    #[arg(long, value_name = "SECS", hide_short_help = true)]
    max_circuit_secs: Option<u32>,

    /// How much a relayed connection may carry; 0 for any amount.
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    max_circuit_bytes: Option<u64>,

    /// Records of the distributed hash table.
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_records: Option<u32>,
}

impl Cli {
    /// The settings this command line asks for, and whether only to print them.
    pub fn into_config(self) -> Result<(Config, bool), ConfigError> {
        let some = |list: Vec<_>| (!list.is_empty()).then_some(list);
        let mut flags = Overrides {
            data_dir: self.data_dir,
            host: (!self.listen.host.is_empty()).then_some(self.listen.host),
            ws_port: self.listen.ws_port,
            tcp_port: self.listen.tcp_port,
            http_port: self.listen.http_port,
            stun_port: self.listen.stun_port,
            announce: some(self.listen.announce),
            tls_certificate: self.listen.tls_certificate,
            tls_key: self.listen.tls_key,
            page: self.page,
            metrics: self.logging.metrics,
            log: self.logging.log,
            log_format: self.logging.log_format,
            ..Overrides::default()
        };
        let l = self.limits;
        flags.limits.connections = l.max_connections;
        flags.limits.pending_connections = l.max_pending_connections;
        flags.limits.connections_per_peer = l.max_connections_per_peer;
        flags.limits.connections_per_ip = l.max_connections_per_ip;
        flags.limits.reservations = l.max_reservations;
        flags.limits.reservation_secs = l.reservation_secs;
        flags.limits.circuits = l.max_circuits;
        flags.limits.circuits_per_peer = l.max_circuits_per_peer;
        flags.limits.circuit_secs = l.max_circuit_secs;
        flags.limits.circuit_bytes = l.max_circuit_bytes;
        flags.limits.records = l.max_records;
        Ok((Config::load(self.config.as_deref(), flags)?, self.print_config))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_limit_has_a_flag() {
        let arguments = "vivim-relay --data-dir d --max-connections 1 --max-pending-connections 2 \
            --max-connections-per-peer 3 --max-connections-per-ip 4 --max-reservations 5 \
            --reservation-secs 6 --max-circuits 7 --max-circuits-per-peer 8 --max-circuit-secs 9 \
            --max-circuit-bytes 10 --max-records 11";
        let cli = Cli::try_parse_from(arguments.split_whitespace()).unwrap();
        let limits = cli.into_config().unwrap().0.limits;
        assert_eq!(
            limits,
            crate::Limits {
                connections: 1,
                pending_connections: 2,
                connections_per_peer: 3,
                connections_per_ip: 4,
                reservations: 5,
                reservation_secs: 6,
                circuits: 7,
                circuits_per_peer: 8,
                circuit_secs: 9,
                circuit_bytes: 10,
                records: 11,
            }
        );
    }
}
