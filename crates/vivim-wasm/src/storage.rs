//! The database of a node's documents: opened when the first one needs it, and again when it was
//! lost.

use std::cell::RefCell;

use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use vivim_documents::{StoreDone, StoreOp};
use vivim_node::DocId;
use vivim_store::{IndexedDbStore, StoreError};

type Opening = Shared<LocalBoxFuture<'static, Result<IndexedDbStore, StoreError>>>;

/// Where the documents of a node are kept.
pub(crate) struct Storage {
    /// The database's name; `None` if nothing is to be kept.
    name: Option<String>,
    opening: RefCell<Option<Opening>>,
}

impl Storage {
    pub(crate) fn new(name: Option<String>) -> Self {
        Self { name, opening: RefCell::default() }
    }

    /// Whether documents are kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.name.is_some()
    }

    /// The open database.
    pub(crate) async fn store(&self) -> Result<IndexedDbStore, StoreError> {
        let opening = {
            let mut slot = self.opening.borrow_mut();
            match (&*slot, &self.name) {
                (Some(opening), _) => opening.clone(),
                (None, Some(name)) => {
                    let name = name.clone();
                    let opening =
                        async move { IndexedDbStore::open(&name).await }.boxed_local().shared();
                    slot.insert(opening).clone()
                }
                (None, None) => {
                    let reason = "storage is switched off".to_owned();
                    return Err(StoreError::Unavailable { reason });
                }
            }
        };
        let opened = opening.await;
        if opened.is_err() {
            self.forget();
        }
        opened
    }

    /// Has the database do something for a document.
    pub(crate) async fn run(&self, op: StoreOp, doc: DocId) -> StoreDone {
        let done = match self.store().await {
            Ok(store) => op.run(&store, doc).await,
            Err(error) => StoreDone::Failed(error),
        };
        // The next one opens it again: what was deleted under us comes to life empty, and a tab of
        // a newer version may have gone.
        if let StoreDone::Failed(StoreError::Gone | StoreError::NewerVersion | StoreError::Closed) =
            done
        {
            self.forget();
        }
        done
    }

    fn forget(&self) {
        self.opening.replace(None);
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("name", &self.name).finish_non_exhaustive()
    }
}
