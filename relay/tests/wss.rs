//! WebSocket over TLS with certificate files.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;

use common::{Client, relay_with};
use libp2p::multiaddr::Protocol;
use vivim_relay::{Config, Relay, StartError, TlsError};

#[tokio::test]
async fn a_client_reaches_the_relay_over_wss() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.key_pair.serialize_pem()).unwrap();

    let relay = relay_with(|config| config.tls(&certificate, &key)).await;
    let listening = &relay.relay.ready().multiaddrs[0];
    assert!(listening.contains("/tls/ws/p2p/"), "{listening}");

    // A certificate is for a name, so the client dials one.
    let headers = [("Host", "localhost:1")];
    let (_, body) = common::get(&relay.http(), "/.well-known/vivim", &headers).await;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let advised = json["multiaddrs"][0].as_str().unwrap();
    assert!(
        advised.starts_with("/dns4/localhost/tcp/") && advised.contains("/tls/ws/"),
        "{advised}"
    );
    // The test client has no resolver; libp2p takes the name of an address with `sni`.
    let port = advised.split('/').nth(4).unwrap().parse().unwrap();
    let addr = libp2p::Multiaddr::from(std::net::Ipv4Addr::LOCALHOST)
        .with(Protocol::Tcp(port))
        .with(Protocol::Tls)
        .with(Protocol::Sni("localhost".into()))
        .with(Protocol::Ws("/".into()))
        .with(Protocol::P2p(relay.relay.peer_id()));
    let mut client = Client::trusting(Some(made.cert.der().to_vec()));
    assert_eq!(client.dial(addr.clone()).await, Ok(relay.relay.peer_id()));

    // One that doesn't trust the certificate doesn't get in.
    assert!(Client::new().dial(addr).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_is_named() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    fs::write(path("other.pem"), other.key_pair.serialize_pem()).unwrap();
    fs::write(path("empty.pem"), "").unwrap();
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(path("broken.pem"), broken).unwrap();

    let start = async |certificate: &str, key: &str| {
        let config = Config::local(path("data")).tls(path(certificate), path(key));
        match Relay::start(config).await {
            Err(StartError::Tls(error)) => error,
            other => panic!("{certificate}, {key}: {other:?}"),
        }
    };
    assert!(matches!(start("cert.pem", "other.pem").await, TlsError::Refused(_)));
    assert!(matches!(start("empty.pem", "other.pem").await, TlsError::NoCertificate(_)));
    for (certificate, key) in
        [("none.pem", "other.pem"), ("cert.pem", "empty.pem"), ("cert.pem", "none.pem")]
    {
        assert!(matches!(start(certificate, key).await, TlsError::File { .. }));
    }
    assert!(matches!(
        start("cert.pem", "broken.pem").await,
        TlsError::File { .. } | TlsError::Refused(_)
    ));
}
