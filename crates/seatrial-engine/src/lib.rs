//! Carries a run out: coordinator, node, slots, signals.
