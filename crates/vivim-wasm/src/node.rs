//! The node, its rooms and the attachments of replicas to their documents.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use futures::{StreamExt, future};
use js_sys::{Array, Function, Promise, Uint8Array};
use vivim_node::{Config, DocId, Node, PeerId};
use vivim_store::Store;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::{
    config::{self, RawConfig, parse_address, parse_peer},
    events,
    failure::Failure,
    js::promise,
    records,
    replica::Replica,
    replicas::Replicas,
    room::RawRoom,
    storage::Storage,
    stream::RawStream,
};

/// What a node, its rooms and its documents share. It outlives a stop, so that what is built on a
/// node goes on working after the next start.
#[derive(Debug)]
pub(crate) struct Core {
    running: RefCell<Option<Node>>,
    pub(crate) replicas: Rc<Replicas>,
    pub(crate) storage: Storage,
    /// This device's id in hex.
    pub(crate) device: String,
    /// Peers that keep documents for others.
    pub(crate) keepers: BTreeSet<PeerId>,
}

impl Core {
    /// The handle of the running node.
    pub(crate) fn node(&self) -> Result<Node, Failure> {
        self.running.borrow().clone().ok_or_else(Failure::stopped)
    }
}

/// A node that can be started and stopped any number of times, always with the same identity.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawNode {
    config: Config,
    peer_id: PeerId,
    core: Rc<Core>,
}

#[wasm_bindgen]
impl RawNode {
    /// Checks the configuration; nothing happens before `start`.
    ///
    /// # Errors
    ///
    /// Throws `INVALID_CONFIG`, `INVALID_ADDRESS`, `INVALID_PEER_ID` or `INVALID_KEY`.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &RawConfig) -> Result<Self, JsValue> {
        let storage = Storage::new(config.storage());
        let device = records::hex(&config.device_id().to_vec());
        let keepers = config::keepers(config)?;
        let (config, peer_id) = config::parse(config)?;
        let (running, replicas) = (RefCell::default(), Rc::default());
        let core = Core { running, replicas, storage, device, keepers };
        Ok(Self { config, peer_id, core: Rc::new(core) })
    }

    /// The node's identity, stopped or not.
    #[wasm_bindgen(js_name = peerId)]
    pub fn peer_id(&self) -> String {
        self.peer_id.to_string()
    }

    /// Starts the actor and the task that brings its events. Harmless while running.
    ///
    /// # Errors
    ///
    /// Throws what the core's start says.
    pub fn start(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(event: RawEvent) => void")] on_event: Function,
    ) -> Result<(), JsValue> {
        if self.core.running.borrow().is_some() {
            return Ok(());
        }
        let (node, stream, actor) = Node::new(self.config.clone()).map_err(Failure::from)?;
        self.core.running.replace(Some(node.clone()));
        spawn_local(actor.run());
        spawn_local(events::pump(stream, node, Rc::clone(&self.core.replicas), on_event));
        if self.core.storage.is_kept() {
            let core = Rc::clone(&self.core);
            spawn_local(async move {
                // So that the first document needn't wait for it. Who needs it hears why it can't be had.
                let _ = core.storage.store().await;
            });
        }
        Ok(())
    }

    /// Stops it; resolves when the actor has said goodbye to everybody.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn stop(&self) -> Promise {
        let node = self.core.running.take();
        self.core.replicas.all().iter().for_each(Replica::detached);
        promise(async move {
            if let Some(node) = node {
                node.stop().await?;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The node at a glance; undefined if it isn't running.
    #[wasm_bindgen(unchecked_return_type = "RawNodeInfo | undefined")]
    pub fn info(&self) -> JsValue {
        self.core.node().map_or(JsValue::UNDEFINED, |node| records::node_info(&node.info()))
    }

    /// Live connections.
    #[wasm_bindgen(unchecked_return_type = "RawConnection[]")]
    pub fn connections(&self) -> JsValue {
        let connections = self.core.node().map(|node| node.connections()).unwrap_or_default();
        records::connections(&connections)
    }

    /// Dials; resolves with the peer's id.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn connect(&self, address: &str) -> Promise {
        let (node, address) = (self.core.node(), parse_address(address));
        promise(async move { Ok(node?.connect(address?).await?.to_string().into()) })
    }

    /// Closes all connections to a peer.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn disconnect(&self, peer: &str) -> Promise {
        let (node, peer) = (self.core.node(), parse_peer(peer));
        promise(async move { done(node?.disconnect(peer?).await) })
    }

    /// Stores a record in the DHT.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Promise {
        let node = self.core.node();
        promise(async move { done(node?.put(key, value).await) })
    }

    /// Looks a record up in the DHT.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array | undefined>")]
    pub fn get(&self, key: Vec<u8>) -> Promise {
        let node = self.core.node();
        promise(async move {
            let value = node?.get(key).await?;
            Ok(value.map_or(JsValue::UNDEFINED, |value| Uint8Array::from(&value[..]).into()))
        })
    }

    /// What is known of a peer.
    #[wasm_bindgen(js_name = findPeer, unchecked_return_type = "Promise<RawPeerInfo>")]
    pub fn find_peer(&self, peer: &str) -> Promise {
        let (node, peer) = (self.core.node(), parse_peer(peer));
        promise(async move { Ok(records::peer_info(&node?.find_peer(peer?).await?)) })
    }

    /// Subscribes to a topic.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn subscribe(&self, topic: String) -> Promise {
        let node = self.core.node();
        promise(async move { done(node?.subscribe(topic).await) })
    }

    /// Unsubscribes.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn unsubscribe(&self, topic: String) -> Promise {
        let node = self.core.node();
        promise(async move { done(node?.unsubscribe(topic).await) })
    }

    /// Publishes on a topic.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn publish(&self, topic: String, data: Vec<u8>) -> Promise {
        let node = self.core.node();
        promise(async move { done(node?.publish(topic, data).await) })
    }

    /// Accepts streams of a protocol until the handler given back is closed.
    #[wasm_bindgen(unchecked_return_type = "Promise<RawHandler>")]
    pub fn handle(
        &self,
        protocol: String,
        #[wasm_bindgen(unchecked_param_type = "(stream: RawStream) => void")] on_stream: Function,
    ) -> Promise {
        let node = self.core.node();
        promise(async move {
            let mut streams = node?.handle(protocol).await?;
            let (accept, abort) = future::abortable(async move {
                while let Some(stream) = streams.next().await {
                    // The facade catches what the application's handler throws.
                    let _ = on_stream.call1(&JsValue::NULL, &RawStream::new(stream).into());
                }
            });
            spawn_local(async move {
                // Aborted when the handler is closed.
                let _ = accept.await;
            });
            Ok(RawHandler { abort }.into())
        })
    }

    /// Opens a stream to a connected peer.
    #[wasm_bindgen(js_name = openStream, unchecked_return_type = "Promise<RawStream>")]
    pub fn open_stream(&self, peer: &str, protocol: String) -> Promise {
        let (node, peer) = (self.core.node(), parse_peer(peer));
        promise(async move { Ok(RawStream::new(node?.open_stream(peer?, protocol).await?).into()) })
    }

    /// Measures a round trip in milliseconds.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn ping(&self, peer: &str) -> Promise {
        let (node, peer) = (self.core.node(), parse_peer(peer));
        promise(async move { Ok((node?.ping(peer?).await?.as_secs_f64() * 1_000.0).into()) })
    }

    /// Tells that the platform's network came or went.
    #[wasm_bindgen(js_name = networkChanged)]
    pub fn network_changed(&self, online: bool) {
        if let Ok(node) = self.core.node() {
            node.network_changed(online);
        }
    }

    /// What the core knows about connectivity.
    #[wasm_bindgen(unchecked_return_type = "Promise<RawDiagnosis>")]
    pub fn diagnose(&self) -> Promise {
        let node = self.core.node();
        promise(async move { Ok(records::diagnosis(&node?.diagnose().await?)) })
    }

    /// The documents that are kept.
    #[wasm_bindgen(js_name = listDocuments, unchecked_return_type = "Promise<RawDocumentInfo[]>")]
    pub fn list_documents(&self) -> Promise {
        let core = Rc::clone(&self.core);
        promise(async move {
            if !core.storage.is_kept() {
                return Ok(Array::new().into());
            }
            let listing = core.storage.store().await?.list().await?;
            Ok(listing.documents.iter().map(records::document_info).collect::<Array>().into())
        })
    }

    /// Removes what is kept of a document.
    #[wasm_bindgen(js_name = deleteDocument, unchecked_return_type = "Promise<void>")]
    pub fn delete_document(&self, doc: &str) -> Promise {
        let (core, doc) = (Rc::clone(&self.core), parse_doc(doc));
        promise(async move {
            let doc = doc?;
            if !core.storage.is_kept() {
                return Ok(JsValue::UNDEFINED);
            }
            done(core.storage.store().await?.delete(doc).await)
        })
    }

    /// Asks the browser to keep what is stored; whether it agreed.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn persist(&self) -> Promise {
        promise(async move { Ok(vivim_store::indexed_db::persist().await.into()) })
    }

    /// A room by its name; it still has to be joined.
    pub fn room(&self, name: String) -> RawRoom {
        RawRoom::new(Rc::clone(&self.core), name)
    }

    /// Answers the question of this number; what kind of answer it is decides the bytes' meaning.
    pub fn respond(
        &self,
        call: u32,
        #[wasm_bindgen(
            unchecked_param_type = "'summary' | 'diff' | 'applied' | 'awareness' | 'closed' | 'malformed'"
        )]
        kind: &str,
        bytes: Vec<u8>,
    ) {
        // A question whose document was closed meanwhile is gone, and so is who asked it.
        let Some((doc, id)) = self.core.replicas.take(call) else { return };
        if let Ok(node) = self.core.node() {
            node.respond(doc, id, crate::replicas::result(kind, bytes));
        }
    }
}

/// A document's id in hex.
fn parse_doc(hex: &str) -> Result<DocId, Failure> {
    let byte = |at: usize| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok();
    let mut id = [0; 32];
    let is_id = hex.len() == 2 * id.len()
        && id.iter_mut().enumerate().all(|(at, slot)| byte(at).map(|b| *slot = b).is_some());
    if is_id {
        return Ok(DocId(id));
    }
    Err(Failure::new("INVALID_ARGUMENT", format!("{hex:?} is not a document's id")))
}

/// Turns an answer without content into JavaScript's.
pub(crate) fn done<E: Into<Failure>>(result: Result<(), E>) -> Result<JsValue, Failure> {
    result.map(|()| JsValue::UNDEFINED).map_err(Into::into)
}

/// The acceptance of one protocol's streams.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawHandler {
    abort: future::AbortHandle,
}

#[wasm_bindgen]
impl RawHandler {
    /// Accepts no more.
    pub fn close(&self) {
        self.abort.abort();
    }
}
