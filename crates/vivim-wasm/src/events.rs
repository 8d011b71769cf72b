//! The one way out: a task that drains the core's events and calls JavaScript with each.

use std::{rc::Rc, time::Duration};

use futures::{FutureExt, StreamExt};
use futures_timer::Delay;
use js_sys::{Function, Promise, Reflect, Uint8Array};
use vivim_doc::{awareness, validate};
use vivim_documents::limits::LARGE_UPDATE;
use vivim_node::{
    DocId, DocumentEvent, Event, EventStream, Node, PeerId, ReplicaOp, RoomEvent, WarningCode,
};
use vivim_proto::sync::{ReplicaError, ReplicaResult};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::{
    js::{constant, object, peer_name, strings},
    records,
    replica::Replica,
    replicas::Replicas,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
export type RawReplicaOp = 'summary' | 'diff' | 'apply' | 'applyAwareness' | 'encodeAwareness';
export type RawEvent =
  | { type: 'started' }
  | { type: 'stopped' }
  | { type: 'peer:discovery'; peerId: string; multiaddrs: string[] }
  | { type: 'peer:connect'; peerId: string }
  | { type: 'peer:disconnect'; peerId: string }
  | { type: 'connection' }
  | { type: 'status'; status: RawStatus }
  | { type: 'message'; topic: string; from: string; data: Uint8Array }
  | { type: 'room:joined'; roomId: string; total: number }
  | { type: 'room:join'; roomId: string; peerId: string }
  | { type: 'room:leave'; roomId: string; peerId: string }
  | { type: 'room:peers'; roomId: string }
  | { type: 'doc:synced'; docId: string; peerId: string }
  | { type: 'doc:acked'; docId: string; peerId: string; seq: number; stored: boolean }
  | { type: 'doc:reached'; docId: string; peerId: string; change: number; stored: boolean }
  | { type: 'doc:updated'; docId: string; peerId: string }
  | { type: 'doc:closed'; docId: string; peerId: string }
  | { type: 'replica'; docId: string; peerId: string; call: number; op: RawReplicaOp; bytes: Uint8Array | undefined }
  | { type: 'warning'; code: string; message: string };
";

/// Runs until the core's events end. Nothing is borrowed while JavaScript runs, so that a handler
/// can call anything.
// What doesn't come with every letter is out of line: a browser compiles what has become hot a second
// time, as a whole, while somebody types.
pub(crate) async fn pump(
    mut events: EventStream,
    node: Node,
    replicas: Rc<Replicas>,
    on_event: Function,
) {
    let tell = |value: JsValue| {
        // The facade catches what handlers throw; an exception here must not end the pump.
        let _ = on_event.call1(&JsValue::NULL, &value);
    };
    while let Some(event) = events.next().await {
        match event {
            Event::Replica { doc, id, peer, op } => {
                if let Some(replica) = replicas.get(doc) {
                    let is_large = is_large(&op);
                    node.respond(doc, id, replica.answer(peer, op));
                    replica.drive_and_tell();
                    if is_large {
                        breathe().boxed_local().await;
                    }
                } else if let Some(error) = objection(&op) {
                    node.respond(doc, id, ReplicaResult::Failed(error));
                } else {
                    tell(question(doc, peer, replicas.ask(doc, id), &op));
                }
            }
            Event::Document(doc, event) => match replicas.get(doc) {
                Some(replica) => tell_replica(&replica, event),
                None => document_event(doc, event).into_iter().for_each(tell),
            },
            event => project(event).into_iter().for_each(tell),
        }
    }
}

// Apart: see `pump`.
#[inline(never)]
fn tell_replica(replica: &Rc<Replica>, event: DocumentEvent) {
    if replica.on_node_event(event) {
        replica.drive_and_tell();
    }
}

/// Whether applying it takes long enough for a person to notice, if several come in a row.
fn is_large(op: &ReplicaOp) -> bool {
    matches!(op, ReplicaOp::Apply { payload } if payload.len() > LARGE_UPDATE)
}

/// Lets the browser draw and react.
async fn breathe() {
    match scheduler().map(|scheduler| scheduler.r#yield()) {
        // It resolves, whatever happens.
        Some(Ok(turn)) => drop(JsFuture::from(turn).await),
        _ => Delay::new(Duration::ZERO).await,
    }
}

/// The browser's scheduler, which comes back to us before other tasks, where there is one.
fn scheduler() -> Option<Scheduler> {
    let scheduler = Reflect::get(&js_sys::global(), &"scheduler".into()).ok()?;
    let has_yield = Reflect::get(&scheduler, &"yield".into()).is_ok_and(|f| f.is_function());
    has_yield.then(|| scheduler.unchecked_into())
}

#[wasm_bindgen]
extern "C" {
    type Scheduler;

    #[wasm_bindgen(method, catch)]
    fn r#yield(this: &Scheduler) -> Result<Promise, JsValue>;
}

/// What is wrong with a payload, before an engine that trusts it reads it.
// Apart: see `pump`.
#[inline(never)]
fn objection(op: &ReplicaOp) -> Option<ReplicaError> {
    let checked = match op {
        ReplicaOp::Apply { payload } => validate::update(payload).map(drop),
        ReplicaOp::ApplyAwareness { payload } => awareness::validate(payload),
        ReplicaOp::Diff { summary } => validate::state_vector(summary).map(drop),
        ReplicaOp::EncodeAwareness | ReplicaOp::Summary => Ok(()),
    };
    let invalid = checked.err()?;
    Some(if invalid.is_size() { ReplicaError::TooLarge } else { ReplicaError::Malformed })
}

/// A question to a replica in JavaScript.
// Apart: see `pump`.
#[inline(never)]
fn question(doc: DocId, peer: PeerId, call: u32, op: &ReplicaOp) -> JsValue {
    let (op, bytes) = match op {
        ReplicaOp::Apply { payload } => ("apply", Some(payload)),
        ReplicaOp::ApplyAwareness { payload } => ("applyAwareness", Some(payload)),
        ReplicaOp::Diff { summary } => ("diff", Some(summary)),
        ReplicaOp::EncodeAwareness => ("encodeAwareness", None),
        ReplicaOp::Summary => ("summary", None),
    };
    event_object(
        "replica",
        &[
            ("docId", doc.to_hex().into()),
            ("peerId", peer_name(peer)),
            ("call", call.into()),
            ("op", constant(op)),
            ("bytes", bytes.map_or(JsValue::UNDEFINED, |b| Uint8Array::from(&b[..]).into())),
        ],
    )
}

/// The event as a plain object, or nothing if this version has no name for it.
// Apart: see `pump`.
#[inline(never)]
fn project(event: Event) -> Option<JsValue> {
    Some(match event {
        Event::Started => event_object("started", &[]),
        Event::Stopped => event_object("stopped", &[]),
        Event::PeerDiscovered { peer, multiaddrs } => event_object(
            "peer:discovery",
            &[("peerId", peer.to_string().into()), ("multiaddrs", strings(multiaddrs))],
        ),
        Event::PeerConnected(peer) => {
            event_object("peer:connect", &[("peerId", peer.to_string().into())])
        }
        Event::PeerDisconnected(peer) => {
            event_object("peer:disconnect", &[("peerId", peer.to_string().into())])
        }
        Event::ConnectionsChanged => event_object("connection", &[]),
        Event::Status(status) => {
            event_object("status", &[("status", records::status(status).into())])
        }
        Event::Message(message) => event_object(
            "message",
            &[
                ("topic", message.topic.into()),
                ("from", message.from.to_string().into()),
                ("data", Uint8Array::from(&message.data[..]).into()),
            ],
        ),
        Event::Room(room, event) => room_event(room.to_hex(), event)?,
        Event::Warning { code, message } => {
            event_object("warning", &[("code", warning(code).into()), ("message", message.into())])
        }
        // A newer core's event, and the replica's, which the pump deals with.
        _ => return None,
    })
}

fn event_object(kind: &'static str, fields: &[(&'static str, JsValue)]) -> JsValue {
    let mut all = vec![("type", constant(kind))];
    all.extend_from_slice(fields);
    object(&all)
}

fn room_event(room: String, event: RoomEvent) -> Option<JsValue> {
    let room = ("roomId", JsValue::from(room));
    Some(match event {
        #[allow(clippy::cast_precision_loss)] // A count of people.
        RoomEvent::Joined { total } => {
            event_object("room:joined", &[room, ("total", JsValue::from(total as f64))])
        }
        RoomEvent::PeerJoined(peer) => {
            event_object("room:join", &[room, ("peerId", peer.to_string().into())])
        }
        RoomEvent::PeerLeft(peer) => {
            event_object("room:leave", &[room, ("peerId", peer.to_string().into())])
        }
        RoomEvent::PeersChanged => event_object("room:peers", &[room]),
        _ => return None,
    })
}

// Apart: see `pump`.
#[inline(never)]
fn document_event(doc: DocId, event: DocumentEvent) -> Option<JsValue> {
    let doc = ("docId", JsValue::from(doc.to_hex()));
    Some(match event {
        #[allow(clippy::cast_precision_loss)] // A count of updates.
        DocumentEvent::Acknowledged { peer, seq, stored } => event_object(
            "doc:acked",
            &[
                doc,
                ("peerId", peer_name(peer)),
                ("seq", JsValue::from(seq as f64)),
                ("stored", stored.into()),
            ],
        ),
        DocumentEvent::Closed(peer) => {
            event_object("doc:closed", &[doc, ("peerId", peer.to_string().into())])
        }
        #[allow(clippy::cast_precision_loss)] // A count of changes.
        DocumentEvent::Reached { peer, change, stored } => event_object(
            "doc:reached",
            &[
                doc,
                ("peerId", peer_name(peer)),
                ("change", JsValue::from(change as f64)),
                ("stored", stored.into()),
            ],
        ),
        DocumentEvent::Synced(peer) => {
            event_object("doc:synced", &[doc, ("peerId", peer.to_string().into())])
        }
        DocumentEvent::Updated(peer) => {
            event_object("doc:updated", &[doc, ("peerId", peer_name(peer))])
        }
        _ => return None,
    })
}

fn warning(code: WarningCode) -> &'static str {
    match code {
        WarningCode::RelayUnreachable => "RELAY_UNREACHABLE",
        WarningCode::ReservationRefused => "RESERVATION_REFUSED",
        WarningCode::RoomRefused => "ROOM_REFUSED",
        WarningCode::SyncProtocol => "SYNC_PROTOCOL",
        WarningCode::UpgradeFailed => "UPGRADE_FAILED",
        WarningCode::WebRtcUnavailable => "WEBRTC_UNAVAILABLE",
        _ => "OTHER",
    }
}
