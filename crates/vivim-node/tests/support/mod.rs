//! Native peers for the tests: a node, its pumped events, and a replica of one document.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

pub mod replica;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt;
use tokio::sync::Notify;
use vivim_node::{Config, Event, Multiaddr, Node, PeerId, Status};

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Peer {
    pub node: Node,
    pub id: PeerId,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    events: Mutex<Vec<Event>>,
    changed: Notify,
}

impl Peer {
    pub fn start(config: Config) -> Self {
        Self::start_with(config, |_, _| false)
    }

    /// `replica` sees each event first and says whether it was its own.
    pub fn start_with(
        config: Config,
        mut replica: impl FnMut(&Node, &Event) -> bool + Send + 'static,
    ) -> Self {
        let (node, mut events, actor) = Node::new(config).expect("a valid configuration");
        tokio::spawn(actor.run());
        let seen = Arc::new(Seen::default());
        let pump = seen.clone();
        let handle = node.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if !replica(&handle, &event) {
                    pump.events.lock().unwrap().push(event);
                }
                pump.changed.notify_waiters();
            }
        });
        Self { id: node.peer_id(), node, seen }
    }

    /// A peer that listens on a free TCP port.
    pub async fn listening() -> Self {
        let peer = Self::start(Config::default().listen(["/ip4/127.0.0.1/tcp/0".parse().unwrap()]));
        peer.until("a listen address", |p| !p.node.info().multiaddrs.is_empty()).await;
        peer
    }

    pub fn address(&self) -> Multiaddr {
        self.node.info().multiaddrs[0].clone()
    }

    /// Waits until something holds; it is looked at after each event.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let waiting = async {
            loop {
                let changed = self.seen.changed.notified();
                if holds(self) {
                    return;
                }
                // Bytes and tables change without an event too.
                let _ = tokio::time::timeout(Duration::from_millis(50), changed).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("waited in vain for {what}; seen: {:#?}", self.seen.events.lock().unwrap());
        }
    }

    /// Waits for an event.
    pub async fn event<T>(&self, what: &str, find: impl Fn(&Event) -> Option<T>) -> T {
        let mut found = None;
        self.until(what, |p| {
            found = p.seen.events.lock().unwrap().iter().find_map(&find);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    pub fn saw(&self, find: impl FnMut(&Event) -> bool) -> bool {
        self.seen.events.lock().unwrap().iter().any(find)
    }

    pub async fn status(&self, status: Status) {
        self.until(&format!("{status:?}"), |p| p.node.info().status == status).await;
    }
}
