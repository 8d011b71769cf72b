//! What a handle asks of the actor. Each command carries the way back of its answer.

use futures::channel::{mpsc, oneshot};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use vivim_proto::{
    id::{DocId, RoomId},
    sync::ReplicaResult,
};

use crate::{
    error::{CommandError, ConnectError, RoomError, StreamError, TopicError},
    event::{CallId, Diagnosis, PeerInfo},
    handle::AppStream,
};

/// The way back of an answer.
pub type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// What a handle asks of the actor.
#[derive(Debug)]
#[non_exhaustive]
pub enum Command {
    /// Dial and wait until connected.
    Connect(Multiaddr, Reply<PeerId, ConnectError>),
    /// Close all connections to a peer.
    Disconnect(PeerId, Reply<(), CommandError>),
    /// Store a DHT record.
    Put(Vec<u8>, Vec<u8>, Reply<(), CommandError>),
    /// Look a DHT record up.
    Get(Vec<u8>, Reply<Option<Vec<u8>>, CommandError>),
    /// Find a peer's addresses.
    FindPeer(PeerId, Reply<PeerInfo, CommandError>),
    /// Subscribe to a topic.
    Subscribe(String, Reply<(), TopicError>),
    /// Unsubscribe from a topic.
    Unsubscribe(String, Reply<(), TopicError>),
    /// Publish on a topic.
    Publish(String, Vec<u8>, Reply<(), TopicError>),
    /// Accept streams of a protocol.
    Handle(StreamProtocol, mpsc::Sender<AppStream>, Reply<(), StreamError>),
    /// Accept them no longer.
    Unhandle(StreamProtocol),
    /// Open a stream.
    OpenStream(PeerId, StreamProtocol, Reply<AppStream, StreamError>),
    /// Measure a round trip.
    Ping(PeerId, Reply<std::time::Duration, StreamError>),
    /// Join a room.
    JoinRoom(String, Reply<RoomId, RoomError>),
    /// Leave a room, closing its documents.
    LeaveRoom(RoomId, Reply<(), RoomError>),
    /// Attach a document's replica.
    OpenDocument(RoomId, String, Reply<DocId, RoomError>),
    /// Detach it.
    CloseDocument(DocId, Reply<(), RoomError>),
    /// A replica's answer.
    Respond(DocId, CallId, ReplicaResult),
    /// The replica changed here.
    LocalUpdate(DocId, Vec<u8>),
    /// The replica changed here; the application has numbered the change.
    LocalChange(DocId, u64, Vec<u8>),
    /// The replica has all changes up to this one, by whatever way.
    NoteChange(DocId, u64),
    /// Everything applied so far is durable.
    Stored(DocId),
    /// This device's awareness changed.
    LocalAwareness(DocId, Vec<u8>),
    /// The replica lost what an exchange of summaries brings again.
    Resummarize(DocId),
    /// The platform's network came (true) or went (false).
    NetworkChanged(bool),
    /// What is known about connectivity.
    Diagnose(Reply<Diagnosis, CommandError>),
    /// End.
    Stop(Reply<(), CommandError>),
}
