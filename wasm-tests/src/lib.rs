//! Headless browser tests of VIVIM.
