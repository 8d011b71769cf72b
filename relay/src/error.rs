//! Why a relay didn't start. Every variant says what to do about it.

use std::{io, net::IpAddr, path::PathBuf};

use libp2p::TransportError;

use crate::config::ConfigError;

/// Why [`Relay::start`](crate::Relay::start) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port is taken by another program. Stop that one, or choose another port (0 takes any).
    #[error(
        "{what} port {port} on {host} is in use: stop the program that has it, or choose another \
         with {flag} (0 takes any free port)"
    )]
    PortInUse {
        /// What the port is for, as it is called in the log.
        what: &'static str,
        /// The address that was asked for.
        host: IpAddr,
        /// The port that was asked for.
        port: u16,
        /// The flag that chooses another.
        flag: &'static str,
    },
    /// A port can't be opened: no such address on this machine, or a port below 1024 without the
    /// right to it. Check `--host`, or grant `CAP_NET_BIND_SERVICE`.
    #[error(
        "can't listen for {what} on {host} port {port}: {source}; check --host, and that this \
         user may open this port"
    )]
    Listen {
        /// What the port is for.
        what: &'static str,
        /// The address that was asked for.
        host: IpAddr,
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The transport refuses an address that was made from the settings. Check `--host`.
    #[error("can't listen for {what}: {source}; check --host and the TLS settings")]
    Transport {
        /// What the port is for.
        what: &'static str,
        /// What the transport said.
        source: TransportError<io::Error>,
    },
    /// The identity can't be read or made. See [`IdentityError`].
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate or its key can't be used. See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The settings contradict each other. See [`ConfigError`].
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The page folder doesn't exist or isn't a folder. Build the page, or correct `--page`.
    #[error("the page folder {path} can't be used: {source}; build the page or correct --page")]
    Page {
        /// The folder that was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The listeners didn't report their addresses in time. Has this machine a network interface?
    #[error("the listeners reported no address within {0} s: is there a network interface?")]
    NoAddress(u64),
    /// The identity can't be turned into a Noise key. The key file is damaged: move it away, and a
    /// new identity is made (clients need the new address).
    #[error("the identity can't be used for Noise: {0}; move the key file away to get a new one")]
    Noise(#[from] libp2p::noise::Error),
}

/// Why the identity of the relay can't be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The data folder can't be made or opened. Check its owner, or choose another `--data-dir`.
    #[error("the data folder {path} can't be used: {source}; check its owner or pass --data-dir")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file can't be read or written. Check its owner and the free space.
    #[error("the key file {path} can't be used: {source}; check its owner and the free space")]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the key file, and so be this relay. `chmod 600` it, or make a new one.
    #[error(
        "the key file {path} can be read by others (mode {mode:o}): run chmod 600 on it, or move it \
         away to get a new identity if somebody may have copied it"
    )]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file isn't a key. Restore it from a copy, or move it away for a new identity (clients
    /// need the new address then).
    #[error(
        "the key file {path} doesn't hold a relay key ({reason}): restore it from a copy, or move \
         it away to get a new identity (clients then need the new address)"
    )]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why the `wss` certificate can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read, or isn't PEM. Check the path, its owner and its content.
    #[error("can't read {what} from {path}: {reason}; a PEM file is expected")]
    File {
        /// The certificate chain or the private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The certificate file holds no certificate. Pass the full chain, leaf first.
    #[error("{0} holds no certificate: pass the full chain, leaf first")]
    NoCertificate(PathBuf),
    /// Certificate and key don't belong together, or the kind of key isn't supported.
    #[error("the certificate and the key can't be used together: {0}")]
    Refused(#[from] libp2p::websocket::tls::Error),
}
