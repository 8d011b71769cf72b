//! Writes settings as a commented file.

use std::fmt;

use super::{Config, Port};

/// A TOML string.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        toml::Value::String(self.0.to_string()).fmt(f)
    }
}

struct Toml(Port);

impl fmt::Display for Toml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Port::At(port) => port.fmt(f),
            Port::Off => f.write_str("\"off\""),
        }
    }
}

fn list<T: fmt::Display>(values: &[T]) -> String {
    let values: Vec<_> = values.iter().map(|v| Text(v).to_string()).collect();
    format!("[{}]", values.join(", "))
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A setting without a value is shown switched off, as a comment.
        let optional = |name: &str, value: Option<&std::path::PathBuf>, example: &str| match value {
            Some(path) => format!("{name} = {}", Text(path.display())),
            None => format!("# {name} = {}", Text(example)),
        };
        let l = &self.limits;
        write!(
            f,
            r#"# Settings of vivim-relay. Every setting is also a flag (--ws-port for ws_port,
# --max-circuits for limits.circuits); flags win.

# Where the identity (relay.key) is kept. Back it up: clients know the relay by it.
data_dir = {data_dir}

# Addresses of this machine to listen on.
host = {host}

# Ports; 0 takes any that is free, "off" switches one off.
# WebSocket, for browsers.
ws_port = {ws}
# TCP, for native programs.
tcp_port = {tcp}
# HTTP: the page, /healthz, /metrics, /.well-known/vivim.
http_port = {http}
# STUN (UDP): tells browsers their public address, so that they can connect directly.
stun_port = {stun}

# Addresses by which clients reach this relay, if they aren't the ones it listens on: behind NAT,
# a proxy or with a name, such as "/dns4/relay.example.org/tcp/443/tls/ws". The first is preferred.
announce = {announce}

# PEM files of the certificate chain and its key: ws_port then speaks wss. Read at start.
{certificate}
{key}

# Folder of the page that is served over HTTP.
{page}

# Who may read /metrics: "loopback" (this machine, and not through a proxy), "public", "off".
metrics = {metrics}

# What is logged, such as "info" or "warn,vivim_relay=debug". VIVIM_LOG wins over it.
log = {log}
# "human" or "json".
log_format = {log_format}

[limits]
# Connections in all, during their handshake, of one peer, and of one address (IPv6: /64; not
# applied to this machine itself).
connections = {connections}
pending_connections = {pending}
connections_per_peer = {per_peer}
connections_per_ip = {per_ip}
# Peers that can be reached through this relay, and seconds until they have to renew that.
reservations = {reservations}
reservation_secs = {reservation_secs}
# Relayed connections in all and of one peer; each may last so many seconds and carry so many
# bytes, both directions together.
circuits = {circuits}
circuits_per_peer = {circuits_per_peer}
circuit_secs = {circuit_secs}
circuit_bytes = {circuit_bytes}
# Records of the distributed hash table, kept in memory.
records = {records}
"#,
            data_dir = Text(self.data_dir.display()),
            host = list(&self.hosts),
            ws = Toml(self.ws_port),
            tcp = Toml(self.tcp_port),
            http = Toml(self.http_port),
            stun = Toml(self.stun_port),
            announce = list(&self.announce),
            certificate =
                optional("tls_certificate", self.tls_certificate.as_ref(), "fullchain.pem"),
            key = optional("tls_key", self.tls_key.as_ref(), "privkey.pem"),
            page = optional("page", self.page.as_ref(), "www/dist"),
            metrics = Text(self.metrics),
            log = Text(&self.log),
            log_format = Text(self.log_format),
            connections = l.connections,
            pending = l.pending_connections,
            per_peer = l.connections_per_peer,
            per_ip = l.connections_per_ip,
            reservations = l.reservations,
            reservation_secs = l.reservation_secs,
            circuits = l.circuits,
            circuits_per_peer = l.circuits_per_peer,
            circuit_secs = l.circuit_secs,
            circuit_bytes = l.circuit_bytes,
            records = l.records,
        )
    }
}
