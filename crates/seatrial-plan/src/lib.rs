//! Settings, filters and planners: what is to be run.
