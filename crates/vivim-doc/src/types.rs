//! Names of shared types and of what is in them.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use yrs::{BranchID, ClientID, ID, Out, branch::BranchPtr, types::TypeRef};

use crate::{ClientId, Value, validate::MAX_CLIENT};

/// The kinds of shared types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A list.
    Array,
    /// A record.
    Map,
    /// Text with formats.
    Text,
    /// An XML element: a name, attributes and children.
    XmlElement,
    /// A list of XML elements and texts.
    XmlFragment,
    /// Text with formats inside XML.
    XmlText,
}

/// Names a shared type of a document: by its own name if it is a root, by the edit that made it if
/// it is nested in another.
///
/// It is an identifier and nothing more: what it names may have been deleted, and an operation on it
/// then fails with [`EditError::Gone`](crate::EditError::Gone). All replicas of a document agree on
/// it. Its text form (`to_string`, `parse`) is for callers that can only hold strings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(Inner);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Inner {
    Nested { client: u64, clock: u32 },
    Root(Arc<str>),
}

/// What is under a key of a map or at a place of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A shared type.
    Type(Kind, TypeId),
    /// A plain value, also the guid of a subdocument as `{ guid }`.
    Value(Value),
}

/// The formats of a piece of text. [`Value::Null`] ends a format.
pub type Attributes = BTreeMap<String, Value>;

const ROOT: &str = "root:";

impl TypeId {
    /// Names a root. [`Doc::root`](crate::Doc::root) does the same and sees to it that the root is
    /// of the right kind.
    pub fn root(name: &str) -> Self {
        Self(Inner::Root(name.into()))
    }

    /// The name of a root; `None` for a nested type.
    pub fn root_name(&self) -> Option<&str> {
        match &self.0 {
            Inner::Nested { .. } => None,
            Inner::Root(name) => Some(name),
        }
    }

    /// Who made a nested type; `None` for a root.
    pub fn author(&self) -> Option<ClientId> {
        match self.0 {
            Inner::Nested { client, .. } => Some(ClientId::from_random(client)),
            Inner::Root(_) => None,
        }
    }

    pub(crate) fn nested(&self) -> Option<crate::validate::Id> {
        match self.0 {
            Inner::Nested { client, clock } => Some(crate::validate::Id { client, clock }),
            Inner::Root(_) => None,
        }
    }

    pub(crate) fn from_id(id: crate::validate::Id) -> Self {
        Self(Inner::Nested { client: id.client, clock: id.clock })
    }

    pub(crate) fn of(branch: BranchPtr) -> Self {
        branch.id().into()
    }

    pub(crate) fn branch_id(&self) -> BranchID {
        match &self.0 {
            Inner::Nested { client, clock } => {
                BranchID::Nested(ID::new(ClientID::new(*client), *clock))
            }
            Inner::Root(name) => BranchID::Root(name.clone()),
        }
    }
}

impl From<BranchID> for TypeId {
    fn from(id: BranchID) -> Self {
        Self(match id {
            BranchID::Nested(id) => Inner::Nested { client: id.client.get(), clock: id.clock },
            BranchID::Root(name) => Inner::Root(name),
        })
    }
}

impl fmt::Display for TypeId {
    /// `root:NAME` or `CLIENT:CLOCK`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Nested { client, clock } => write!(f, "{client}:{clock}"),
            Inner::Root(name) => write!(f, "{ROOT}{name}"),
        }
    }
}

impl fmt::Debug for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A string is not the text form of a [`TypeId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a shared type")]
pub struct ParseTypeIdError;

impl FromStr for TypeId {
    type Err = ParseTypeIdError;

    fn from_str(text: &str) -> Result<Self, ParseTypeIdError> {
        if let Some(name) = text.strip_prefix(ROOT) {
            return Ok(Self::root(name));
        }
        let (client, clock) = text.split_once(':').ok_or(ParseTypeIdError)?;
        let client = client.parse().map_err(|_| ParseTypeIdError)?;
        let clock = clock.parse().map_err(|_| ParseTypeIdError)?;
        if client > MAX_CLIENT {
            Err(ParseTypeIdError)
        } else {
            Ok(Self(Inner::Nested { client, clock }))
        }
    }
}

impl Entry {
    /// The plain value; `None` if it is a shared type.
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Type(..) => None,
            Self::Value(value) => Some(value),
        }
    }

    /// The shared type; `None` if it is a plain value.
    pub fn as_type(&self) -> Option<(Kind, &TypeId)> {
        match self {
            Self::Type(kind, id) => Some((*kind, id)),
            Self::Value(_) => None,
        }
    }

    pub(crate) fn of(out: Out) -> Self {
        match branch_of(&out) {
            Some(branch) => {
                // Types of other kinds don't pass the validator, but roots may have none yet.
                let kind = kind_of(branch).unwrap_or(Kind::Map);
                Self::Type(kind, TypeId::of(branch))
            }
            None => Self::Value(match out {
                Out::Any(any) => any.into(),
                Out::YDoc(doc) => {
                    let guid = Value::String(doc.guid().to_string());
                    Value::Map(BTreeMap::from([("guid".to_owned(), guid)]))
                }
                _ => Value::Undefined,
            }),
        }
    }
}

/// The kind of a type as the engine has it; `None` if it has none.
pub(crate) fn kind_of(branch: BranchPtr) -> Option<Kind> {
    match branch.type_ref() {
        TypeRef::Array => Some(Kind::Array),
        TypeRef::Map => Some(Kind::Map),
        TypeRef::Text => Some(Kind::Text),
        TypeRef::XmlElement(_) => Some(Kind::XmlElement),
        TypeRef::XmlFragment => Some(Kind::XmlFragment),
        TypeRef::XmlText => Some(Kind::XmlText),
        _ => None,
    }
}

pub(crate) fn branch_of(out: &Out) -> Option<BranchPtr> {
    out.try_branch().map(BranchPtr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        for text in ["root:", "root:a:b", "7:0", "9007199254740991:4294967295"] {
            assert_eq!(text.parse::<TypeId>().unwrap().to_string(), text);
        }
        for text in ["", "7", "7:", "7:-1", "9007199254740992:0", "7:4294967296", "map:a"] {
            assert_eq!(text.parse::<TypeId>(), Err(ParseTypeIdError), "{text}");
        }
    }
}
