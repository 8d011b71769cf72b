//! The handle: a cheap clone that puts commands into the actor's queue.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures::{
    SinkExt, Stream,
    channel::{mpsc, oneshot},
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use vivim_proto::{
    id::{DocId, RoomId},
    sync::ReplicaResult,
};

use crate::{
    actor::Actor,
    command::{Command, Reply},
    config::Config,
    error::{CommandError, ConnectError, RoomError, StartError, StreamError, TopicError},
    event::{CallId, Connection, Diagnosis, Event, NodeInfo, PeerInfo, RoomPeer},
    limits,
};

/// A node. Clones are the same node.
#[derive(Clone, Debug)]
pub struct Node {
    commands: mpsc::Sender<Command>,
    shared: Arc<Mutex<Shared>>,
}

/// What getters read without waiting for the actor. The actor writes it; the lock is never held
/// across anything that waits.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) info: NodeInfo,
    pub(crate) connections: Vec<LiveConnection>,
    pub(crate) rooms: std::collections::HashMap<RoomId, Vec<RoomPeer>>,
}

/// A connection with its counters, which go on counting between two events.
#[derive(Debug)]
pub(crate) struct LiveConnection {
    pub(crate) connection: Connection,
    pub(crate) bytes: Arc<crate::meter::Counters>,
}

/// Events of one node, in order.
#[derive(Debug)]
pub struct EventStream(pub(crate) mpsc::Receiver<Event>);

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

/// A stream of an application protocol.
#[derive(Debug)]
pub struct AppStream {
    /// Who is at the other end.
    pub peer: PeerId,
    /// What was negotiated.
    pub protocol: StreamProtocol,
    /// Whether it runs over a direct connection.
    pub direct: bool,
    /// The bytes: `AsyncRead`, `AsyncWrite`; `close` half-closes, dropping it resets.
    pub stream: libp2p::Stream,
}

/// Inbound streams of one protocol. Dropping it makes the node refuse further ones.
#[derive(Debug)]
pub struct IncomingStreams {
    streams: mpsc::Receiver<AppStream>,
    protocol: StreamProtocol,
    node: Node,
}

impl Stream for IncomingStreams {
    type Item = AppStream;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AppStream>> {
        Pin::new(&mut self.streams).poll_next(cx)
    }
}

impl Drop for IncomingStreams {
    fn drop(&mut self) {
        self.node.tell(Command::Unhandle(self.protocol.clone()));
    }
}

impl Node {
    /// A node, its events and its actor. Nothing happens before the actor runs.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    #[allow(clippy::new_ret_no_self)]
    pub fn new(config: Config) -> Result<(Self, EventStream, Actor), StartError> {
        let (commands, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
        let (events, stream) = mpsc::channel(limits::EVENT_QUEUE);
        let (actor, shared) = Actor::new(config, inbox, events)?;
        Ok((Self { commands, shared }, EventStream(stream), actor))
    }

    fn shared<T>(&self, read: impl FnOnce(&Shared) -> T) -> T {
        // A poisoned lock only means that a panic happened elsewhere; the data are plain values.
        read(&self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// This node's id.
    pub fn peer_id(&self) -> PeerId {
        self.shared(|s| s.info.peer_id)
    }

    /// The node at a glance.
    pub fn info(&self) -> NodeInfo {
        self.shared(|s| s.info.clone())
    }

    /// Live connections.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared(|s| {
            s.connections
                .iter()
                .map(|live| {
                    let mut connection = live.connection.clone();
                    (connection.bytes_sent, connection.bytes_received) = live.bytes.read();
                    connection
                })
                .collect()
        })
    }

    /// Members of a room besides us, as far as known.
    pub fn room_peers(&self, room: RoomId) -> Vec<RoomPeer> {
        self.shared(|s| s.rooms.get(&room).cloned().unwrap_or_default())
    }

    async fn ask<T, E: From<CommandError>>(
        &self,
        command: impl FnOnce(Reply<T, E>) -> Command,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.clone().send(command(reply)).await;
        sent.map_err(|_| CommandError::Stopped)?;
        answer.await.map_err(|_| CommandError::Stopped)?
    }

    /// For what can't wait. A clone of the sender has a place of its own in the queue, so this
    /// fails only when the actor is gone.
    fn tell(&self, command: Command) -> bool {
        self.commands.clone().try_send(command).is_ok()
    }

    /// Dials an address that ends in `/p2p/<id>` (or names a transport address alone) and waits
    /// until connected; a peer that is connected already is answered at once.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn connect(&self, address: Multiaddr) -> Result<PeerId, ConnectError> {
        self.ask(|r| Command::Connect(address, r)).await
    }

    /// Closes all connections to a peer and dials it no more until it is connected to again.
    ///
    /// # Errors
    ///
    /// [`CommandError::Stopped`].
    pub async fn disconnect(&self, peer: PeerId) -> Result<(), CommandError> {
        self.ask(|r| Command::Disconnect(peer, r)).await
    }

    /// Stores a record in the DHT.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoPeers`] without a DHT server, [`CommandError::TooLarge`] over
    /// [`limits::MAX_DHT_VALUE`].
    pub async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), CommandError> {
        self.ask(|r| Command::Put(key, value, r)).await
    }

    /// Looks a record up in the DHT.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoPeers`] without a DHT server.
    pub async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, CommandError> {
        self.ask(|r| Command::Get(key, r)).await
    }

    /// What is known of a peer; asks the DHT when nothing is.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotFound`].
    pub async fn find_peer(&self, peer: PeerId) -> Result<PeerInfo, CommandError> {
        self.ask(|r| Command::FindPeer(peer, r)).await
    }

    /// Subscribes; messages come as [`Event::Message`]. Topics that begin with `/` are left as
    /// they are, others become `/vivim/<name>`.
    ///
    /// # Errors
    ///
    /// See [`TopicError`].
    pub async fn subscribe(&self, topic: String) -> Result<(), TopicError> {
        self.ask(|r| Command::Subscribe(topic, r)).await
    }

    /// Unsubscribes.
    ///
    /// # Errors
    ///
    /// See [`TopicError`].
    pub async fn unsubscribe(&self, topic: String) -> Result<(), TopicError> {
        self.ask(|r| Command::Unsubscribe(topic, r)).await
    }

    /// Publishes a signed message to whoever subscribes among the peers connected. Having
    /// nobody to send it to is not an error.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLarge`] over [`limits::MAX_GOSSIP_MESSAGE`].
    pub async fn publish(&self, topic: String, data: Vec<u8>) -> Result<(), TopicError> {
        self.ask(|r| Command::Publish(topic, data, r)).await
    }

    /// Accepts streams of an application protocol.
    ///
    /// # Errors
    ///
    /// [`StreamError::InvalidProtocol`], [`StreamError::AlreadyHandled`].
    pub async fn handle(&self, protocol: String) -> Result<IncomingStreams, StreamError> {
        let protocol = parse_protocol(protocol)?;
        let (sender, streams) = mpsc::channel(limits::INCOMING_STREAMS);
        self.ask(|r| Command::Handle(protocol.clone(), sender, r)).await?;
        Ok(IncomingStreams { streams, protocol, node: self.clone() })
    }

    /// Opens a stream to a connected peer, over the direct connection if there is one.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn open_stream(
        &self,
        peer: PeerId,
        protocol: String,
    ) -> Result<AppStream, StreamError> {
        let protocol = parse_protocol(protocol)?;
        self.ask(|r| Command::OpenStream(peer, protocol, r)).await
    }

    /// Measures a round trip to a connected peer over `/ipfs/ping/1.0.0`.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn ping(&self, peer: PeerId) -> Result<std::time::Duration, StreamError> {
        self.ask(|r| Command::Ping(peer, r)).await
    }

    /// Joins a room by its name: its members find each other through the relays. Joining twice
    /// is harmless.
    ///
    /// # Errors
    ///
    /// See [`RoomError`].
    pub async fn join_room(&self, name: String) -> Result<RoomId, RoomError> {
        self.ask(|r| Command::JoinRoom(name, r)).await
    }

    /// Leaves a room and closes its documents here.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotJoined`].
    pub async fn leave_room(&self, room: RoomId) -> Result<(), RoomError> {
        self.ask(|r| Command::LeaveRoom(room, r)).await
    }

    /// Attaches the replica of a document of a joined room: from now on the actor asks it by
    /// [`Event::Replica`].
    ///
    /// # Errors
    ///
    /// See [`RoomError`].
    pub async fn open_document(&self, room: RoomId, name: String) -> Result<DocId, RoomError> {
        self.ask(|r| Command::OpenDocument(room, name, r)).await
    }

    /// Detaches a replica.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotJoined`] if it isn't attached.
    pub async fn close_document(&self, doc: DocId) -> Result<(), RoomError> {
        self.ask(|r| Command::CloseDocument(doc, r)).await
    }

    /// A replica's answer to [`Event::Replica`]. False if the node is stopped.
    pub fn respond(&self, doc: DocId, id: CallId, result: ReplicaResult) -> bool {
        self.tell(Command::Respond(doc, id, result))
    }

    /// Tells of a change that was made here, and of its number: the changes of one document count
    /// up by one. [`DocumentEvent::Reached`](crate::DocumentEvent::Reached) says by these numbers how
    /// far each peer has them. The replica must contain the change already. False if the node is
    /// stopped.
    pub fn local_change(&self, doc: DocId, change: u64, update: Vec<u8>) -> bool {
        self.tell(Command::LocalChange(doc, change, update))
    }

    /// Tells that the replica contains all changes up to this number, for which
    /// [`local_change`](Self::local_change) was not called: those made before the document was
    /// opened here. Call it when the document is open and before its first question is answered.
    /// False if the node is stopped.
    pub fn note_change(&self, doc: DocId, change: u64) -> bool {
        self.tell(Command::NoteChange(doc, change))
    }

    /// Tells every peer that has the document open that whatever this replica has answered
    /// [`Applied`](ReplicaResult::Applied) for so far will survive a restart. False if the node is
    /// stopped.
    pub fn stored(&self, doc: DocId) -> bool {
        self.tell(Command::Stored(doc))
    }

    /// Tells of a change that was made here, without a number:
    /// [`DocumentEvent::Reached`](crate::DocumentEvent::Reached) says nothing about it. False if the
    /// node is stopped.
    pub fn local_update(&self, doc: DocId, update: Vec<u8>) -> bool {
        self.tell(Command::LocalUpdate(doc, update))
    }

    /// Tells of this device's awareness. False if the node is stopped.
    pub fn local_awareness(&self, doc: DocId, update: Vec<u8>) -> bool {
        self.tell(Command::LocalAwareness(doc, update))
    }

    /// Exchanges summaries of a document with every peer again, because the replica had to drop
    /// something. False if the node is stopped.
    pub fn resummarize(&self, doc: DocId) -> bool {
        self.tell(Command::Resummarize(doc))
    }

    /// Tells that the platform's network came or went: `true` redials everything at once.
    pub fn network_changed(&self, online: bool) -> bool {
        self.tell(Command::NetworkChanged(online))
    }

    /// What is known about connectivity.
    ///
    /// # Errors
    ///
    /// [`CommandError::Stopped`].
    pub async fn diagnose(&self) -> Result<Diagnosis, CommandError> {
        self.ask(Command::Diagnose).await
    }

    /// Stops the node: leaves rooms, closes streams and connections. [`Event::Stopped`] follows.
    ///
    /// # Errors
    ///
    /// [`CommandError::Stopped`] if it was stopped before.
    pub async fn stop(&self) -> Result<(), CommandError> {
        self.ask(Command::Stop).await
    }
}

fn parse_protocol(name: String) -> Result<StreamProtocol, StreamError> {
    StreamProtocol::try_from_owned(name.clone()).map_err(|_| StreamError::InvalidProtocol(name))
}
