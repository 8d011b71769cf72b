//! Bindings that `web-sys` has without `catch`, or not at all: an exception that is not caught
//! here would unwind through the whole program and leave it broken.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use web_sys::{RtcDataChannel, RtcSessionDescriptionInit};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = RTCPeerConnection)]
    pub(super) type RawPeer;

    #[wasm_bindgen(method, catch, js_name = addIceCandidate)]
    pub(super) fn add_ice_candidate(
        this: &RawPeer,
        candidate: &JsValue,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createAnswer)]
    pub(super) fn create_answer(this: &RawPeer) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createDataChannel)]
    pub(super) fn create_data_channel(
        this: &RawPeer,
        label: &str,
    ) -> Result<RtcDataChannel, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createOffer)]
    pub(super) fn create_offer(this: &RawPeer) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setLocalDescription)]
    pub(super) fn set_local_description(
        this: &RawPeer,
        description: &RtcSessionDescriptionInit,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setRemoteDescription)]
    pub(super) fn set_remote_description(
        this: &RawPeer,
        description: &RtcSessionDescriptionInit,
    ) -> Result<Promise, JsValue>;

    /// `null` before the descriptions are exchanged, `undefined` in old browsers.
    #[wasm_bindgen(method, getter)]
    pub(super) fn sctp(this: &RawPeer) -> Option<SctpTransport>;

    #[wasm_bindgen(js_name = RTCSctpTransport)]
    #[derive(Clone)]
    pub(super) type SctpTransport;

    #[wasm_bindgen(method, getter)]
    pub(super) fn state(this: &SctpTransport) -> String;

    #[wasm_bindgen(method, setter)]
    pub(super) fn set_onstatechange(this: &SctpTransport, handler: Option<&Function>);
}
