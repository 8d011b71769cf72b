//! Shared types as numbers.

use std::{cell::RefCell, collections::HashMap};

use js_sys::{Array, Uint32Array};
use vivim_doc::{Entry, Kind, TypeId, UndoScope};
use wasm_bindgen::JsValue;

use crate::{failure::Failure, value};

/// The shared types of one document that JavaScript has asked for, by number. A type keeps its
/// number, so there are at most as many as there are types in the document's history.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    table: RefCell<Table>,
    /// By number; `None` if it has ended, and the number is free.
    undo_scopes: RefCell<Vec<Option<UndoScope>>>,
}

#[derive(Debug, Default)]
struct Table {
    types: Vec<TypeId>,
    handles: HashMap<TypeId, u32>,
}

impl Handles {
    /// The number of a shared type.
    pub(crate) fn of(&self, id: &TypeId) -> u32 {
        let mut table = self.table.borrow_mut();
        if let Some(handle) = table.handles.get(id) {
            return *handle;
        }
        let handle = table.types.len() as u32;
        table.types.push(id.clone());
        table.handles.insert(id.clone(), handle);
        handle
    }

    pub(crate) fn get(&self, handle: u32) -> Result<TypeId, Failure> {
        let id = self.table.borrow().types.get(handle as usize).cloned();
        id.ok_or_else(|| Failure::new("INTERNAL", "there is no shared type of this number"))
    }

    /// Gives a history of undo a number.
    pub(crate) fn add_undo(&self, scope: UndoScope) -> u32 {
        let mut scopes = self.undo_scopes.borrow_mut();
        let free = scopes.iter().position(Option::is_none).unwrap_or(scopes.len());
        match scopes.get_mut(free) {
            Some(slot) => *slot = Some(scope),
            None => scopes.push(Some(scope)),
        }
        free as u32
    }

    pub(crate) fn undo(&self, number: u32) -> Result<UndoScope, Failure> {
        let scope = self.undo_scopes.borrow().get(number as usize).copied().flatten();
        scope.ok_or_else(|| Failure::new("CLOSED", "this UndoManager was closed"))
    }

    pub(crate) fn remove_undo(&self, number: u32) -> Option<UndoScope> {
        self.undo_scopes.borrow_mut().get_mut(number as usize)?.take()
    }

    /// A plain value, or `[handle, kind]` in an array of numbers, which no plain value is.
    pub(crate) fn entry(&self, entry: &Entry) -> JsValue {
        match entry {
            Entry::Type(kind, id) => self.shared(*kind, id, None),
            Entry::Value(value) => value::to_js(value),
        }
    }

    /// `[handle, kind]`, and an index in it.
    pub(crate) fn shared(&self, kind: Kind, id: &TypeId, index: Option<u32>) -> JsValue {
        let handle = self.of(id);
        match index {
            None => Uint32Array::from(&[handle, number(kind)][..]).into(),
            Some(index) => Uint32Array::from(&[handle, number(kind), index][..]).into(),
        }
    }

    pub(crate) fn entries<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> Array {
        entries.into_iter().map(|entry| self.entry(entry)).collect()
    }
}

/// The facade's `Kind`.
pub(crate) fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Text => 1,
        Kind::Map => 2,
        Kind::Array => 3,
        Kind::XmlFragment => 4,
        Kind::XmlElement => 5,
        Kind::XmlText => 6,
        _ => 0,
    }
}

pub(crate) fn kind(number: u32) -> Result<Kind, Failure> {
    Ok(match number {
        1 => Kind::Text,
        2 => Kind::Map,
        3 => Kind::Array,
        4 => Kind::XmlFragment,
        5 => Kind::XmlElement,
        6 => Kind::XmlText,
        _ => return Err(Failure::new("WRONG_KIND", "there is no such kind of shared type")),
    })
}
