//! What happens to a document, as plain objects for the facade.

use js_sys::{Array, Float64Array, Uint8Array};
use vivim_doc::ClientId;
use vivim_documents::{Conflict, Event, Wrote};
use vivim_store::RecordKey;
use wasm_bindgen::prelude::*;

use crate::{
    failure::Failure,
    js::{constant, object, peer_name, strings},
    replica::Who,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
export type RawSyncState = 'offline' | 'connecting' | 'syncing' | 'synced' | 'conflict' | 'resolved';
export interface RawWrote { type: 'wrote'; keys: Float64Array; sizes: Float64Array; updates: Uint8Array[] }
export interface RawCompacted { type: 'compacted'; replaced: Float64Array; key: number; size: number }
export type RawDocumentEvent =
  | { type: 'loaded' }
  | { type: 'updated'; update: Uint8Array | undefined; peerId: string | undefined }
  | { type: 'synced'; peerId: string }
  | { type: 'state'; state: RawSyncState }
  | { type: 'peers' }
  | { type: 'receipts' }
  | { type: 'conflict'; path: string; winner: string; devices: string[]; foundAt: number }
  | { type: 'awareness'; added: number[]; updated: number[]; removed: number[] }
  | { type: 'damaged'; reasons: string[] }
  | { type: 'storage'; code: string; message: string }
  | { type: 'recovered' }
  | RawWrote
  | RawCompacted;
";

/// What is made for the application only if somebody wants it: both come with every letter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wants {
    /// The bytes of updates.
    pub(crate) updates: bool,
    /// News of receipts.
    pub(crate) receipts: bool,
}

/// The event as a plain object, or nothing if nobody wants it or this version has no name for it.
pub(crate) fn project(event: Event<Who>, wants: Wants) -> Option<JsValue> {
    match event {
        Event::Updated { update, from } => {
            let bytes = || JsValue::from(Uint8Array::from(&update[..]));
            Some(tagged(
                "updated",
                &[
                    ("update", if wants.updates { bytes() } else { JsValue::UNDEFINED }),
                    ("peerId", from.map_or(JsValue::UNDEFINED, |peer| peer_name(peer.0))),
                ],
            ))
        }
        Event::Receipts if !wants.receipts => None,
        event => project_rare(event),
    }
}

// Apart: see `events::pump`.
#[inline(never)]
fn project_rare(event: Event<Who>) -> Option<JsValue> {
    Some(match event {
        Event::Awareness { added, updated, removed } => tagged(
            "awareness",
            &[("added", ids(&added)), ("updated", ids(&updated)), ("removed", ids(&removed))],
        ),
        Event::Conflict(conflict) => tell_conflict(conflict),
        Event::Damaged(damaged) => {
            let reasons = strings(damaged.iter().map(|damaged| &damaged.damage));
            tagged("damaged", &[("reasons", reasons)])
        }
        Event::Loaded => tagged("loaded", &[]),
        Event::Peers => tagged("peers", &[]),
        Event::Receipts => tagged("receipts", &[]),
        Event::State(state) => tagged("state", &[("state", state.as_str().into())]),
        Event::StorageFailed(error) => {
            let Failure { code, message } = error.into();
            tagged("storage", &[("code", code.into()), ("message", message.into())])
        }
        Event::StorageRecovered => tagged("recovered", &[]),
        Event::Synced(peer) => tagged("synced", &[("peerId", peer_name(peer.0))]),
        Event::Wrote(wrote) => tell_wrote(wrote),
        _ => return None,
    })
}

fn tagged(kind: &'static str, fields: &[(&'static str, JsValue)]) -> JsValue {
    let mut all = vec![("type", constant(kind))];
    all.extend_from_slice(fields);
    object(&all)
}

#[allow(clippy::cast_precision_loss)] // Milliseconds since 1970.
fn tell_conflict(conflict: Conflict) -> JsValue {
    tagged(
        "conflict",
        &[
            ("path", conflict.path.into()),
            ("winner", conflict.winner.into()),
            ("devices", strings(conflict.devices)),
            ("foundAt", JsValue::from(conflict.found_at as f64)),
        ],
    )
}

fn tell_wrote(wrote: Wrote) -> JsValue {
    match wrote {
        Wrote::Added { written, updates } => tagged(
            "wrote",
            &[
                ("keys", keys(written.iter().map(|written| written.key))),
                ("sizes", numbers(written.iter().map(|written| written.bytes))),
                (
                    "updates",
                    updates.iter().map(|u| Uint8Array::from(&u[..])).collect::<Array>().into(),
                ),
            ],
        ),
        Wrote::Compacted { replaced, snapshot } => tagged(
            "compacted",
            &[
                ("replaced", keys(replaced.into_iter())),
                ("key", number(snapshot.key.0)),
                ("size", number(snapshot.bytes)),
            ],
        ),
    }
}

fn keys(keys: impl Iterator<Item = RecordKey>) -> JsValue {
    numbers(keys.map(|key| key.0))
}

#[allow(clippy::cast_precision_loss)] // IndexedDB's own keys are doubles.
fn number(value: u64) -> JsValue {
    JsValue::from(value as f64)
}

#[allow(clippy::cast_precision_loss)] // As above.
fn numbers(values: impl Iterator<Item = u64>) -> JsValue {
    let values: Vec<f64> = values.map(|value| value as f64).collect();
    Float64Array::from(&values[..]).into()
}

#[allow(clippy::cast_precision_loss)] // They have 53 bits.
fn ids(clients: &[ClientId]) -> JsValue {
    clients.iter().map(|client| JsValue::from(client.get() as f64)).collect::<Array>().into()
}
