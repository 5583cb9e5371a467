//! cargo.
/// shim
pub fn shim_if_asked() {}
