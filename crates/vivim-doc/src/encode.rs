//! Updates in encoding V1, as the engine writes them but for integers beyond what a double counts.
//!
//! The engine writes an integer that a double holds exactly as a double, so that a bigint such as 2⁶⁰
//! would be a number wherever it is read, and 2⁶³ - 1 the number above. Here, what is a bigint in Yjs
//! stays one.

use yrs::{
    Any, ClientID, ID, ReadTxn, StateVector, TransactionMut,
    any::Number,
    encoding::write::Write,
    updates::encoder::{Encoder, EncoderV1},
};

use crate::value::is_safe;

/// What lib0 puts before a value of these kinds.
const BIGINT: u8 = 122;
const MAP: u8 = 118;
const ARRAY: u8 = 117;

/// What a transaction has changed; empty if it's nothing.
#[inline(never)] // As `decode` in `doc`.
pub(crate) fn changes(txn: &TransactionMut<'_>) -> Vec<u8> {
    if !txn.has_changes() {
        return Vec::new();
    }
    let mut encoder = Exact(EncoderV1::new());
    txn.encode_update(&mut encoder);
    encoder.to_vec()
}

/// What a document has that a state vector lacks.
pub(crate) fn diff<T: ReadTxn>(txn: &T, state_vector: &StateVector) -> Vec<u8> {
    let mut encoder = Exact(EncoderV1::new());
    txn.encode_diff(state_vector, &mut encoder);
    encoder.to_vec()
}

/// The engine's encoder, with its own way for values.
struct Exact(EncoderV1);

impl Exact {
    /// Recurses as deep as the value is nested, which is bounded.
    fn write(&mut self, any: &Any) {
        match any {
            Any::Array(values) => {
                self.write_u8(ARRAY);
                self.write_var(values.len());
                for value in values.iter() {
                    self.write(value);
                }
            }
            Any::Map(fields) => {
                self.write_u8(MAP);
                self.write_var(fields.len());
                for (key, value) in fields.iter() {
                    self.write_string(key);
                    self.write(value);
                }
            }
            Any::Number(Number::Int(value)) if !is_safe(*value) => {
                self.write_u8(BIGINT);
                self.write_i64(*value);
            }
            _ => self.0.write_any(any),
        }
    }
}

impl Write for Exact {
    fn write_all(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes);
    }

    fn write_u8(&mut self, byte: u8) {
        self.0.write_u8(byte);
    }
}

impl Encoder for Exact {
    fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn reset_ds_cur_val(&mut self) {
        self.0.reset_ds_cur_val();
    }

    fn write_ds_clock(&mut self, clock: u32) {
        self.0.write_ds_clock(clock);
    }

    fn write_ds_len(&mut self, len: u32) {
        self.0.write_ds_len(len);
    }

    fn write_left_id(&mut self, id: &ID) {
        self.0.write_left_id(id);
    }

    fn write_right_id(&mut self, id: &ID) {
        self.0.write_right_id(id);
    }

    fn write_client(&mut self, client: ClientID) {
        self.0.write_client(client);
    }

    fn write_info(&mut self, info: u8) {
        self.0.write_info(info);
    }

    fn write_parent_info(&mut self, is_root: bool) {
        self.0.write_parent_info(is_root);
    }

    fn write_type_ref(&mut self, number: u8) {
        self.0.write_type_ref(number);
    }

    fn write_len(&mut self, len: u32) {
        self.0.write_len(len);
    }

    fn write_any(&mut self, any: &Any) {
        self.write(any);
    }

    fn write_json(&mut self, any: &Any) {
        self.0.write_json(any);
    }

    fn write_key(&mut self, key: &str) {
        self.0.write_key(key);
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
