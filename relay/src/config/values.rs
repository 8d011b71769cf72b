//! Kinds of values that a setting can have.

use std::{fmt, str::FromStr};

use libp2p::{Multiaddr, multiaddr::Protocol};
use serde::{Deserialize, Deserializer, de};

/// A port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This port; 0 takes any that is free.
    At(u16),
    /// Don't listen at all.
    Off,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(port) => port.fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

/// A port is a number, or `off`.
#[derive(Debug, thiserror::Error)]
#[error("a port is a number from 0 (any free one) to 65535, or off")]
pub struct NotAPort;

impl FromStr for Port {
    type Err = NotAPort;

    fn from_str(text: &str) -> Result<Self, NotAPort> {
        match text {
            "off" => Ok(Self::Off),
            number => number.parse().map(Self::At).map_err(|_| NotAPort),
        }
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Port;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 0 to 65535, or \"off\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Port, E> {
                u16::try_from(number).map(Port::At).map_err(|_| E::custom(NotAPort))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Port, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum MetricsAccess {
    /// Programs on this machine, when no proxy forwards the request.
    Loopback,
    /// Nobody.
    Off,
    /// Everybody who reaches the HTTP port.
    Public,
}

impl fmt::Display for MetricsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Off => "off",
            Self::Public => "public",
        })
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line each.
    Human,
    /// One JSON object each.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// What is wrong with an address as one to announce.
pub(super) fn check_announce(addr: &Multiaddr) -> Result<(), &'static str> {
    let mut parts = addr.iter();
    match parts.next() {
        Some(Protocol::Ip4(ip)) if ip.is_unspecified() => return Err("0.0.0.0 leads nowhere"),
        Some(Protocol::Ip6(ip)) if ip.is_unspecified() => return Err(":: leads nowhere"),
        Some(
            Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_)
            | Protocol::Dnsaddr(_),
        ) => {}
        _ => return Err("it must begin with a host, such as /dns4/relay.example.org"),
    }
    if addr.iter().any(|part| matches!(part, Protocol::P2pCircuit)) {
        return Err("a relay isn't reached through another relay");
    }
    if addr.iter().any(|part| matches!(part, Protocol::Tcp(0))) {
        return Err("port 0 leads nowhere");
    }
    Ok(())
}
