//! Settings: `settings` (map), `owner` (map).

use vivim_doc::{Doc, EditError, Value};

use super::{
    Document, SETTINGS, grouped,
    profile::{claim, fields, owner, plain, set_fields},
    text, unknown,
};
use crate::{
    edit,
    limits::{MAX_KEY, MAX_METADATA},
    record::{Record, size},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        own::{OwnState, SettingsOp, judge_settings},
    },
};

pub(super) struct Settings;

impl Document for Settings {
    type Op = SettingsOp;

    fn parse(name: &str, args: &Record, _: By<'_>) -> Result<SettingsOp, Refusal> {
        Ok(match name {
            "create" => SettingsOp::Claim,
            "delete" => SettingsOp::Delete(text(args, "key", MAX_KEY)?),
            "set" => {
                let key = text(args, "key", MAX_KEY)?;
                let value = args.get("value").cloned().unwrap_or(Value::Null);
                if size(&value) > MAX_METADATA {
                    return Err(Refusal::invalid("value", "at most 16 KiB"));
                }
                SettingsOp::Update(Record::new().with(&key, value))
            }
            "update" => SettingsOp::Update(fields(args)?),
            _ => return Err(unknown("operation on settings", name)),
        })
    }

    fn run(
        doc: &mut Doc,
        op: &SettingsOp,
        by: By<'_>,
        is_real: bool,
    ) -> Result<Value, SocialError> {
        let state = state(doc, Some(op))?;
        judge_settings(op, by, &state)?;
        if !is_real {
            return Ok(Value::Null);
        }
        grouped(doc, |doc| {
            claim(doc, by, &state)?;
            match op {
                SettingsOp::Claim => {}
                SettingsOp::Delete(key) => edit::unset(doc, SETTINGS, key)?,
                SettingsOp::Update(changes) => set_fields(doc, SETTINGS, changes)?,
            }
            Ok(Value::Bool(true))
        })
    }

    fn view(doc: &mut Doc, name: &str, _: &Record) -> Result<Value, SocialError> {
        Ok(match name {
            "did" => owner(doc)?.map_or(Value::Null, Value::from),
            "settings" => Value::Map(plain(edit::map(doc, SETTINGS)?)),
            _ => return Err(unknown("view of settings", name).into()),
        })
    }
}

/// What the rules need to know of settings: for one operation, or everything.
pub fn state(doc: &mut Doc, op: Option<&SettingsOp>) -> Result<OwnState, EditError> {
    let mut settings = edit::map(doc, SETTINGS)?;
    if let Some(SettingsOp::Update(changes)) = op {
        // Those that are replaced take no more room.
        settings.retain(|key, _| changes.get(key).is_none());
    }
    Ok(OwnState { owner: owner(doc)?, len: settings.len() })
}

/// Makes an operation on settings, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &SettingsOp, by: By<'_>) -> Result<Value, SocialError> {
    Settings::run(doc, op, by, true)
}
