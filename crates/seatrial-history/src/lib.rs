//! Every result in SQLite.
