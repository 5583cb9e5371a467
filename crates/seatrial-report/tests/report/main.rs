//! Tests of the renderers through their public interface.

#![expect(clippy::unwrap_used, reason = "a helper of tests that fails is a test that fails")]

mod expect;
mod format;
mod github;
mod json;
mod junit;
mod live;
mod make;
mod summary;
mod transcripts;
mod view;
