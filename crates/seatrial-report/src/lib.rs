//! Renderers of the event stream: terminal, plain, JSON lines, JUnit.
