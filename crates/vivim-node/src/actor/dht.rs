//! DHT queries that the application waits for.

use std::{collections::HashMap, num::NonZeroUsize};

use libp2p::{
    Multiaddr, PeerId,
    kad::{self, GetRecordOk, QueryId, QueryResult, Quorum, Record, RecordKey},
};

use super::Actor;
use crate::{command::Reply, error::CommandError, event::PeerInfo, limits};

/// A query's purpose and the way back of its answer.
#[derive(Debug)]
pub(super) enum Query {
    Put(Reply<(), CommandError>),
    Get(Reply<Option<Vec<u8>>, CommandError>),
    Find(PeerId, Reply<PeerInfo, CommandError>),
}

/// Pending queries.
pub(super) type Queries = HashMap<QueryId, Query>;

const DHT: &str = "the DHT (enableDHT)";

impl Actor {
    #[inline(never)]
    pub(super) fn put(&mut self, key: &[u8], value: Vec<u8>, reply: Reply<(), CommandError>) {
        let size = value.len();
        let busy = self.queries.len() >= limits::MAX_PENDING;
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else {
            let _ = reply.send(Err(CommandError::Disabled(DHT)));
            return;
        };
        if size > limits::MAX_DHT_VALUE || busy {
            let limit = limits::MAX_DHT_VALUE;
            let _ = reply.send(Err(CommandError::TooLarge { what: "a DHT value", size, limit }));
            return;
        }
        let record = Record::new(RecordKey::new(&key), value);
        match kad.put_record(record, Quorum::One) {
            Ok(id) => {
                self.queries.insert(id, Query::Put(reply));
            }
            Err(_) => {
                let _ = reply.send(Err(CommandError::NoPeers("record")));
            }
        }
    }

    #[inline(never)]
    pub(super) fn get(&mut self, key: &[u8], reply: Reply<Option<Vec<u8>>, CommandError>) {
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else {
            let _ = reply.send(Err(CommandError::Disabled(DHT)));
            return;
        };
        let id = kad.get_record(RecordKey::new(&key));
        self.queries.insert(id, Query::Get(reply));
    }

    #[inline(never)]
    pub(super) fn find_peer(&mut self, peer: PeerId, reply: Reply<PeerInfo, CommandError>) {
        let info = self.peer_info(peer);
        if info.connected || !info.multiaddrs.is_empty() {
            let _ = reply.send(Ok(info));
            return;
        }
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else {
            let _ = reply.send(Err(CommandError::NotFound("the peer")));
            return;
        };
        let id = kad.get_n_closest_peers(peer.to_bytes(), NonZeroUsize::MIN);
        self.queries.insert(id, Query::Find(peer, reply));
    }

    fn peer_info(&self, peer: PeerId) -> PeerInfo {
        let known = self.known.get(&peer);
        let mut multiaddrs: Vec<Multiaddr> = known.map(|k| k.addresses.clone()).unwrap_or_default();
        for address in self.room_addresses(&peer) {
            if !multiaddrs.contains(&address) {
                multiaddrs.push(address);
            }
        }
        PeerInfo {
            peer,
            multiaddrs,
            protocols: known.map(|k| k.protocols.clone()).unwrap_or_default(),
            connected: self.connections.is_connected(&peer),
        }
    }

    pub(super) fn on_kad(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { id, result, step, .. } = event else { return };
        match result {
            QueryResult::PutRecord(result) => {
                if let Some(Query::Put(reply)) = self.queries.remove(&id) {
                    let _ = reply.send(result.map(drop).map_err(|error| match error {
                        kad::PutRecordError::QuorumFailed { .. } => CommandError::NoPeers("record"),
                        kad::PutRecordError::Timeout { .. } => {
                            CommandError::Timeout(limits::QUERY_TIMEOUT)
                        }
                    }));
                }
            }
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
                if let Some(Query::Get(reply)) = self.queries.remove(&id) {
                    let _ = reply.send(Ok(Some(found.record.value)));
                }
                if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut()
                    && let Some(mut query) = kad.query_mut(&id)
                {
                    query.finish();
                }
            }
            QueryResult::GetRecord(_) if step.last => {
                if let Some(Query::Get(reply)) = self.queries.remove(&id) {
                    let _ = reply.send(Ok(None));
                }
            }
            QueryResult::GetClosestPeers(result) if step.last => {
                if let Some(Query::Find(peer, reply)) = self.queries.remove(&id) {
                    let found =
                        result.ok().and_then(|ok| ok.peers.into_iter().find(|p| p.peer_id == peer));
                    let _ = reply.send(match found {
                        Some(found) => Ok(PeerInfo {
                            peer,
                            multiaddrs: found.addrs,
                            protocols: Vec::new(),
                            connected: false,
                        }),
                        None => Err(CommandError::NotFound("the peer")),
                    });
                }
            }
            _ => {}
        }
    }
}
