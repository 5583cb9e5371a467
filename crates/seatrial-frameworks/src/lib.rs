//! How each test framework is listed, run and read: bytes in, facts out.
