//! Renderers of the event stream: terminal, plain text, JSON lines, JUnit, annotations of a CI service.
//!
//! Everything here is a fold: [`view::RunView`] gathers what a reader of the run wants to know, and the renderers
//! turn it and each event into text. Nothing reads a clock, writes to a stream or asks what a terminal can do: the
//! caller passes the time, the size and whether colours are on, and writes what it gets back.
//!
//! The order for each event is: fold it into the view first ([`view::RunView::event`]), then hand the view and the
//! event to a renderer. At the end the renderer's `summary` closes the run; its last line is the one that people and
//! scripts read.

mod finished;
pub mod format;
pub mod github;
pub mod json;
pub mod junit;
pub mod live;
mod noise;
pub mod plain;
mod scroll;
pub mod signal;
mod style;
mod summary;
pub mod terminal;
mod text;
pub mod view;
