//! The build commands of VIVIM.
fn main() {}
