use futures::channel::mpsc;
use libp2p::identity::Keypair;
use vivim_proto::limits::MAX_MEMBERS;

use super::*;
use crate::config::Config;

fn peer() -> PeerId {
    Keypair::generate_ed25519().public().to_peer_id()
}

fn actor(relay: PeerId) -> Actor {
    let address = format!("/ip4/127.0.0.1/tcp/1/p2p/{relay}").parse().unwrap();
    let (_, commands) = mpsc::channel(1);
    let (events, _) = mpsc::channel(1);
    Actor::new(Config::default().bootstrap([address]), commands, events).unwrap().0
}

#[tokio::test]
async fn a_large_room_whose_relay_has_gone_is_gone_through_without_a_call_for_each_member() {
    let relay = peer();
    let mut actor = actor(relay);
    actor.relays.get_mut(&relay).unwrap().connection = Some(ConnectionId::new_unchecked(1));
    let room = actor.join_room("hall").unwrap();
    for _ in 0..MAX_MEMBERS {
        actor.on_member_joined(room, peer(), true);
    }
    actor.relays.get_mut(&relay).unwrap().connection = None;
    let neighbour = *actor.rooms.map.get(&room).unwrap().policy.neighbours().next().unwrap();
    // Nobody can be dialled, so one neighbour after the other is given up for the next.
    actor.on_room_peer_dial_error(neighbour);
    assert_eq!(actor.neighbours(room).len(), vivim_proto::limits::NEIGHBOURS);
}
