//! Deciders of a run and of a node, as pure machines.
