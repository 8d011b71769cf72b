//! The conflicts of a document that were found lately.
//!
//! Two devices changed one field without knowing of each other; the document's rule has chosen, and
//! both changes were seen. An application may want to show that, so the last ones are remembered,
//! with the devices as far as they are known.

use std::collections::VecDeque;

use vivim_doc::ClientId;

use crate::{
    Devices,
    limits::{MAX_CONFLICT_PATH, MAX_CONFLICTS},
};

/// Concurrent changes of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where, for people: the shared type and the keys below it. Cut at
    /// [`MAX_CONFLICT_PATH`] bytes.
    pub path: String,
    /// The device whose change stands; `client:ID` if it isn't known.
    pub winner: String,
    /// The devices whose changes met, sorted. One alone if both openings are the same device's.
    pub devices: Vec<String>,
    /// When it was found here, in milliseconds since 1970.
    pub found_at: u64,
}

/// The last conflicts, oldest first.
#[derive(Clone, Debug, Default)]
pub struct ConflictLog {
    kept: VecDeque<Conflict>,
    found: u64,
}

impl Conflict {
    /// Of a field that `winner` and `other` changed, by the ids of their openings.
    pub fn new(
        path: &str,
        winner: ClientId,
        other: ClientId,
        devices: &Devices,
        found_at: u64,
    ) -> Self {
        let winner = devices.of(winner).into_owned();
        let mut involved = vec![winner.clone(), devices.of(other).into_owned()];
        involved.sort();
        involved.dedup();
        let path = path.get(..path.floor_char_boundary(MAX_CONFLICT_PATH)).unwrap_or(path);
        Self { path: path.to_owned(), winner, devices: involved, found_at }
    }
}

impl ConflictLog {
    /// Remembers a conflict, and forgets the oldest of too many.
    pub fn push(&mut self, conflict: Conflict) {
        self.found += 1;
        if self.kept.len() >= MAX_CONFLICTS {
            self.kept.pop_front();
        }
        self.kept.push_back(conflict);
    }

    /// Those that are remembered, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Conflict> {
        self.kept.iter()
    }

    /// The newest.
    pub fn last(&self) -> Option<&Conflict> {
        self.kept.back()
    }

    /// How many were found since the document was opened.
    pub fn found(&self) -> u64 {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientId = ClientId::from_random(1);
    const B: ClientId = ClientId::from_random(2);
    const C: ClientId = ClientId::from_random(3);

    #[test]
    fn a_conflict_names_the_devices_as_far_as_they_are_known() {
        let mut devices = Devices::default();
        devices.learn(A, "phone");
        devices.learn(B, "phone");
        let conflict = Conflict::new("settings.theme", B, C, &devices, 7);
        assert_eq!(conflict.winner, "phone");
        assert_eq!(conflict.devices, ["client:3", "phone"]);
        let alone = Conflict::new("settings.theme", A, B, &devices, 7);
        assert_eq!(alone.devices, ["phone"]);
    }

    #[test]
    fn only_the_last_ones_are_kept_and_paths_are_cut() {
        let devices = Devices::default();
        let mut log = ConflictLog::default();
        for n in 0..1_000 {
            log.push(Conflict::new(&"ä".repeat(10_000), A, B, &devices, n));
        }
        assert_eq!((log.iter().len(), log.found()), (MAX_CONFLICTS, 1_000));
        assert_eq!(log.last().map(|conflict| conflict.found_at), Some(999));
        assert!(log.iter().all(|conflict| conflict.path.len() <= MAX_CONFLICT_PATH));
    }
}
