//! Pure protocol state machines of VIVIM: rooms, document sync, wire framing.
