//! Typed documents: conversations, circles, friends, follows, groups, teams, profiles, settings.
//!
//! Operations and views go by their names, with records as arguments: a binding for each of the
//! hundred would be larger than all of `vivim-social`. Names and types are the facade's.

use js_sys::Array;
use vivim_doc::{Kind, Value};
use vivim_social::{By, DocumentKind, Record, Refusal, SocialError, documents, events};
use wasm_bindgen::prelude::*;

use crate::{document::RawDocument, failure::Failure, value};

#[wasm_bindgen]
impl RawDocument {
    /// Makes an operation on a typed document, if the rules allow it.
    ///
    /// # Errors
    ///
    /// `REFUSED` by the rules, `INVALID_ARGUMENT`, `NOT_FOUND`, `LIMIT`.
    #[wasm_bindgen(js_name = social, unchecked_return_type = "unknown")]
    pub fn social(
        &self,
        kind: &str,
        operation: &str,
        #[wasm_bindgen(unchecked_param_type = "object")] args: &JsValue,
        author: &str,
        now: f64,
    ) -> Result<JsValue, JsValue> {
        let (kind, args) = (find(kind)?, record(args)?);
        let by = By { did: author, now };
        let result =
            self.replica.edit(|doc| documents::execute(doc, kind, operation, &args, by))?;
        Ok(value::to_js(&result))
    }

    /// Whether the rules allow an operation now.
    ///
    /// # Errors
    ///
    /// Those of the operation.
    #[wasm_bindgen(js_name = socialCheck)]
    pub fn social_check(
        &self,
        kind: &str,
        operation: &str,
        #[wasm_bindgen(unchecked_param_type = "object")] args: &JsValue,
        author: &str,
        now: f64,
    ) -> Result<(), JsValue> {
        let (kind, args) = (find(kind)?, record(args)?);
        let by = By { did: author, now };
        let checked =
            self.replica.read(|doc| Ok(documents::check(doc, kind, operation, &args, by)))?;
        checked.map_err(|error| Failure::from(error).into())
    }

    /// A part of a typed document as plain records.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `WRONG_KIND`.
    #[wasm_bindgen(js_name = socialView, unchecked_return_type = "unknown")]
    pub fn social_view(
        &self,
        kind: &str,
        view: &str,
        #[wasm_bindgen(unchecked_param_type = "object")] args: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let (kind, args) = (find(kind)?, record(args)?);
        let viewed = self.replica.read(|doc| Ok(documents::view(doc, kind, view, &args)))?;
        viewed.map(|viewed| value::to_js(&viewed)).map_err(|error| Failure::from(error).into())
    }
}

/// The roots of a kind of typed document: name, what it is, and what its changes are called.
///
/// # Errors
///
/// `INVALID_ARGUMENT`.
#[wasm_bindgen(js_name = socialEvents, unchecked_return_type = "[string, string, string][]")]
pub fn social_events(kind: &str) -> Result<Array, JsValue> {
    let row = |(root, kind, event): &(&str, Kind, &str)| -> JsValue {
        let kind = match kind {
            Kind::Array => "array",
            Kind::Text => "text",
            _ => "map",
        };
        [*root, kind, *event].into_iter().map(JsValue::from).collect::<Array>().into()
    };
    Ok(events::of(find(kind)?).iter().map(row).collect())
}

fn find(kind: &str) -> Result<DocumentKind, Failure> {
    DocumentKind::find(kind).map_err(|refusal| SocialError::from(refusal).into())
}

fn record(args: &JsValue) -> Result<Record, Failure> {
    match value::from_js(args)? {
        Value::Map(fields) => Ok(fields.into()),
        _ => Err(Failure::new("INVALID_ARGUMENT", "the arguments must be a record")),
    }
}

impl From<SocialError> for Failure {
    fn from(error: SocialError) -> Self {
        let code = match &error {
            SocialError::Edit(error) => return Self::from(*error),
            SocialError::Refused(Refusal::Full { .. }) => "LIMIT",
            SocialError::Refused(Refusal::Invalid { .. } | Refusal::Unknown { .. }) => {
                "INVALID_ARGUMENT"
            }
            SocialError::Refused(Refusal::NotFound { .. }) => "NOT_FOUND",
            // All others are rules that speak against it.
            _ => "REFUSED",
        };
        Self::new(code, error)
    }
}
