//! What happened in a document and what is taken back: changes, undo, places that stay.

use std::time::Duration;

use js_sys::Array;
use vivim_doc::{
    Assoc, ChangeDelta, ChangeEvent, ChangeOrigin, ClientId, Doc, EditError, Entry, KeyChange,
    ListOp, PathPart, UndoScope,
};
use wasm_bindgen::prelude::*;

use super::{Handles, handles, text};
use crate::{document::RawDocument, failure::Failure, js, value};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
/** One step of a delta; `insert` is an array of values in lists. */
export interface RawDeltaOp { insert?: unknown; retain?: number; delete?: number; attributes?: unknown }
/** What happened to one key. */
export interface RawKeyChange { key: string; action: 'add' | 'update' | 'delete'; oldValue: unknown; newValue: unknown }
/** One transaction's change of one shared type. */
export interface RawChange {
  /** The shared type that is observed; the path leads from there to the target. */
  observed: number
  /** Whether it's observed with all that is in it. */
  deep: boolean
  target: number
  kind: 1 | 2 | 3 | 4 | 5 | 6
  origin: 'local' | 'remote' | 'undo'
  path: (string | number)[]
  delta: RawDeltaOp[]
  keys: RawKeyChange[]
}
";

impl RawDocument {
    /// Asks a history of undo.
    fn undo_of<T>(
        &self,
        number: u32,
        f: impl FnOnce(&mut Doc, UndoScope) -> T,
    ) -> Result<T, JsValue> {
        let scope = self.handles.undo(number)?;
        self.replica.edit(|doc| Ok::<_, EditError>(f(doc, scope)))
    }
}

#[wasm_bindgen]
impl RawDocument {
    /// Wants to know of changes of a shared type; `deep`: and of all that is in it.
    ///
    /// # Errors
    ///
    /// `GONE`.
    pub fn observe(&self, handle: u32, deep: bool) -> Result<(), JsValue> {
        self.read(handle, |doc, id| doc.observe(id, deep))
    }

    /// Doesn't want to know any more.
    ///
    /// # Errors
    ///
    /// None that can be met.
    pub fn unobserve(&self, handle: u32, deep: bool) -> Result<(), JsValue> {
        self.read(handle, |doc, id| {
            doc.unobserve(id, deep);
            Ok(())
        })
    }

    /// The changes of what is observed since the last call, oldest first.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = takeEvents, unchecked_return_type = "RawChange[]")]
    pub fn take_events(&self) -> Result<Array, JsValue> {
        let events = self.replica.read(|doc| Ok(doc.take_events()))?;
        Ok(events.iter().map(|event| event_to_js(&self.handles, event)).collect())
    }

    /// True, once, if changes were dropped because there were too many.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = takeEventsLost)]
    pub fn take_events_lost(&self) -> Result<bool, JsValue> {
        self.replica.read(|doc| Ok(doc.take_events_lost()))
    }

    /// Begins a history of undo of some shared types; gives its number.
    ///
    /// # Errors
    ///
    /// `GONE`, `LIMIT`.
    #[wasm_bindgen(js_name = undoOpen)]
    pub fn undo_open(&self, handles: &[u32], capture_ms: f64) -> Result<u32, JsValue> {
        let types = handles.iter().map(|handle| self.handles.get(*handle));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        // The facade has made sure that it's a number from 0.
        let capture = Duration::from_millis(capture_ms as u64);
        let scope = self.replica.read(|doc| doc.undo_scope(&types, capture))?;
        Ok(self.handles.add_undo(scope))
    }

    /// Takes the last step back; false if there was none.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    pub fn undo(&self, number: u32) -> Result<bool, JsValue> {
        self.undo_of(number, Doc::undo)
    }

    /// Does again what was undone; false if there was nothing.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    pub fn redo(&self, number: u32) -> Result<bool, JsValue> {
        self.undo_of(number, Doc::redo)
    }

    /// How many steps can be undone and done again.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    #[wasm_bindgen(js_name = undoDepth)]
    pub fn undo_depth(&self, number: u32) -> Result<Vec<u32>, JsValue> {
        let scope = self.handles.undo(number)?;
        let (undo, redo) = self.replica.read(|doc| Ok(doc.undo_depth(scope)))?;
        Ok(vec![undo as u32, redo as u32])
    }

    /// The next edit begins a step.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    #[wasm_bindgen(js_name = undoStop)]
    pub fn undo_stop(&self, number: u32) -> Result<(), JsValue> {
        self.undo_of(number, Doc::undo_stop_capturing)
    }

    /// Forgets all steps.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    #[wasm_bindgen(js_name = undoClear)]
    pub fn undo_clear(&self, number: u32) -> Result<(), JsValue> {
        self.undo_of(number, Doc::undo_clear)
    }

    /// Ends a history of undo.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = undoClose)]
    pub fn undo_close(&self, number: u32) -> Result<(), JsValue> {
        let Some(scope) = self.handles.remove_undo(number) else { return Ok(()) };
        self.replica.read(|doc| {
            doc.undo_end(scope);
            Ok(())
        })
    }

    /// The place before the unit at an index, or behind the one before it.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `GONE`.
    #[wasm_bindgen(js_name = relativePosition)]
    pub fn relative_position(
        &self,
        handle: u32,
        index: u32,
        behind: bool,
    ) -> Result<Vec<u8>, JsValue> {
        let assoc = if behind { Assoc::Before } else { Assoc::After };
        self.read(handle, |doc, id| doc.relative_position(id, index, assoc))
    }

    /// Where such a place is: `[handle, kind, index]`.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = absolutePosition, unchecked_return_type = "Uint32Array | undefined")]
    pub fn absolute_position(&self, position: &[u8]) -> Result<JsValue, JsValue> {
        let found = self.replica.read(|doc| {
            let Some((id, index)) = doc.absolute_position(position) else { return Ok(None) };
            let Ok(kind) = doc.kind(&id) else { return Ok(None) };
            Ok(Some((kind, id, index)))
        })?;
        Ok(found.map_or(JsValue::UNDEFINED, |(kind, id, index)| {
            self.handles.shared(kind, &id, Some(index))
        }))
    }

    /// What the document is now, in Yjs' encoding of a snapshot.
    ///
    /// # Errors
    ///
    /// None that can be met.
    pub fn snapshot(&self) -> Result<Vec<u8>, JsValue> {
        self.replica.read(|doc| Ok(doc.snapshot()))
    }

    /// What was in the document at a snapshot, by name.
    ///
    /// # Errors
    ///
    /// `INVALID_UPDATE`, `NOT_FOUND` if the snapshot has what isn't here, `GONE` if what was deleted
    /// since has been forgotten.
    #[wasm_bindgen(js_name = jsonAt, unchecked_return_type = "unknown")]
    pub fn json_at(&self, snapshot: &[u8]) -> Result<JsValue, JsValue> {
        // It's read and thrown away, so any client will do.
        let client = ClientId::from_random(0);
        let then = self.replica.read(|doc| Ok(doc.at_snapshot(snapshot, client)))?;
        Ok(value::to_js(&then.map_err(Failure::from)?.to_value()))
    }
}

fn event_to_js(handles: &Handles, event: &ChangeEvent) -> JsValue {
    let delta = match &event.delta {
        ChangeDelta::List(ops) => ops.iter().map(|op| list_op_to_js(handles, op)).collect(),
        ChangeDelta::Text(ops) => text::delta_to_js(handles, ops),
    };
    let path = event.path.iter().map(|part| match part {
        PathPart::Index(index) => JsValue::from(*index),
        PathPart::Key(key) => key.as_str().into(),
    });
    let keys = event.keys.iter().map(|(key, change)| key_change_to_js(handles, key, change));
    let origin = match event.origin {
        ChangeOrigin::Local => "local",
        ChangeOrigin::Remote => "remote",
        ChangeOrigin::Undo => "undo",
    };
    js::object(&[
        ("observed", handles.of(&event.observed).into()),
        ("deep", event.deep.into()),
        ("target", handles.of(&event.target).into()),
        ("kind", handles::number(event.kind).into()),
        ("origin", origin.into()),
        ("path", path.collect::<Array>().into()),
        ("delta", delta.into()),
        ("keys", keys.collect::<Array>().into()),
    ])
}

fn list_op_to_js(handles: &Handles, op: &ListOp) -> JsValue {
    match op {
        ListOp::Delete(len) => js::object(&[("delete", (*len).into())]),
        ListOp::Insert(entries) => js::object(&[("insert", handles.entries(entries).into())]),
        ListOp::Retain(len) => js::object(&[("retain", (*len).into())]),
    }
}

fn key_change_to_js(handles: &Handles, key: &str, change: &KeyChange) -> JsValue {
    let entry =
        |entry: Option<&Entry>| entry.map_or(JsValue::UNDEFINED, |entry| handles.entry(entry));
    let (action, old, new) = match change {
        KeyChange::Add(new) => ("add", None, Some(new)),
        KeyChange::Delete(old) => ("delete", Some(old), None),
        KeyChange::Update { new, old } => ("update", Some(old), Some(new)),
    };
    js::object(&[
        ("key", key.into()),
        ("action", action.into()),
        ("oldValue", entry(old)),
        ("newValue", entry(new)),
    ])
}
