//! What each command does.

use super::{Actor, links::Opening};
use crate::{
    command::{Command, Reply},
    error::StreamError,
    event::Diagnosis,
    handle::AppStream,
    limits,
};
use futures::channel::mpsc;
use libp2p::{PeerId, StreamProtocol};

impl Actor {
    /// The commands that come with every letter, and apart from them the many that don't.
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Respond(doc, call, result) => self.on_replica(doc, call, result),
            Command::LocalUpdate(doc, update) => self.local_update(doc, update.into()),
            Command::LocalChange(doc, change, update) => {
                self.local_change(doc, change, update.into());
            }
            Command::NoteChange(doc, change) => self.note_change(doc, change),
            Command::Stored(doc) => self.stored(doc),
            Command::LocalAwareness(doc, update) => self.local_awareness(doc, update.into()),
            Command::Resummarize(doc) => self.resummarize_all(doc),
            command => self.on_rare_command(command),
        }
    }

    // Rare: see `Actor::round`. What most of these need stands apart: no page calls it at first, and it can come in
    // the second file of the package.
    #[inline(never)]
    fn on_rare_command(&mut self, command: Command) {
        // An answer that nobody waits for any more is dropped.
        match command {
            Command::Connect(address, reply) => self.connect(address, reply),
            Command::Disconnect(peer, reply) => {
                self.disconnect(peer);
                let _ = reply.send(Ok(()));
            }
            Command::Put(key, value, reply) => self.put(&key, value, reply),
            Command::Get(key, reply) => self.get(&key, reply),
            Command::FindPeer(peer, reply) => self.find_peer(peer, reply),
            Command::Subscribe(topic, reply) => drop(reply.send(self.subscribe(topic))),
            Command::Unsubscribe(topic, reply) => drop(reply.send(self.unsubscribe(&topic))),
            Command::Publish(topic, data, reply) => drop(reply.send(self.publish(&topic, data))),
            Command::Handle(protocol, streams, reply) => {
                drop(reply.send(self.handle_protocol(protocol, streams)));
            }
            Command::Unhandle(protocol) => self.unhandle(&protocol),
            Command::OpenStream(peer, protocol, reply) => self.open_stream(peer, protocol, reply),
            Command::Ping(peer, reply) => self.ping(peer, reply),
            Command::JoinRoom(name, reply) => drop(reply.send(self.join_room(&name))),
            Command::LeaveRoom(room, reply) => drop(reply.send(self.leave_room(room))),
            Command::OpenDocument(room, name, reply) => {
                drop(reply.send(self.open_document(room, &name)));
            }
            Command::CloseDocument(doc, reply) => drop(reply.send(self.close_document(doc))),
            Command::NetworkChanged(online) => self.network_changed(online),
            Command::Diagnose(reply) => drop(reply.send(Ok(self.diagnose()))),
            Command::Stop(reply) => {
                self.stopping = Some(reply);
                self.stop();
            }
            command @ (Command::Respond(..)
            | Command::LocalUpdate(..)
            | Command::LocalChange(..)
            | Command::NoteChange(..)
            | Command::Stored(..)
            | Command::LocalAwareness(..)
            | Command::Resummarize(..)) => self.on_command(command),
        }
    }

    #[inline(never)]
    fn disconnect(&mut self, peer: PeerId) {
        self.explicit.remove(&peer);
        self.forget_room_peer(peer);
        // An error says that there was no connection.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    #[inline(never)]
    fn handle_protocol(
        &mut self,
        protocol: StreamProtocol,
        streams: mpsc::Sender<AppStream>,
    ) -> Result<(), StreamError> {
        let name = protocol.as_ref().to_owned();
        let taken = self.handlers.contains_key(&protocol)
            || self.handlers.len() >= limits::MAX_PROTOCOLS
            || !self.swarm.behaviour_mut().streams.accept(protocol.clone());
        if taken {
            return Err(StreamError::AlreadyHandled(name));
        }
        self.handlers.insert(protocol, streams);
        self.stale = true;
        Ok(())
    }

    #[inline(never)]
    fn unhandle(&mut self, protocol: &StreamProtocol) {
        if self.handlers.remove(protocol).is_some() {
            self.swarm.behaviour_mut().streams.refuse(protocol);
            self.stale = true;
        }
    }

    #[inline(never)]
    fn open_stream(
        &mut self,
        peer: PeerId,
        protocol: StreamProtocol,
        reply: Reply<AppStream, StreamError>,
    ) {
        let Some(connection) = self.connections.best(&peer) else {
            let _ = reply.send(Err(StreamError::NotConnected(peer)));
            return;
        };
        self.open(peer, connection, protocol.clone(), Opening::App(protocol, reply));
    }

    #[inline(never)]
    fn ping(&mut self, peer: PeerId, reply: Reply<std::time::Duration, StreamError>) {
        let Some(connection) = self.connections.best(&peer) else {
            let _ = reply.send(Err(StreamError::NotConnected(peer)));
            return;
        };
        self.open(peer, connection, libp2p::ping::PROTOCOL_NAME, Opening::Ping(reply));
    }

    #[inline(never)]
    fn network_changed(&mut self, online: bool) {
        self.online = online;
        self.stale = true;
        if online {
            self.retry_relays_now();
            self.retry_peers_now();
        }
    }

    #[inline(never)]
    fn diagnose(&self) -> Diagnosis {
        let (mut direct_peers, mut relayed_peers) = (0, 0);
        let mut seen = std::collections::HashSet::new();
        for (_, entry) in self.connections.iter() {
            if self.relays.contains(&entry.peer) || !seen.insert(entry.peer) {
                continue;
            }
            match self.connections.is_direct(&entry.peer) {
                true => direct_peers += 1,
                false => relayed_peers += 1,
            }
        }
        Diagnosis {
            relays: self.diagnose_relays(),
            direct_peers,
            relayed_peers,
            failed_upgrades: self.failed_upgrades,
            last_upgrade_error: self.last_upgrade_error.clone(),
        }
    }
}
