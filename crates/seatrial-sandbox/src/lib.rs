//! One process in one container, at tens of microseconds.
