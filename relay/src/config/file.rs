//! Settings as a file or the command line gives them: some of them.

use std::{fmt, net::IpAddr, path::PathBuf};

use libp2p::Multiaddr;
use serde::{Deserialize, Deserializer, de};

use super::{Config, Limits, LogFormat, MetricsAccess, Port};

/// Settings that are given; `None` leaves the default. A settings file has these names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// See [`Config`], also for the fields below.
    pub data_dir: Option<PathBuf>,
    /// Addresses to listen on.
    #[serde(default, deserialize_with = "hosts")]
    pub host: Option<Vec<IpAddr>>,
    /// WebSocket.
    pub ws_port: Option<Port>,
    /// TCP.
    pub tcp_port: Option<Port>,
    /// HTTP.
    pub http_port: Option<Port>,
    /// STUN.
    pub stun_port: Option<Port>,
    /// Addresses by which clients reach this relay.
    #[serde(default, deserialize_with = "announce")]
    pub announce: Option<Vec<Multiaddr>>,
    /// PEM file of the certificate chain.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key: Option<PathBuf>,
    /// Folder of the page.
    pub page: Option<PathBuf>,
    /// Who may read the metrics.
    pub metrics: Option<MetricsAccess>,
    /// Log filter.
    pub log: Option<String>,
    /// Log format.
    pub log_format: Option<LogFormat>,
    /// Limits.
    #[serde(default)]
    pub limits: LimitOverrides,
}

/// Declares the overridable form of [`Limits`]: the same names, each optional.
macro_rules! limit_overrides {
    ($($name:ident: $kind:ty),* $(,)?) => {
        /// The limits that are given; names and meaning as in [`Limits`].
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitOverrides {
            $(#[doc = concat!("See [`Limits::", stringify!($name), "`].")]
            pub $name: Option<$kind>,)*
        }

        impl LimitOverrides {
            fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name)),* }
            }

            fn apply(self, limits: &mut Limits) {
                $(if let Some(value) = self.$name { limits.$name = value; })*
            }
        }
    };
}

limit_overrides! {
    connections: u32,
    pending_connections: u32,
    connections_per_peer: u32,
    connections_per_ip: u32,
    reservations: u32,
    reservation_secs: u32,
    circuits: u32,
    circuits_per_peer: u32,
    circuit_secs: u32,
    circuit_bytes: u64,
    records: u32,
}

impl Overrides {
    pub(super) fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// These settings, and where they say nothing those of `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            host: self.host.or(other.host),
            ws_port: self.ws_port.or(other.ws_port),
            tcp_port: self.tcp_port.or(other.tcp_port),
            http_port: self.http_port.or(other.http_port),
            stun_port: self.stun_port.or(other.stun_port),
            announce: self.announce.or(other.announce),
            tls_certificate: self.tls_certificate.or(other.tls_certificate),
            tls_key: self.tls_key.or(other.tls_key),
            page: self.page.or(other.page),
            metrics: self.metrics.or(other.metrics),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            limits: self.limits.or(other.limits),
        }
    }

    pub(super) fn apply(self, config: &mut Config) {
        fn set<T>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        set(&mut config.data_dir, self.data_dir);
        if let Some(hosts) = self.host {
            config.hosts = hosts;
            config.hosts_are_default = false;
        }
        set(&mut config.ws_port, self.ws_port);
        set(&mut config.tcp_port, self.tcp_port);
        set(&mut config.http_port, self.http_port);
        set(&mut config.stun_port, self.stun_port);
        set(&mut config.announce, self.announce);
        set(&mut config.tls_certificate, self.tls_certificate.map(Some));
        set(&mut config.tls_key, self.tls_key.map(Some));
        set(&mut config.page, self.page.map(Some));
        set(&mut config.metrics, self.metrics);
        set(&mut config.log, self.log);
        set(&mut config.log_format, self.log_format);
        self.limits.apply(&mut config.limits);
    }
}

/// Where the identity is kept when nothing is said: the folder a service manager made, else the
/// user's folder for data.
pub(super) fn default_data_dir() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    folder("STATE_DIRECTORY")
        .or_else(|| folder("XDG_DATA_HOME").map(|f| f.join("vivim-relay")))
        .or_else(|| folder("HOME").map(|f| f.join(".local/share/vivim-relay")))
}

/// One value, or a list of them.
fn one_or_many<'de, D, T>(from: D, kind: &'static str) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: fmt::Display>,
{
    struct Visitor<T>(&'static str, std::marker::PhantomData<T>);

    impl<T: std::str::FromStr<Err: fmt::Display>> Visitor<T> {
        fn parse<E: de::Error>(&self, text: &str) -> Result<T, E> {
            text.parse().map_err(|e| E::custom(format!("{text:?} isn't {}: {e}", self.0)))
        }
    }

    impl<'de, T: std::str::FromStr<Err: fmt::Display>> de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} as text, or a list of them", self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            Ok(vec![self.parse(text)?])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                values.push(self.parse(&text)?);
            }
            Ok(values)
        }
    }

    from.deserialize_any(Visitor(kind, std::marker::PhantomData)).map(Some)
}

fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<IpAddr>>, D::Error> {
    one_or_many(from, "an IP address")
}

fn announce<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Multiaddr>>, D::Error> {
    one_or_many(from, "a multiaddr to announce")
}
