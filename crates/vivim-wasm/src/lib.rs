//! JavaScript bindings of VIVIM.
