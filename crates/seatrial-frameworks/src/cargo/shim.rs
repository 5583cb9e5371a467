//! What the shim tells when cargo or rustdoc starts it in place of a test binary.
//!
//! The form is Seatrial's own: `STSHIM`, the version in one byte, the length of the rest in eight, then the lists of
//! byte strings. Every number is little-endian, every string and list has its length before it.

use std::fmt;

/// One start of a test binary, as cargo meant it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShimCall {
    /// The binary and its arguments, without the shim's own.
    pub argv: Vec<Vec<u8>>,
    /// The working directory.
    pub cwd: Vec<u8>,
    /// The environment in its order.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Bytes that stand before the body: whoever reads from a socket reads these first.
pub const HEADER: usize = 15;

/// Bytes that a body has at most. Linux gives a program's arguments and environment a quarter of its stack.
pub const MAX_BODY: u64 = 64 << 20;

const MAGIC: &[u8; 6] = b"STSHIM";
const VERSION: u8 = 1;

/// Why some bytes are not a shim's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShimError {
    /// They do not begin as one.
    NotACall,
    /// A shim of this other version wrote them.
    Version(u8),
    /// The body is longer than [`MAX_BODY`].
    TooLong(u64),
    /// They end too early, or go on after the end.
    Length,
}

impl fmt::Display for ShimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACall => write!(f, "not a message of Seatrial's shim"),
            Self::Version(version) => {
                write!(f, "the shim speaks version {version} of its language, this program version {VERSION}")
            }
            Self::TooLong(length) => write!(f, "the shim announces a message of {length} bytes"),
            Self::Length => write!(f, "the shim's message is incomplete"),
        }
    }
}

impl std::error::Error for ShimError {}

/// The length in bytes of the body that follows this header.
///
/// # Errors
/// Bytes that no shim of this version wrote.
pub fn body_length(header: &[u8; HEADER]) -> Result<u64, ShimError> {
    let rest = header.strip_prefix(MAGIC).ok_or(ShimError::NotACall)?;
    let (version, length) = rest.split_first().ok_or(ShimError::Length)?;
    if *version != VERSION {
        return Err(ShimError::Version(*version));
    }
    let length = u64::from_le_bytes(length.try_into().map_err(|_| ShimError::Length)?);
    if length > MAX_BODY { Err(ShimError::TooLong(length)) } else { Ok(length) }
}

impl ShimCall {
    /// The whole message, header and body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_number(&mut body, self.argv.len());
        self.argv.iter().for_each(|arg| put(&mut body, arg));
        put(&mut body, &self.cwd);
        put_number(&mut body, self.env.len());
        for (key, value) in &self.env {
            put(&mut body, key);
            put(&mut body, value);
        }
        let mut message = [MAGIC.as_slice(), &[VERSION]].concat();
        put_number(&mut message, body.len());
        message.extend(body);
        message
    }

    /// Reads a whole message, header and body.
    ///
    /// # Errors
    /// Anything but exactly one message of this version.
    pub fn decode(message: &[u8]) -> Result<Self, ShimError> {
        let (header, body) = message.split_first_chunk().ok_or(ShimError::Length)?;
        if body_length(header)? != body.len() as u64 {
            return Err(ShimError::Length);
        }
        let mut rest = body;
        let argv = (0..take_number(&mut rest)?).map(|_| take(&mut rest)).collect::<Result<_, _>>()?;
        let cwd = take(&mut rest)?;
        let env = (0..take_number(&mut rest)?)
            .map(|_| Ok((take(&mut rest)?, take(&mut rest)?)))
            .collect::<Result<_, ShimError>>()?;
        if rest.is_empty() { Ok(Self { argv, cwd, env }) } else { Err(ShimError::Length) }
    }

    /// The value of an environment variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        self.env.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }
}

fn put_number(into: &mut Vec<u8>, number: usize) {
    into.extend_from_slice(&(number as u64).to_le_bytes());
}

fn put(into: &mut Vec<u8>, bytes: &[u8]) {
    put_number(into, bytes.len());
    into.extend_from_slice(bytes);
}

fn take_number(from: &mut &[u8]) -> Result<u64, ShimError> {
    let (number, rest) = from.split_first_chunk().ok_or(ShimError::Length)?;
    *from = rest;
    Ok(u64::from_le_bytes(*number))
}

fn take(from: &mut &[u8]) -> Result<Vec<u8>, ShimError> {
    let length = usize::try_from(take_number(from)?).map_err(|_| ShimError::Length)?;
    let (bytes, rest) = from.split_at_checked(length).ok_or(ShimError::Length)?;
    *from = rest;
    Ok(bytes.to_vec())
}
