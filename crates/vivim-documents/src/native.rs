//! The service natively: documents over a [`Node`] and an SQLite file, driven by tokio.
//!
//! The node's events go through [`Driver::run`], which answers the questions about this service's
//! documents and passes the rest on. Each document has a task for its timers; what the store does is
//! a task of its own, so a slow disk holds nobody up.

mod document;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use futures::StreamExt;
use tokio::sync::broadcast;
use vivim_doc::{ApplyError, ClientId};
use vivim_node::{CommandError, DocId, Event, EventStream, Node, PeerId, RoomError, RoomId};
use vivim_proto::{clock::VectorClock, id::check_name};
use vivim_store::{DocumentMeta, SqliteStore, Store, StoreError};

pub use self::document::{Document, Who};
use crate::{
    Options, SyncState,
    file::{DocumentFile, FileError},
    limits::{MAX_DOCUMENTS, SERVICE_EVENTS},
};

/// The document of a room that [`CrdtSyncService::create_document`] opens.
pub const DEFAULT: &str = "default";

/// Owns documents: opens them from the store, keeps them in step with peers, and says how they
/// stand. Clones are the same service.
#[derive(Clone, Debug)]
pub struct CrdtSyncService {
    inner: Arc<Inner>,
}

/// What runs a service. Without it nothing is exchanged.
#[derive(Debug)]
pub struct Driver {
    service: CrdtSyncService,
    events: EventStream,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) node: Node,
    pub(crate) store: SqliteStore,
    device: String,
    documents: Mutex<HashMap<DocId, Document>>,
    pub(crate) events: broadcast::Sender<ServiceEvent>,
}

/// What happens to the documents of a service.
#[derive(Clone, Debug)]
pub struct ServiceEvent {
    /// To which document.
    pub doc: DocId,
    /// What.
    pub event: crate::Event<Who>,
}

/// Why a document could not be opened, exchanged or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The update was refused.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The bytes are no document's file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The document isn't open in this service.
    #[error("the document is not open")]
    NotOpen,
    /// The platform gave no random numbers.
    #[error("no source of randomness: {0}")]
    Random(getrandom::Error),
    /// The node refused.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More documents than [`MAX_DOCUMENTS`] are open.
    #[error("more than {MAX_DOCUMENTS} documents are open")]
    TooMany,
}

impl CrdtSyncService {
    /// A service over a node and its events. Run the driver as a task.
    pub fn new(
        node: Node,
        events: EventStream,
        store: SqliteStore,
        device: impl Into<String>,
    ) -> (Self, Driver) {
        let inner = Inner {
            node,
            store,
            device: device.into(),
            documents: Mutex::default(),
            events: broadcast::channel(SERVICE_EVENTS).0,
        };
        let service = Self { inner: Arc::new(inner) };
        (service.clone(), Driver { service, events })
    }

    /// Opens the document of this name: the default document of the room of that name. Resolves when
    /// it was loaded; the same name gives the same document. It is exchanged when the node can.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Room`] for a name that no room can have, and if the node has stopped;
    /// [`ServiceError::TooMany`]. A store that fails is no error: see
    /// [`Event::StorageFailed`](crate::Event::StorageFailed).
    pub async fn create_document(&self, name: &str) -> Result<Document, ServiceError> {
        let document = self.open_document(name, "").await?;
        match self.sync_document(&document).await {
            // What isn't exchanged now can be edited all the same.
            Ok(()) | Err(ServiceError::Room(RoomError::Command(CommandError::Stopped))) => {
                Ok(document)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a document from the store alone. Resolves when it was loaded.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Room`] for a name that no room can have; [`ServiceError::TooMany`],
    /// [`ServiceError::Random`].
    pub async fn open_document(&self, name: &str, kind: &str) -> Result<Document, ServiceError> {
        check_name(name).map_err(RoomError::from)?;
        let doc = DocId::derive(name, DEFAULT);
        let document = {
            let mut documents = self.documents();
            if let Some(document) = documents.get(&doc) {
                document.clone()
            } else {
                if documents.len() >= MAX_DOCUMENTS {
                    return Err(ServiceError::TooMany);
                }
                let options = Options {
                    doc,
                    client: ClientId::from_random(getrandom::u64().map_err(ServiceError::Random)?),
                    device: self.inner.device.clone(),
                    name: DEFAULT.to_owned(),
                    room: name.to_owned(),
                    kind: kind.to_owned(),
                    stored: true,
                    wall_clock: wall_clock(),
                };
                let document = Document::open(&self.inner, options);
                documents.insert(doc, document.clone());
                document
            }
        };
        document.loaded().await;
        Ok(document)
    }

    /// The open document of this name.
    pub fn get_document(&self, name: &str) -> Option<Document> {
        self.documents().get(&DocId::derive(name, DEFAULT)).cloned()
    }

    /// Exchanges a document with whoever is in its room. Harmless when it is exchanged already.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Room`].
    pub async fn sync_document(&self, document: &Document) -> Result<(), ServiceError> {
        let room = self.inner.node.join_room(document.room()).await?;
        match document.attach(room).await {
            Ok(()) | Err(RoomError::AlreadyOpen) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Exchanges a document with a peer; resolves when what the peer had is here.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Room`].
    pub async fn sync(&self, document: &Document, peer: PeerId) -> Result<(), ServiceError> {
        let mut events = self.subscribe();
        self.sync_document(document).await?;
        while !document.is_in_step_with(&Who(peer)) {
            match events.recv().await {
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Err(ServiceError::NotOpen),
            }
        }
        Ok(())
    }

    /// Exchanges a document no more; it stays open.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Room`] if the node has stopped.
    pub async fn stop_sync(&self, document: &Document) -> Result<(), ServiceError> {
        document.detach().await;
        match self.inner.node.leave_room(RoomId::from_name(&document.room())).await {
            Ok(()) | Err(RoomError::NotJoined) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How a document stands with its peers; `None` if it isn't open.
    pub fn sync_state(&self, name: &str) -> Option<SyncState> {
        Some(self.get_document(name)?.state())
    }

    /// What a document has seen, by device; `None` if it isn't open.
    pub fn vector_clock(&self, name: &str) -> Option<VectorClock<String>> {
        Some(self.get_document(name)?.vector_clock())
    }

    /// Takes everything of one document into another one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Apply`].
    pub fn merge_document(&self, source: &Document, target: &Document) -> Result<(), ServiceError> {
        let update = source.read(|doc| doc.encode_state_as_update(None).unwrap_or_default());
        target.edit(|doc| doc.apply_update(&update))?;
        Ok(())
    }

    /// The documents in the store.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Store`].
    pub async fn list_documents(&self) -> Result<Vec<DocumentMeta>, ServiceError> {
        Ok(self.inner.store.list().await?.documents)
    }

    /// Closes a document and removes what is stored of it; peers keep theirs.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Store`].
    pub async fn delete_document(&self, name: &str) -> Result<(), ServiceError> {
        let doc = DocId::derive(name, DEFAULT);
        if let Some(document) = self.get_document(name) {
            document.abandon();
            self.destroy_document(name).await?;
        }
        Ok(self.inner.store.delete(doc).await?)
    }

    /// A document as a file.
    ///
    /// # Errors
    ///
    /// [`ServiceError::File`] for one that is too large.
    pub async fn export_document(&self, name: &str) -> Result<Vec<u8>, ServiceError> {
        Ok(self.open_document(name, "").await?.export()?)
    }

    /// Opens the document of a file, or the one of another name, and takes in what is in the file.
    /// Resolves when that is durable.
    ///
    /// # Errors
    ///
    /// [`ServiceError::File`], [`ServiceError::Apply`], [`ServiceError::Store`].
    pub async fn import_document(
        &self,
        bytes: Vec<u8>,
        name: Option<&str>,
    ) -> Result<Document, ServiceError> {
        let file = DocumentFile::decode(&bytes.into())?;
        let name = name.unwrap_or(&file.meta.room);
        let document = self.open_document(name, &file.meta.kind).await?;
        document.edit(|doc| doc.apply_update(&file.update))?;
        document.flush().await?;
        Ok(document)
    }

    /// Closes a document; resolves when everything is durable, as far as the store can.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Store`]: it is closed, and what could not be written is lost.
    pub async fn destroy_document(&self, name: &str) -> Result<(), ServiceError> {
        let document = self.documents().remove(&DocId::derive(name, DEFAULT));
        let Some(document) = document else { return Ok(()) };
        let kept = document.close().await;
        document.detach().await;
        Ok(kept?)
    }

    /// Closes all documents.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Store`], the first of them.
    pub async fn destroy(&self) -> Result<(), ServiceError> {
        let names: Vec<String> = self.documents().values().map(Document::room).collect();
        let mut result = Ok(());
        for name in names {
            result = result.and(self.destroy_document(&name).await);
        }
        result
    }

    /// What happens from now on. Who is slow misses some.
    pub fn subscribe(&self) -> broadcast::Receiver<ServiceEvent> {
        self.inner.events.subscribe()
    }

    fn documents(&self) -> MutexGuard<'_, HashMap<DocId, Document>> {
        // A poisoned lock only means that a panic happened elsewhere.
        self.inner.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// Runs until the node stops. What isn't about this service's documents goes to `other`.
    pub async fn run(mut self, mut other: impl FnMut(Event)) {
        while let Some(event) = self.events.next().await {
            match event {
                Event::Replica { doc, id, peer, op } => {
                    let document = self.service.documents().get(&doc).cloned();
                    match document {
                        Some(document) => {
                            let result = document.answer(peer, op);
                            self.service.inner.node.respond(doc, id, result);
                            document.perform();
                        }
                        None => other(Event::Replica { doc, id, peer, op }),
                    }
                }
                Event::Document(doc, event) => {
                    let document = self.service.documents().get(&doc).cloned();
                    match document {
                        Some(document) => document.on_node_event(event),
                        None => other(Event::Document(doc, event)),
                    }
                }
                event => other(event),
            }
        }
        let documents: Vec<Document> = self.service.documents().values().cloned().collect();
        documents.iter().for_each(Document::on_node_stopped);
    }
}

fn wall_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
