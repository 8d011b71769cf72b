//! Whose client ids are whose: what a document's causality is keyed by.
//!
//! Yjs numbers each *opening* of a document. People think in devices: a device's clock is the sum of
//! the clocks of its openings. Which opening belongs to which device is said by the awareness field
//! `device`, and remembered beside the document.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use serde::Deserialize;
use vivim_doc::ClientId;
use vivim_proto::{
    clock::VectorClock,
    wire::{Reader, WireError, put_bytes, put_uvarint},
};

use crate::limits::{MAX_DEVICE_ID, MAX_DEVICES, MAX_OPENINGS};

/// The devices of a document's client ids, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    known: BTreeMap<u64, Box<str>>,
}

/// The field of an awareness state that says whose it is.
#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow, default)]
    device: Option<Cow<'a, str>>,
    /// Its earlier openings.
    #[serde(default)]
    openings: Vec<u64>,
}

impl Devices {
    /// What an awareness state in JSON says of its client. True if that is news.
    pub fn learn_from_state(&mut self, client: ClientId, state: &str) -> bool {
        match serde_json::from_str(state) {
            Ok(State { device: Some(device), openings }) => {
                let mut news = self.learn(client, &device);
                for opening in openings.into_iter().take(MAX_OPENINGS) {
                    news |= self.learn(ClientId::from_random(opening), &device);
                }
                news
            }
            _ => false,
        }
    }

    /// A client id belongs to a device. True if that is news. What is known already isn't changed:
    /// nobody can claim another's openings afterwards.
    pub fn learn(&mut self, client: ClientId, device: &str) -> bool {
        let fits = (1..=MAX_DEVICE_ID).contains(&device.len()) && self.known.len() < MAX_DEVICES;
        if !fits || self.known.contains_key(&client.get()) {
            return false;
        }
        self.known.insert(client.get(), device.into());
        true
    }

    /// The device of a client id; `client:ID` while it isn't known.
    pub fn of(&self, client: ClientId) -> Cow<'_, str> {
        match self.known.get(&client.get()) {
            Some(device) => Cow::Borrowed(device),
            None => Cow::Owned(format!("client:{}", client.get())),
        }
    }

    /// The client ids of a device, as many as may be told.
    pub(crate) fn openings(&self, device: &str) -> Vec<ClientId> {
        let of_device = self.known.iter().filter(|(_, of)| &***of == device);
        of_device.map(|(client, _)| ClientId::from_random(*client)).take(MAX_OPENINGS).collect()
    }

    /// The vector clock of a state vector in encoding V1.
    ///
    /// # Errors
    ///
    /// If the bytes are no state vector.
    pub fn clock(&self, state_vector: &[u8]) -> Result<VectorClock<String>, WireError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(state_vector));
        let mut sums: BTreeMap<Cow<'_, str>, u64> = BTreeMap::new();
        for _ in 0..reader.uvarint()? {
            let client = ClientId::from_random(reader.uvarint()?);
            let sum = sums.entry(self.of(client)).or_default();
            *sum = sum.saturating_add(reader.uvarint()?);
        }
        reader.finish()?;
        Ok(sums.into_iter().map(|(device, sum)| (device.into_owned(), sum)).collect())
    }

    /// As it is kept beside the document: a count, then client id and device of each.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        put_uvarint(&mut out, self.known.len() as u64);
        for (client, device) in &self.known {
            put_uvarint(&mut out, *client);
            put_bytes(&mut out, device.as_bytes());
        }
        out.into()
    }

    /// Adds what was kept. Bytes that can't be read add nothing: devices are learned again.
    pub fn restore(&mut self, kept: &Bytes) {
        let mut reader = Reader::new(kept.clone());
        let mut entry = || -> Result<(), WireError> {
            for _ in 0..reader.uvarint()? {
                let client = ClientId::from_random(reader.uvarint()?);
                let device = reader.bytes(MAX_DEVICE_ID)?;
                if let Ok(device) = std::str::from_utf8(&device) {
                    self.learn(client, device);
                }
            }
            Ok(())
        };
        // What was read until then is true all the same.
        let _ = entry();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientId = ClientId::from_random(1);
    const B: ClientId = ClientId::from_random(2);
    const C: ClientId = ClientId::from_random(3);

    #[test]
    fn the_clock_of_a_device_is_the_sum_over_its_openings() {
        let mut devices = Devices::default();
        assert!(devices.learn_from_state(A, r#"{"name":"Ada","device":"d1"}"#));
        assert!(devices.learn(B, "d1"));
        let mut vector = Vec::new();
        for number in [3, 1, 10, 2, 5, 3, 7] {
            put_uvarint(&mut vector, number);
        }
        let clock = devices.clock(&vector).unwrap();
        assert_eq!(clock.get("d1"), 15);
        assert_eq!(clock.get("client:3"), 7);
    }

    #[test]
    fn what_is_known_is_not_changed_and_survives_being_kept() {
        let mut devices = Devices::default();
        assert!(devices.learn(A, "d1"));
        assert!(!devices.learn(A, "d2"));
        assert!(!devices.learn(B, ""));
        assert!(!devices.learn_from_state(C, "{}"));
        assert!(!devices.learn_from_state(C, "not json"));
        let mut again = Devices::default();
        again.restore(&devices.encode());
        assert_eq!(again, devices);
    }

    #[test]
    fn bytes_that_cannot_be_read_are_survived() {
        let mut devices = Devices::default();
        devices.restore(&Bytes::from_static(&[2, 1, 1, b'x', 9]));
        assert_eq!(devices.of(A), "x");
        assert!(devices.clock(&[9, 9, 9]).is_err());
    }

    #[test]
    fn no_more_than_the_limit_is_remembered() {
        let mut devices = Devices::default();
        for id in 0..2 * MAX_DEVICES as u64 {
            devices.learn(ClientId::from_random(id), "d");
        }
        assert_eq!(devices.known.len(), MAX_DEVICES);
    }
}
