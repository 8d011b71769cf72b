//! The STUN port.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;

use common::{relay, within};
use tokio::net::UdpSocket;

fn request(id: u8) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    bytes.extend([id; 12]);
    bytes
}

async fn stun(relay: &common::TestRelay) -> UdpSocket {
    let server: SocketAddr =
        relay.relay.ready().stun[0].strip_prefix("stun:").unwrap().parse().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

#[tokio::test]
async fn a_binding_request_is_answered_with_the_address_it_came_from() {
    let relay = relay().await;
    let socket = stun(&relay).await;
    socket.send(&request(7)).await.unwrap();
    let mut answer = [0; 100];
    let length = within("an answer", socket.recv(&mut answer)).await.unwrap();
    let answer = &answer[..length];
    assert_eq!(answer[..4], [1, 1, 0, 12]);
    assert_eq!(answer[4..20], request(7)[4..20]);
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    assert_eq!(port, socket.local_addr().unwrap().port());
    let ip: Vec<u8> =
        answer[28..32].iter().zip([0x21, 0x12, 0xa4, 0x42]).map(|(a, b)| a ^ b).collect();
    assert_eq!(ip, [127, 0, 0, 1]);
    relay.metric_becomes("vivim_relay_stun_requests_total{kind=\"answered\"}", 1.0).await;
}

#[tokio::test]
async fn garbage_is_not_answered_and_does_no_harm() {
    let relay = relay().await;
    let socket = stun(&relay).await;
    let mut sent = 0.0;
    for garbage in [&[][..], &[0; 20], &[0xff; 9000], b"GET / HTTP/1.1\r\n\r\n", &request(1)[..19]]
    {
        socket.send(garbage).await.unwrap();
        sent += 1.0;
        relay.metric_becomes("vivim_relay_stun_requests_total{kind=\"ignored\"}", sent).await;
    }
    socket.send(&request(9)).await.unwrap();
    let mut answer = [0; 100];
    within("an answer", socket.recv(&mut answer)).await.unwrap();
    // The first answer is the one to the only good request.
    assert_eq!(answer[8..20], [9; 12]);
}
