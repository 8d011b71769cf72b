// Remembers every RTCPeerConnection made in the page. Import it before js-libp2p, which takes the class at import.

/** @type {RTCPeerConnection[]} */
export const made = []

const Original = window.RTCPeerConnection

window.RTCPeerConnection = class extends Original {
  /** @param {RTCConfiguration} [config] */
  constructor(config) {
    super(config)
    made.push(this)
  }
}
