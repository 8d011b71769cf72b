//! A room, and the replicas attached to its documents.

use std::rc::Rc;

use futures::FutureExt;
use js_sys::Promise;
use vivim_node::{DocId, RoomError, RoomId};
use vivim_proto::id::check_name;
use wasm_bindgen::prelude::*;

use crate::{
    document::RawDocument,
    failure::Failure,
    js::promise,
    node::{Core, done},
    records,
    replica::Replica,
};

/// A room by its name.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawRoom {
    core: Rc<Core>,
    name: String,
    id: RoomId,
}

impl RawRoom {
    pub(crate) fn new(core: Rc<Core>, name: String) -> Self {
        let id = RoomId::from_name(&name);
        Self { core, name, id }
    }
}

#[wasm_bindgen]
impl RawRoom {
    /// The room's id in hex.
    #[wasm_bindgen(getter)]
    pub fn id(&self) -> String {
        self.id.to_hex()
    }

    /// Joins it; joining twice is harmless.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn join(&self) -> Promise {
        let (node, name) = (self.core.node(), self.name.clone());
        promise(async move { done(node?.join_room(name).await.map(drop)) })
    }

    /// Leaves it.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn leave(&self) -> Promise {
        let (node, id) = (self.core.node(), self.id);
        promise(async move { done(node?.leave_room(id).await) })
    }

    /// Members besides us.
    #[wasm_bindgen(unchecked_return_type = "RawRoomPeer[]")]
    pub fn peers(&self) -> JsValue {
        let peers = self.core.node().map(|node| node.room_peers(self.id)).unwrap_or_default();
        records::room_peers(&peers)
    }

    /// The place of a replica in JavaScript; it still has to be opened.
    pub fn attachment(&self, name: String) -> RawAttachment {
        let doc = DocId::derive(&self.name, &name);
        RawAttachment { core: Rc::clone(&self.core), room: self.id, name, doc, replica: None }
    }

    /// The id of a document, in hex.
    #[wasm_bindgen(js_name = docId)]
    pub fn doc_id(&self, name: &str) -> String {
        DocId::derive(&self.name, name).to_hex()
    }

    /// Opens a Yrs document, which is kept in the storage if that is wanted; to be exchanged, it has to be bound to an attachment.
    ///
    /// # Errors
    ///
    /// Throws for a name that no room or document can have, and if there is no source of randomness.
    pub fn document(&self, name: String, kind: String, kept: bool) -> Result<RawDocument, JsValue> {
        for name in [&self.name, &name] {
            check_name(name).map_err(|error| Failure::from(RoomError::from(error)))?;
        }
        let doc = DocId::derive(&self.name, &name);
        Ok(RawDocument::new(&self.core, doc, self.name.clone(), name, kind, kept)?)
    }
}

/// A replica's place at a document.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawAttachment {
    core: Rc<Core>,
    room: RoomId,
    name: String,
    doc: DocId,
    /// The Yrs document that answers; without one, JavaScript is asked.
    replica: Option<Rc<Replica>>,
}

#[wasm_bindgen]
impl RawAttachment {
    /// The document's id in hex.
    #[wasm_bindgen(getter, js_name = docId)]
    pub fn doc_id(&self) -> String {
        self.doc.to_hex()
    }

    /// Has a Yrs document answer, from the opening on.
    pub fn bind(&mut self, document: &RawDocument) {
        self.replica = Some(Rc::clone(&document.replica));
    }

    /// Opens the document: from now on questions come. What is told after this call reaches the
    /// node behind it.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn open(&self) -> Promise {
        let (node, room, name) = (self.core.node(), self.room, self.name.clone());
        let mut opening =
            async move { done(node?.open_document(room, name).await.map(drop)) }.boxed_local();
        if let Some(replica) = &self.replica {
            self.core.replicas.add(self.doc, Rc::clone(replica));
        }
        // A promise's future begins in the next turn; this one sends its command now.
        let answer = (&mut opening).now_or_never();
        if let Some(replica) = &self.replica {
            self.note(replica.attached());
        }
        promise(async move {
            match answer {
                Some(answer) => answer,
                None => opening.await,
            }
        })
    }

    /// Forgets the replica here; the node may still ask, and is refused.
    pub fn forget(&self) {
        self.core.replicas.remove(self.doc, self.replica.as_ref());
        if let Some(replica) = &self.replica {
            replica.detached();
        }
    }

    /// Closes it.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn close(&self) -> Promise {
        let (node, doc) = (self.core.node(), self.doc);
        promise(async move { done(node?.close_document(doc).await) })
    }

    /// Tells of a change that was made here.
    pub fn update(&self, update: Vec<u8>) {
        // Changes of a stopped node are exchanged when it is started again.
        if let Ok(node) = self.core.node() {
            node.local_update(self.doc, update);
        }
    }

    /// Tells of a change that was made here, and of its number: see `Node::local_change`.
    pub fn change(&self, update: Vec<u8>, number: f64) {
        if let Ok(node) = self.core.node() {
            node.local_change(self.doc, change_number(number), update);
        }
    }

    /// Tells that the replica contains all changes up to this number: see `Node::note_change`.
    #[wasm_bindgen(js_name = noteChange)]
    pub fn note_change(&self, number: f64) {
        self.note(change_number(number));
    }

    /// Tells of this device's awareness.
    pub fn awareness(&self, update: Vec<u8>) {
        if let Ok(node) = self.core.node() {
            node.local_awareness(self.doc, update);
        }
    }
}

impl RawAttachment {
    fn note(&self, number: u64) {
        if let Ok(node) = self.core.node() {
            node.note_change(self.doc, number);
        }
    }
}

/// JavaScript counts in doubles, exactly up to 2^53; what is no count is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn change_number(number: f64) -> u64 {
    number as u64
}
