//! From the relayed connection to the direct one, and the end of the relayed one.

use libp2p::{
    PeerId,
    swarm::{ConnectionId, NetworkBehaviour},
};

use super::{Actor, timers::Timer};
use crate::{
    event::WarningCode,
    limits,
    platform::{self, DirectUpgrade, UpgradeNotice},
};

impl Actor {
    pub(super) fn on_upgrade(&mut self, event: <DirectUpgrade as NetworkBehaviour>::ToSwarm) {
        match platform::upgrade_notice(event) {
            UpgradeNotice::Failed { peer, reason } => {
                self.failed_upgrades += 1;
                self.warn(
                    WarningCode::UpgradeFailed,
                    format!("no direct connection to {peer}, the relayed one is kept: {reason}"),
                );
                self.last_upgrade_error = Some(reason);
            }
            UpgradeNotice::Other => {}
        }
    }

    /// The peer answered on a connection.
    pub(super) fn on_alive(&mut self, id: ConnectionId) {
        let peer = self.connections.get(id).filter(|e| e.direct).map(|e| e.peer);
        if let Some(peer) = peer {
            self.on_direct_proven(peer);
        }
    }

    /// The direct connection works: the relayed ones have done their work, after a while in which
    /// what is under way there arrives.
    pub(super) fn on_direct_proven(&mut self, peer: PeerId) {
        let relayed: Vec<ConnectionId> =
            self.connections.of(&peer).filter(|(_, e)| !e.direct).map(|(id, _)| id).collect();
        for id in relayed {
            self.timers.after(limits::RELAYED_LINGER, Timer::Relayed(id));
        }
    }

    pub(super) fn on_relayed_timer(&mut self, id: ConnectionId) {
        let Some(entry) = self.connections.get(id) else { return };
        let peer = entry.peer;
        // Only while the direct one is still there.
        if self.connections.is_direct(&peer) {
            self.swarm.close_connection(id);
        }
    }
}
