//! A STUN responder (RFC 8489): it tells a browser under which address the world sees it.
//!
//! Only Binding is answered, and only over UDP. Everything that isn't a well-formed Binding
//! request is dropped without an answer, so the port can't be made to talk to a third party in
//! another protocol. An answer is at most [`MAX_ANSWER`] bytes and each address gets at most
//! [`RATE`] of them a second, which makes the port useless for amplification.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::net::UdpSocket;

use crate::{
    metrics::Metrics,
    rate::{Buckets, Rate, prefix},
};

/// Longest request that is looked at, in bytes. Browsers send 20 to about 100.
pub const MAX_REQUEST: usize = 548;

/// Longest answer, in bytes: the error answer that names [`MAX_UNKNOWN`] attributes.
pub const MAX_ANSWER: usize = 80;

/// Most unknown attributes that are named in an error answer.
pub const MAX_UNKNOWN: usize = 8;

/// Answers per address (IPv6: per /64): an office behind one address can open a document together,
/// and after that there are 50 a second.
pub const RATE: Rate = Rate { burst: 500, interval: Duration::from_millis(20) };

const MAGIC_COOKIE: u32 = 0x2112_A442;
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// Attributes below 0x8000 must be understood. These are, in the sense that a server which asks
/// for no credentials may ignore them.
const UNDERSTOOD: &[u16] = &[
    0x0001, // MAPPED-ADDRESS
    0x0006, // USERNAME
    0x0008, // MESSAGE-INTEGRITY
    0x0009, // ERROR-CODE
    0x000A, // UNKNOWN-ATTRIBUTES
    0x0014, // REALM
    0x0015, // NONCE
    0x001C, // MESSAGE-INTEGRITY-SHA256
    0x001D, // PASSWORD-ALGORITHM
    0x001E, // USERHASH
    0x0020, // XOR-MAPPED-ADDRESS
    0x0024, // PRIORITY (ICE)
    0x0025, // USE-CANDIDATE (ICE)
];

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with the sender's address.
    Answered,
    /// Answered with error 420: the request needs something this server doesn't know.
    UnknownAttribute,
    /// Not a Binding request, or malformed: no answer.
    Ignored,
    /// The sender asked too often: no answer.
    Limited,
}

/// The answer to one datagram, or `None` if it deserves none.
pub fn answer(request: &[u8], from: SocketAddr) -> (Outcome, Option<Vec<u8>>) {
    match parse(request) {
        None => (Outcome::Ignored, None),
        Some(Request { transaction, unknown, fingerprint }) => {
            let (outcome, kind, attributes) = if unknown.is_empty() {
                (Outcome::Answered, BINDING_SUCCESS, mapped_address(from, transaction))
            } else {
                (Outcome::UnknownAttribute, BINDING_ERROR, unknown_attributes(&unknown))
            };
            (outcome, Some(encode(kind, transaction, &attributes, fingerprint)))
        }
    }
}

struct Request<'a> {
    /// The cookie and the transaction id, 16 bytes.
    transaction: &'a [u8],
    unknown: Vec<u16>,
    fingerprint: bool,
}

fn parse(bytes: &[u8]) -> Option<Request<'_>> {
    if bytes.len() > MAX_REQUEST || u16_at(bytes, 0)? != BINDING_REQUEST {
        return None;
    }
    let length = usize::from(u16_at(bytes, 2)?);
    // Requests without the cookie are of RFC 3489, from before 2008.
    if bytes.get(4..8)? != MAGIC_COOKIE.to_be_bytes() || HEADER + length != bytes.len() {
        return None;
    }
    let transaction = bytes.get(4..HEADER)?;

    let mut unknown = Vec::new();
    let mut fingerprint = false;
    let mut at = HEADER;
    while at < bytes.len() {
        if fingerprint {
            return None; // FINGERPRINT is the last attribute.
        }
        let kind = u16_at(bytes, at)?;
        let value_length = usize::from(u16_at(bytes, at + 2)?);
        let value = bytes.get(at + 4..at + 4 + value_length)?;
        if kind == FINGERPRINT {
            let expected = crc32(bytes.get(..at)?) ^ FINGERPRINT_XOR;
            if value != expected.to_be_bytes() {
                return None;
            }
            fingerprint = true;
        } else if kind < 0x8000 && !UNDERSTOOD.contains(&kind) && unknown.len() < MAX_UNKNOWN {
            unknown.push(kind);
        }
        at += 4 + value_length.next_multiple_of(4);
    }
    // A value that isn't padded to four bytes runs past the end.
    (at == bytes.len()).then_some(Request { transaction, unknown, fingerprint })
}

fn mapped_address(from: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let mut value = vec![0];
    // A dual-stack socket reports IPv4 senders in IPv6 form.
    let ip = from.ip().to_canonical();
    value.push(if ip.is_ipv4() { 1 } else { 2 });
    value.extend((from.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes());
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    value.extend(octets.iter().zip(transaction).map(|(a, b)| a ^ b));
    attribute(XOR_MAPPED_ADDRESS, &value)
}

fn unknown_attributes(unknown: &[u16]) -> Vec<u8> {
    let mut attributes = attribute(ERROR_CODE, b"\0\0\x04\x14Unknown Attribute");
    let names: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
    attributes.extend(attribute(UNKNOWN_ATTRIBUTES, &names));
    attributes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    bytes.extend(kind.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn encode(kind: u16, transaction: &[u8], attributes: &[u8], fingerprint: bool) -> Vec<u8> {
    let length = attributes.len() + if fingerprint { 8 } else { 0 };
    let mut message = Vec::with_capacity(HEADER + length);
    message.extend(kind.to_be_bytes());
    message.extend((length as u16).to_be_bytes());
    message.extend(transaction);
    message.extend(attributes);
    if fingerprint {
        let sum = crc32(&message) ^ FINGERPRINT_XOR;
        message.extend(attribute(FINGERPRINT, &sum.to_be_bytes()));
    }
    message
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([*pair.first()?, *pair.last()?]))
}

/// CRC-32 of ITU V.42, as FINGERPRINT wants it. Bitwise: requests are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

/// Answers requests on `socket` for as long as it is polled.
pub(crate) async fn serve(socket: UdpSocket, metrics: Arc<Metrics>) {
    let mut buffer = [0_u8; MAX_REQUEST + 1];
    let mut buckets = Buckets::new(RATE);
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // An ICMP answer to an earlier datagram arrives as an error here. A pause keeps a
                // lasting error from becoming a busy loop.
                tracing::debug!(%error, "receiving on the STUN port failed");
                if error.kind() != io::ErrorKind::ConnectionRefused {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        let outcome = if buckets.take(prefix(from.ip()), Instant::now()) {
            let (outcome, reply) = answer(buffer.get(..length).unwrap_or_default(), from);
            if let Some(reply) = reply
                && let Err(error) = socket.try_send_to(&reply, from)
            {
                // A full send buffer drops the answer: STUN clients ask again.
                tracing::debug!(%error, "a STUN answer was not sent");
            }
            outcome
        } else {
            Outcome::Limited
        };
        metrics.stun(outcome);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 1];
        bytes.extend((attributes.len() as u16).to_be_bytes());
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        bytes.extend(*b"transaction!");
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn a_crc_is_the_one_everybody_uses() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    /// RFC 5769 section 2.2 and 2.3: the address and transaction of the sample responses.
    #[test]
    fn the_mapped_address_is_that_of_the_test_vectors_of_rfc_5769() {
        let mut plain = vec![0, 1, 0, 0];
        plain.extend([0x21, 0x12, 0xa4, 0x42]);
        plain.extend([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
        let (_, reply) = answer(&plain, "192.0.2.1:32853".parse().unwrap());
        assert_eq!(reply.unwrap()[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let from = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let (_, reply) = answer(&plain, from);
        assert_eq!(
            reply.unwrap()[20..],
            [
                0, 0x20, 0, 0x14, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
                0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
            ]
        );
    }

    #[test]
    fn a_fingerprint_is_checked_and_answered_with_one() {
        let mut bytes = request(&attribute(FINGERPRINT, &[0; 4]));
        let sum = crc32(&bytes[..20]) ^ FINGERPRINT_XOR;
        bytes[24..].copy_from_slice(&sum.to_be_bytes());
        let (outcome, reply) = answer(&bytes, "192.0.2.1:1".parse().unwrap());
        assert_eq!(outcome, Outcome::Answered);
        let reply = reply.unwrap();
        let end = reply.len() - 8;
        assert_eq!(reply[end..end + 4], [0x80, 0x28, 0, 4]);
        assert_eq!(reply[end + 4..], (crc32(&reply[..end]) ^ FINGERPRINT_XOR).to_be_bytes());

        bytes[27] ^= 1;
        assert_eq!(answer(&bytes, "192.0.2.1:1".parse().unwrap()), (Outcome::Ignored, None));
    }

    #[test]
    fn an_attribute_that_must_be_understood_and_is_not_gets_error_420() {
        // CHANGE-REQUEST of RFC 5780: answering from another address isn't offered.
        let bytes = request(&attribute(0x0003, &[0, 0, 0, 6]));
        let (outcome, reply) = answer(&bytes, "192.0.2.1:1".parse().unwrap());
        let reply = reply.unwrap();
        assert_eq!(outcome, Outcome::UnknownAttribute);
        assert_eq!(reply[..2], [1, 0x11]);
        assert_eq!(reply[reply.len() - 8..], [0, 0x0a, 0, 2, 0, 3, 0, 0]);
    }

    #[test]
    fn what_is_not_a_binding_request_gets_no_answer() {
        let good = request(&[]);
        let from = "192.0.2.1:1".parse().unwrap();
        let mut cases: Vec<Vec<u8>> = (0..good.len()).map(|n| good[..n].to_vec()).collect();
        for (at, value) in [(0, 0x40), (0, 0x80), (0, 1), (1, 0x11), (3, 4), (4, 0), (7, 0)] {
            let mut bytes = good.clone();
            bytes[at] = value;
            cases.push(bytes);
        }
        cases.push([good.clone(), vec![0]].concat());
        cases.push(request(&[0, 6, 0, 9, 0, 0, 0, 0])); // longer than the message
        cases.push(request(&[0, 6, 0, 1, 0])); // not padded
        cases.push(request(&[0, 6, 0xff, 0xff]));
        cases.push(request(&[0; 9000]));
        for bytes in cases {
            assert_eq!(answer(&bytes, from), (Outcome::Ignored, None), "{bytes:02x?}");
        }
    }

    #[test]
    fn no_answer_is_longer_than_its_bound() {
        let unknown: Vec<u8> = (0..100_u16).flat_map(|n| attribute(0x7000 + n, &[])).collect();
        let mut bytes = request(&[unknown, attribute(FINGERPRINT, &[0; 4])].concat());
        let end = bytes.len() - 8;
        let sum = crc32(&bytes[..end]) ^ FINGERPRINT_XOR;
        bytes[end + 4..].copy_from_slice(&sum.to_be_bytes());
        let (_, reply) = answer(&bytes, "[::1]:1".parse().unwrap());
        let length = reply.unwrap().len();
        assert!(length <= MAX_ANSWER && length <= bytes.len(), "{length}");
    }
}
