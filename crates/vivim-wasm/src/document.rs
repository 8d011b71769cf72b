//! A document kept here, by Yrs: its life. What is in it is in [`crate::content`].

use std::rc::Rc;

use bytes::Bytes;
use js_sys::{Array, Function, Promise, Uint8Array};
use vivim_doc::ClientId;
use vivim_documents::{NodeEvent, OpenDocument, Options, Wrote, file::DocumentFile};
use vivim_node::DocId;
use vivim_store::{RecordKey, Written};
use wasm_bindgen::prelude::*;

use crate::{
    content::Handles,
    document_events::Wants,
    failure::Failure,
    js::{object, peer_name, promise},
    node::{Core, done},
    replica::Replica,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
export interface RawDocumentFile { name: string; room: string; kind: string; update: Uint8Array }
export interface RawReceipts {
  local: number; durable: number; unsynced: number; reached: number; stored: number; kept: number;
  peers: { peerId: string; applied: number; stored: number; open: boolean; keeper: boolean }[];
}
";

/// A document. Its changes wait in it until [`RawDocument::take_updates`].
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawDocument {
    pub(crate) replica: Rc<Replica>,
    pub(crate) handles: Handles,
}

impl RawDocument {
    /// A fresh opening of a document. It answers for it once it is bound to an attachment.
    pub(crate) fn new(
        core: &Rc<Core>,
        doc: DocId,
        room: String,
        name: String,
        kind: String,
        kept: bool,
    ) -> Result<Self, Failure> {
        let random = getrandom::u64().map_err(|error| Failure::new("INTERNAL", error))?;
        let options = Options {
            doc,
            client: ClientId::from_random(random),
            device: core.device.clone(),
            name,
            room,
            kind,
            stored: kept && core.storage.is_kept(),
            wall_clock: wall_clock(),
        };
        Ok(Self { replica: Replica::open(core, options), handles: Handles::default() })
    }
}

/// Milliseconds since 1970.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn wall_clock() -> u64 {
    js_sys::Date::now() as u64
}

#[wasm_bindgen]
impl RawDocument {
    /// The document's id in hex.
    #[wasm_bindgen(getter, js_name = docId)]
    pub fn doc_id(&self) -> String {
        self.replica.id().to_hex()
    }

    /// This opening's client id.
    #[allow(clippy::cast_precision_loss)] // It has 53 bits.
    #[wasm_bindgen(getter, js_name = clientId)]
    pub fn client_id(&self) -> f64 {
        self.replica.with(|doc, _| doc.options().client.get() as f64)
    }

    /// Calls the function with everything that happens, never from within a call of this class.
    pub fn listen(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(event: RawDocumentEvent) => void")]
        on_event: Function,
    ) {
        self.replica.listen(on_event);
    }

    /// From now on `updated` has the bytes of the update.
    #[wasm_bindgen(js_name = wantUpdates)]
    pub fn want_updates(&self) {
        let wants = self.replica.wants.get();
        self.replica.wants.set(Wants { updates: true, ..wants });
    }

    /// From now on there are events `receipts`.
    #[wasm_bindgen(js_name = wantReceipts)]
    pub fn want_receipts(&self) {
        let wants = self.replica.wants.get();
        self.replica.wants.set(Wants { receipts: true, ..wants });
    }

    /// Hands on the changes made here since the last call, and gives them as updates if they are
    /// wanted.
    #[wasm_bindgen(js_name = takeUpdates, unchecked_return_type = "Uint8Array[]")]
    pub fn take_updates(&self) -> Array {
        let updates = self.replica.act(OpenDocument::settle);
        if !self.replica.wants.get().updates {
            return Array::new();
        }
        updates.iter().map(|update| Uint8Array::from(&update[..])).collect()
    }

    /// Resolves when everything up to now is durable; rejects with the storage's error.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn flush(&self) -> Promise {
        let replica = Rc::clone(&self.replica);
        promise(async move { done(replica.flush().await) })
    }

    /// Takes no more edits; resolves when everything is durable.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn close(&self) -> Promise {
        let replica = Rc::clone(&self.replica);
        promise(async move { done(replica.close().await) })
    }

    /// Resolves when nothing of it is being written any more.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn rest(&self) -> Promise {
        let replica = Rc::clone(&self.replica);
        promise(async move {
            replica.rest().await;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Whether the document's room is joined, and there is a network.
    pub fn network(&self, up: bool) {
        let event = if up { NodeEvent::Joined } else { NodeEvent::Left };
        self.replica.act(|doc, now| doc.node_event(event, now));
    }

    /// How it stands with its peers.
    #[wasm_bindgen(getter, unchecked_return_type = "RawSyncState")]
    pub fn state(&self) -> String {
        self.replica.with(|doc, _| doc.state().as_str().to_owned())
    }

    /// How many changes made here no peer has.
    #[allow(clippy::cast_precision_loss)] // A count of changes.
    #[wasm_bindgen(getter)]
    pub fn unsynced(&self) -> f64 {
        self.replica.act(|doc, _| doc.unsynced() as f64)
    }

    /// Where the changes made here have got.
    #[allow(clippy::cast_precision_loss)] // Counts of changes and peers.
    #[wasm_bindgen(unchecked_return_type = "RawReceipts")]
    pub fn receipts(&self) -> JsValue {
        let number = |value: u64| JsValue::from(value as f64);
        self.replica.act(|doc, _| {
            let receipts = doc.receipts();
            let standing = receipts.standing();
            let peers = receipts.peers().map(|receipt| {
                object(&[
                    ("peerId", peer_name(receipt.peer.0)),
                    ("applied", number(receipt.applied)),
                    ("stored", number(receipt.stored)),
                    ("open", receipt.open.into()),
                    ("keeper", receipt.keeper.into()),
                ])
            });
            object(&[
                ("local", number(standing.local)),
                ("durable", number(standing.durable)),
                ("unsynced", number(standing.unsynced)),
                ("reached", number(standing.reached as u64)),
                ("stored", number(standing.stored as u64)),
                ("kept", number(standing.kept as u64)),
                ("peers", peers.collect::<Array>().into()),
            ])
        })
    }

    /// The peers that exchange it with us.
    #[wasm_bindgen(unchecked_return_type = "string[]")]
    pub fn peers(&self) -> JsValue {
        self.replica.with(|doc, _| crate::js::strings(doc.peers().map(|peer| peer.0)))
    }

    /// What it has seen, by device.
    #[allow(clippy::cast_precision_loss)] // Counts of edits.
    #[wasm_bindgen(js_name = vectorClock, unchecked_return_type = "Record<string, number>")]
    pub fn vector_clock(&self) -> JsValue {
        let clock = self.replica.with(|doc, _| doc.vector_clock());
        let entries =
            clock.iter().map(|(device, count)| (&device[..], JsValue::from(count as f64)));
        crate::value::record(entries)
    }

    /// The kind of a root, in the facade's numbers; undefined if there is none of this name.
    #[wasm_bindgen(js_name = rootKind)]
    pub fn root_kind(&self, name: &str) -> Option<u32> {
        let kind = self.replica.with(|doc, _| doc.read(|doc| doc.root_kind(name)))?;
        Some(crate::content::handles::number(kind))
    }

    /// The document as a file.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE`.
    #[wasm_bindgen(js_name = exportFile)]
    pub fn export_file(&self) -> Result<Vec<u8>, JsValue> {
        let file = self.replica.act(|doc, _| doc.export());
        file.map_err(|error| Failure::new("TOO_LARGE", error).into())
    }

    /// The document was deleted from the storage: from now on it lives in memory only.
    pub fn abandon(&self) {
        self.replica.act(|doc, _| doc.abandon());
    }

    /// Bytes that it takes in the storage, as far as known.
    #[allow(clippy::cast_precision_loss)] // A size.
    #[wasm_bindgen(getter, js_name = storedBytes)]
    pub fn stored_bytes(&self) -> f64 {
        self.replica.with(|doc, _| doc.stored_bytes() as f64)
    }

    /// Sets this device's awareness, a JSON object; undefined takes it away.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if it isn't JSON, `TOO_LARGE`.
    #[wasm_bindgen(js_name = setAwareness)]
    pub fn set_awareness(&self, json: Option<String>) -> Result<(), JsValue> {
        use vivim_doc::awareness::StateError;
        let set = self.replica.act(|doc, now| doc.set_awareness(json.as_deref(), now));
        set.map_err(|error| {
            let code = match error {
                StateError::TooLarge(_) => "TOO_LARGE",
                _ => "INVALID_ARGUMENT",
            };
            Failure::new(code, error).into()
        })
    }

    /// Everybody's awareness, as pairs of client id and JSON, this device's too.
    #[allow(clippy::cast_precision_loss)] // Ids have 53 bits.
    #[wasm_bindgen(unchecked_return_type = "[number, string, string | undefined][]")]
    pub fn awareness(&self) -> Array {
        self.replica.with(|doc, _| {
            let states = doc.awareness_states().into_iter().map(|(client, state, peer)| {
                let peer = peer.map(|peer| peer.0.to_string());
                Array::of3(&JsValue::from(client.get() as f64), &state.into(), &peer.into())
            });
            states.collect()
        })
    }

    /// Another opening of the document has written records.
    #[wasm_bindgen(js_name = siblingWrote)]
    pub fn sibling_wrote(
        &self,
        keys: Vec<f64>,
        sizes: Vec<f64>,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array[]")] updates: Array,
    ) {
        let written = keys.into_iter().zip(sizes).map(|(key, size)| written(key, size)).collect();
        let updates = updates.iter().filter_map(|update| {
            update.dyn_ref::<Uint8Array>().map(|update| Bytes::from(update.to_vec()))
        });
        let wrote = Wrote::Added { written, updates: updates.collect() };
        self.replica.act(|doc, now| doc.sibling_wrote(wrote, now));
    }

    /// Another opening of the document has put a snapshot in the place of records.
    #[wasm_bindgen(js_name = siblingCompacted)]
    pub fn sibling_compacted(&self, replaced: Vec<f64>, key: f64, size: f64) {
        let replaced = replaced.into_iter().map(|key| written(key, 0.0).key).collect();
        let wrote = Wrote::Compacted { replaced, snapshot: written(key, size) };
        self.replica.act(|doc, now| doc.sibling_wrote(wrote, now));
    }
}

/// Reads a document's file.
///
/// # Errors
///
/// `INVALID_FILE`.
#[wasm_bindgen(js_name = readDocumentFile, unchecked_return_type = "RawDocumentFile")]
pub fn read_document_file(bytes: Vec<u8>) -> Result<JsValue, JsValue> {
    let file = DocumentFile::decode(&bytes.into())
        .map_err(|error| JsValue::from(Failure::new("INVALID_FILE", error)))?;
    Ok(object(&[
        ("name", file.meta.name.into()),
        ("room", file.meta.room.into()),
        ("kind", file.meta.kind.into()),
        ("update", Uint8Array::from(&file.update[..]).into()),
    ]))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn written(key: f64, size: f64) -> Written {
    Written { key: RecordKey(key as u64), bytes: size as u64 }
}
