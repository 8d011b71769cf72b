//! The HTTP port, as browsers and monitoring see it.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;

use common::{Client, get, relay, relay_with, request, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const POLICY: &str = "content-security-policy: default-src 'self'; script-src 'self' \
     'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; \
     img-src 'self' data:";

#[tokio::test]
async fn a_relay_is_described_to_pages_of_any_origin() {
    let relay = relay().await;
    let (head, body) = get(&relay.http(), "/.well-known/vivim", &[]).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["peerId"], relay.relay.peer_id().to_string());
    assert_eq!(json["multiaddrs"][0], relay.addr("ws").to_string());
    assert_eq!(json["multiaddrs"].as_array().unwrap().len(), 2);
    assert!(json["stun"][0].as_str().unwrap().starts_with("stun:127.0.0.1:"));
    assert_eq!(json["limits"]["maxCircuitBytes"], 64 * 1024 * 1024);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));

    let (head, _) = request("OPTIONS", &relay.http(), "/.well-known/vivim", &[]).await;
    assert!(head.starts_with("http/1.1 204") && head.contains("allow-origin: *"), "{head}");
}

#[tokio::test]
async fn a_client_that_came_by_a_name_is_told_that_name() {
    let relay = relay().await;
    let headers = [("Host", "relay.example.org:8080")];
    let (_, body) = get(&relay.http(), "/.well-known/vivim", &headers).await;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let first = json["multiaddrs"][0].as_str().unwrap();
    assert!(first.starts_with("/dns4/relay.example.org/tcp/"), "{first}");
    assert!(json["stun"][0].as_str().unwrap().starts_with("stun:relay.example.org:"));
}

#[tokio::test]
async fn health_and_metrics_answer() {
    let relay = relay().await;
    let _client = Client::connected(&relay).await;
    let (head, body) = get(&relay.http(), "/healthz", &[]).await;
    assert!(head.starts_with("http/1.1 200") && body == "ok\n", "{head}");
    let (head, body) = get(&relay.http(), "/metrics", &[]).await;
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    assert!(body.ends_with("# EOF\n"));
    for name in [
        "vivim_relay_build_info{",
        "vivim_relay_rooms 0",
        "vivim_relay_room_members 0",
        "vivim_relay_connections 1",
        "vivim_relay_reservations 0",
        "vivim_relay_circuits 0",
        "vivim_relay_http_responses_total{kind=\"2xx\"}",
        "libp2p_swarm_connections_established_total",
        "libp2p_bandwidth_bytes_total{",
    ] {
        assert!(body.contains(name), "{name} is missing");
    }
}

#[tokio::test]
async fn metrics_are_not_shown_through_a_proxy_unless_they_are_public() {
    let relay = relay().await;
    let headers = [("X-Forwarded-For", "192.0.2.1")];
    assert!(get(&relay.http(), "/metrics", &headers).await.0.starts_with("http/1.1 403"));
}

#[tokio::test]
async fn without_a_page_folder_there_is_a_short_page() {
    let relay = relay().await;
    let (head, body) = get(&relay.http(), "/", &[]).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("text/html"), "{head}");
    assert!(body.contains("VIVIM relay"));
    assert!(head.contains(&POLICY.to_lowercase()), "{head}");
    assert!(get(&relay.http(), "/x", &[]).await.0.starts_with("http/1.1 404"));
    assert!(request("POST", &relay.http(), "/", &[]).await.0.starts_with("http/1.1 405"));
}

fn page() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("index.html", "<p>page");
    write("assets/index-B3xK9_aZ.js", "plain");
    write("assets/index-B3xK9_aZ.js.br", "brotli");
    write("assets/index-B3xK9_aZ.js.gz", "gzip");
    write("assets/vivim-DqXaB1x2.wasm", "\0asm");
    write("deep/index.html", "deep");
    write(".env", "secret");
    folder
}

#[tokio::test]
async fn the_page_is_served_with_its_types_caching_and_policy() {
    let folder = page();
    let relay = relay_with(|config| config.page(folder.path())).await;
    let host = relay.http();

    let (head, body) = get(&host, "/?a=b", &[]).await;
    assert_eq!(body, "<p>page");
    for expected in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-cache",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(expected), "{expected}: {head}");
    }
    assert!(head.contains(&POLICY.to_lowercase()), "{head}");

    let tag = head.lines().find_map(|l| l.strip_prefix("etag: ")).unwrap().to_owned();
    let (head, body) = get(&host, "/", &[("If-None-Match", &tag)]).await;
    assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{head}");
    fs::write(folder.path().join("index.html"), "<p>new page").unwrap();
    assert_eq!(get(&host, "/", &[("If-None-Match", &tag)]).await.1, "<p>new page");

    let (head, _) = get(&host, "/assets/vivim-DqXaB1x2.wasm", &[]).await;
    assert!(head.contains("content-type: application/wasm"), "{head}");
    assert!(head.contains("cache-control: public, max-age=31536000, immutable"), "{head}");
    assert_eq!(get(&host, "/deep/", &[]).await.1, "deep");

    let (head, body) = request("HEAD", &host, "/", &[]).await;
    assert!(head.contains("content-length: 11") && body.is_empty(), "{head}");
}

#[tokio::test]
async fn packed_files_are_sent_to_clients_that_can_unpack_them() {
    let folder = page();
    let relay = relay_with(|config| config.page(folder.path())).await;
    let path = "/assets/index-B3xK9_aZ.js";
    for (accepted, body, coding) in [
        ("gzip, deflate, br, zstd", "brotli", Some("br")),
        ("gzip", "gzip", Some("gzip")),
        ("br;q=0, gzip", "gzip", Some("gzip")),
        ("identity", "plain", None),
    ] {
        let (head, sent) = get(&relay.http(), path, &[("Accept-Encoding", accepted)]).await;
        assert_eq!(sent, body, "{accepted}");
        let named = head.lines().find_map(|l| l.strip_prefix("content-encoding: "));
        assert_eq!(named, coding);
        assert!(head.contains("content-type: text/javascript"), "{head}");
        assert!(head.contains("vary: accept-encoding"), "{head}");
    }
}

#[tokio::test]
async fn nothing_outside_the_page_folder_is_served() {
    let folder = page();
    fs::write(folder.path().parent().unwrap().join("outside.txt"), "secret").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.txt")).unwrap();
    let relay = relay_with(|config| config.page(folder.path())).await;
    for path in ["/../outside.txt", "/%2e%2e/outside.txt", "/.env", "/link.txt", "/assets", "//"] {
        let (head, body) = get(&relay.http(), path, &[]).await;
        assert!(!body.contains("secret") && !body.contains("root:"), "{path}");
        assert!(head.starts_with("http/1.1 404") || body == "<p>page", "{path}: {head}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_or_never_ends_is_refused() {
    let relay = relay().await;
    let mut stream = tokio::net::TcpStream::connect(relay.http()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    // The relay may close while this still writes.
    let _ = stream.write_all(&vec![b'a'; 100_000]).await;
    let mut answer = Vec::new();
    let _ = within("a refusal", stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));

    let mut slow = tokio::net::TcpStream::connect(relay.http()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await.unwrap();
    let mut answer = Vec::new();
    let _ = within("the end of patience", slow.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
