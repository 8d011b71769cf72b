//! Two swarms and a relay in one page, WebRTC between them.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::panic)]

#[path = "../../crates/vivim-webrtc/src/tests/harness.rs"]
mod harness;
#[path = "../../crates/vivim-webrtc/src/tests/scenarios.rs"]
mod scenarios;

use vivim_webrtc::backend::web::Web;
use wasm_bindgen_test::*;

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn a_relayed_connection_is_upgraded() {
    scenarios::a_relayed_connection_is_upgraded(Web).await;
    assert_eq!(Web.live_connections(), 0, "everything is closed with its swarm");
}

#[wasm_bindgen_test]
async fn a_webrtc_address_is_dialed_by_way_of_its_relay() {
    scenarios::a_webrtc_address_is_dialed_by_way_of_its_relay(Web).await;
}

#[wasm_bindgen_test]
async fn simultaneous_dials_end_in_one_connection() {
    for _ in 0..3 {
        scenarios::simultaneous_dials_end_in_one_connection(Web).await;
    }
}

#[wasm_bindgen_test]
async fn a_bare_address_needs_a_relayed_connection() {
    scenarios::a_bare_address_needs_a_relayed_connection(Web).await;
}

#[wasm_bindgen_test]
async fn a_peer_without_signaling_stays_relayed() {
    scenarios::a_peer_without_signaling_stays_relayed(Web).await;
}

#[wasm_bindgen_test]
async fn a_reservation_is_announced() {
    scenarios::a_reservation_is_announced(Web).await;
}
