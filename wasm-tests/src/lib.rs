//! Tests of VIVIM that need a browser. See `tests/`; there is nothing here.
