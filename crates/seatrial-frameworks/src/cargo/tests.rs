//! cargo read: real output and real calls, and configuration as cargo was seen to take it.

mod arguments;
mod calls;
mod configuration;
mod doctests;

use seatrial_model::Bytes;

fn bytes(words: &str) -> Vec<Bytes> {
    words.split_whitespace().map(Bytes::from).collect()
}

fn text(words: &[Bytes]) -> String {
    words.iter().map(|word| word.to_text().into_owned()).collect::<Vec<_>>().join(" ")
}
