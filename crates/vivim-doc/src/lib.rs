//! Yrs documents behind VIVIM's sync replica interface.
