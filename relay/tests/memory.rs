//! What a client costs that is only there.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use common::{Client, room, within};
use vivim_proto::rooms::{FrameDecoder, PROTOCOL};

/// Clients that are measured. With more the figure gets steadier, not smaller.
const CLIENTS: usize = 400;

/// Bytes of the relay's memory that one idle client may cost. Measured: 64,430, so this has room for
/// another allocator and finds what would be a leak.
const MAX_IDLE_PEER: usize = 96 * 1024;

fn resident(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// The relay runs in a process of its own, so that the clients don't count.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_client_with_a_reservation_and_a_room_costs_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vivim-relay"))
        .args("--host 127.0.0.1 --ws-port 0 --tcp-port 0 --http-port 0 --stun-port off".split(' '))
        .arg("--data-dir")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value =
        serde_json::from_str(line.strip_prefix("ready ").unwrap()).unwrap();
    let addr: libp2p::Multiaddr = ready["multiaddrs"][0].as_str().unwrap().parse().unwrap();
    let peer: libp2p::PeerId = ready["peerId"].as_str().unwrap().parse().unwrap();

    let connect = async |n: usize| {
        let mut client = Client::new();
        client.reserve(addr.clone()).await.unwrap();
        let stream = client.open(peer, PROTOCOL).await;
        let mut rooms = common::Rooms { stream, decoder: FrameDecoder::new() };
        rooms.join(room(&(n / 8).to_string())).await;
        (client, rooms)
    };
    // What is needed once shouldn't count either.
    let mut clients = Vec::new();
    for n in 0..20 {
        clients.push(connect(n).await);
    }
    let before = resident(child.id());
    for n in 20..20 + CLIENTS {
        clients.push(within("a client", connect(n)).await);
    }
    let each = resident(child.id()).saturating_sub(before) / CLIENTS;
    child.kill().unwrap();
    child.wait().unwrap();
    println!("an idle client costs {each} bytes of the relay's memory");
    assert!(each <= MAX_IDLE_PEER, "{each}");
}
