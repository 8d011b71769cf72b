//! Errors as they cross into JavaScript: a code for programs, a sentence for people.

use vivim_doc::{ApplyError, EditError, SnapshotError, SummaryError};
use vivim_node::{CommandError, ConnectError, RoomError, StartError, StreamError, TopicError};
use vivim_store::StoreError;
use wasm_bindgen::JsValue;

use crate::js;

/// An error with its code. The codes are the facade's `VivimErrorCode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }

    /// The node isn't running.
    pub(crate) fn stopped() -> Self {
        Self::new("STOPPED", "the node is not running; call start() first")
    }

    /// An address doesn't parse, or lacks something.
    pub(crate) fn address(text: &str, reason: impl ToString) -> Self {
        Self::new("INVALID_ADDRESS", format!("{text:?} is not a multiaddr: {}", reason.to_string()))
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        js::object(&[("code", failure.code.into()), ("message", failure.message.into())])
    }
}

// The enums of vivim-node are `#[non_exhaustive]`, so the language asks for a `_` arm; the test
// below reads their source and fails when a variant has no arm of its own.

fn command(error: &CommandError) -> &'static str {
    match error {
        CommandError::Disabled(_) => "DISABLED",
        CommandError::NoPeers(_) => "NO_PEERS",
        CommandError::NotFound(_) => "NOT_FOUND",
        CommandError::Stopped => "STOPPED",
        CommandError::Timeout(_) => "TIMEOUT",
        CommandError::TooLarge { .. } => "TOO_LARGE",
        _ => "INTERNAL",
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::new(command(&error), error)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let code = match &error {
            ConnectError::Command(error) => command(error),
            ConnectError::Own => "OWN_ADDRESS",
            ConnectError::Unreachable(_) => "UNREACHABLE",
            ConnectError::UnsupportedAddress(_) => "UNSUPPORTED_ADDRESS",
            ConnectError::WrongPeer { .. } => "WRONG_PEER",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<RoomError> for Failure {
    fn from(error: RoomError) -> Self {
        let code = match &error {
            RoomError::AlreadyOpen => "ALREADY_OPEN",
            RoomError::Command(error) => command(error),
            RoomError::InvalidName(_) => "INVALID_NAME",
            RoomError::NotJoined => "NOT_JOINED",
            RoomError::TooManyDocuments(_) | RoomError::TooManyRooms(_) => "LIMIT",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::BootstrapWithoutPeerId(_) => "INVALID_ADDRESS",
            StartError::Listen { .. } => "UNSUPPORTED_ADDRESS",
            StartError::Protocol(_) => "INTERNAL",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let code = match &error {
            StreamError::AlreadyHandled(_) => "ALREADY_HANDLED",
            StreamError::Command(error) => command(error),
            StreamError::InvalidProtocol(_) => "INVALID_PROTOCOL",
            StreamError::Io => "STREAM",
            StreamError::NotConnected(_) => "NOT_CONNECTED",
            StreamError::UnsupportedProtocol { .. } => "UNSUPPORTED_PROTOCOL",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<TopicError> for Failure {
    fn from(error: TopicError) -> Self {
        let code = match &error {
            TopicError::Command(error) => command(error),
            TopicError::Publish(_) => "PUBLISH",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let code = match &error {
            ApplyError::Engine(_) | ApplyError::Invalid(_) | ApplyError::OwnClient => {
                "INVALID_UPDATE"
            }
            ApplyError::GivenUp => "LIMIT",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        let code = match &error {
            EditError::GivenUp | EditError::TooDeep | EditError::TooMany(_) => "LIMIT",
            EditError::Gone => "GONE",
            EditError::NameTooLong(_) => "INVALID_NAME",
            EditError::OutOfBounds { .. } => "OUT_OF_BOUNDS",
            EditError::TooLarge(_) => "TOO_LARGE",
            EditError::WrongKind => "WRONG_KIND",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Blocked => "STORAGE_BLOCKED",
            StoreError::Closed => "CLOSED",
            StoreError::Damaged { .. } => "STORAGE_DAMAGED",
            StoreError::Gone => "STORAGE_GONE",
            StoreError::Io { .. } => "STORAGE",
            StoreError::NewerVersion => "STORAGE_NEWER",
            StoreError::QuotaExceeded => "STORAGE_FULL",
            StoreError::Record(_) => "TOO_LARGE",
            StoreError::Unavailable { .. } => "STORAGE_UNAVAILABLE",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let code = match error {
            SnapshotError::Ahead => "NOT_FOUND",
            SnapshotError::Apply(error) => return error.into(),
            SnapshotError::Collected => "GONE",
            SnapshotError::Invalid(_) => "INVALID_UPDATE",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<SummaryError> for Failure {
    fn from(error: SummaryError) -> Self {
        let code = match &error {
            SummaryError::Invalid(_) => "INVALID_UPDATE",
            _ => "INTERNAL",
        };
        Self::new(code, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("STREAM", error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NODE: &str = include_str!("../../vivim-node/src/error.rs");
    const DOC: &str = include_str!("../../vivim-doc/src/error.rs");
    const STORE: &str = include_str!("../../vivim-store/src/error.rs");
    const FACADE: &str = include_str!("../../../pkg-template/src/errors.ts");

    /// This file without its tests.
    fn own_source() -> &'static str {
        let source = include_str!("failure.rs");
        &source[..source.find("#[cfg(test)]").expect("the tests are at the end")]
    }

    /// The variants of one enum, read from its source.
    fn variants(source: &str, name: &str) -> Vec<String> {
        let start = source.find(&format!("pub enum {name} {{")).expect("the enum exists");
        let body = source[start..].lines().skip(1).take_while(|line| *line != "}");
        body.filter(|line| line.starts_with("    ") && line.as_bytes()[4].is_ascii_uppercase())
            .map(|line| {
                line.trim().chars().take_while(char::is_ascii_alphanumeric).collect::<String>()
            })
            .collect()
    }

    /// Whether this file names the variant outside its tests.
    fn has_an_arm(name: &str, variant: &str) -> bool {
        let source = own_source();
        source
            .match_indices(&format!("{name}::{variant}"))
            .any(|(at, text)| !source.as_bytes()[at + text.len()].is_ascii_alphanumeric())
    }

    #[test]
    fn every_variant_of_every_error_has_a_code_of_its_own() {
        for (source, name) in [
            (NODE, "CommandError"),
            (NODE, "ConnectError"),
            (NODE, "RoomError"),
            (NODE, "StartError"),
            (NODE, "StreamError"),
            (NODE, "TopicError"),
            (DOC, "ApplyError"),
            (DOC, "EditError"),
            (DOC, "SnapshotError"),
            (DOC, "SummaryError"),
            (STORE, "StoreError"),
        ] {
            let variants = variants(source, name);
            assert!(!variants.is_empty(), "{name} was not understood");
            for variant in variants {
                assert!(has_an_arm(name, &variant), "{name}::{variant} has no code");
            }
        }
    }

    #[test]
    fn every_code_is_in_the_facades_list() {
        let sources = [
            own_source(),
            include_str!("config.rs"),
            include_str!("social.rs"),
            include_str!("stream.rs"),
        ];
        let codes = sources.into_iter().flat_map(|source| source.split('"')).filter(|text| {
            text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        });
        let mut count = 0;
        for code in codes {
            assert!(FACADE.contains(&format!("| '{code}'")), "{code} is not a VivimErrorCode");
            count += 1;
        }
        assert!(count > 30, "only {count} codes were found");
    }

    #[test]
    fn a_stopped_node_says_so_through_every_operation() {
        let stopped = CommandError::Stopped;
        assert_eq!(Failure::from(stopped).code, "STOPPED");
        assert_eq!(Failure::from(ConnectError::from(stopped)).code, "STOPPED");
        assert_eq!(Failure::from(RoomError::from(stopped)).code, "STOPPED");
        assert_eq!(Failure::from(StreamError::from(stopped)).code, "STOPPED");
        assert_eq!(Failure::from(TopicError::from(stopped)).code, "STOPPED");
    }

    #[test]
    fn messages_are_those_of_the_core() {
        let failure = Failure::from(CommandError::Timeout(Duration::from_secs(3)));
        assert_eq!(failure.code, "TIMEOUT");
        assert!(failure.message.contains("3s"), "{}", failure.message);
    }
}
