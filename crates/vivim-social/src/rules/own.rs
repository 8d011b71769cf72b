//! What may be done with a profile or with settings: everything, by the one they belong to.

use crate::{
    limits::{MAX_CIRCLES, MAX_KEYS},
    record::Record,
    refusal::Refusal,
    rules::{By, check_room},
};

/// An operation on a profile.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProfileOp {
    /// Names a circle.
    AddCircle(String),
    /// Takes the profile as one's own. Control.
    Claim,
    /// Names a circle no more.
    RemoveCircle(String),
    /// Changes fields of the picture.
    SetAvatar(Record),
    /// Edits the biography.
    SetBio(String),
    /// Edits the name.
    SetDisplayName(String),
}

/// An operation on settings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SettingsOp {
    /// Takes the settings as one's own. Control.
    Claim,
    /// Takes a setting away.
    Delete(String),
    /// Sets some settings.
    Update(Record),
}

/// A profile or settings, as far as rules go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnState {
    /// Whom it belongs to: who claimed it first.
    pub owner: Option<String>,
    /// How many circles or settings there are.
    pub len: usize,
}

impl ProfileOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        matches!(self, Self::Claim)
    }
}

impl SettingsOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        matches!(self, Self::Claim)
    }
}

impl OwnState {
    /// The author must be the owner. What belongs to nobody yet is claimed by its first edit.
    fn must_own(&self, by: By<'_>) -> Result<(), Refusal> {
        self.owner.as_deref().map_or(Ok(()), |owner| by.must_be(owner))
    }
}

/// Judges an operation on a profile.
pub fn judge_profile(op: &ProfileOp, by: By<'_>, state: &OwnState) -> Result<(), Refusal> {
    state.must_own(by)?;
    match op {
        ProfileOp::AddCircle(_) => check_room("circles", state.len, MAX_CIRCLES),
        _ => Ok(()),
    }
}

/// Judges an operation on settings.
pub fn judge_settings(op: &SettingsOp, by: By<'_>, state: &OwnState) -> Result<(), Refusal> {
    state.must_own(by)?;
    match op {
        SettingsOp::Update(changes) => {
            let added = changes.iter().count();
            check_room("settings", (state.len + added).saturating_sub(1), MAX_KEYS)
        }
        _ => Ok(()),
    }
}
