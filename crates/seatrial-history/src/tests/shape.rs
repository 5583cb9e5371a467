//! Every output survives its shape.

use crate::shape::Shape;
use seatrial_model::{Captured, Output};

/// All outputs of up to five letters of a small alphabet, with names of the same letters.
#[test]
fn nothing_is_lost_whatever_name_and_output() {
    let letters = [b'a', b'b', 26, 0xff];
    let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut begin = 0;
    for _ in 0..5 {
        let end = texts.len();
        for i in begin..end {
            for letter in letters {
                let mut text = texts[i].clone();
                text.push(letter);
                texts.push(text);
            }
        }
        begin = end;
    }
    for name in ["", "a", "aa", "ab", "aba", "\u{1a}", "a\u{1a}"] {
        for text in &texts {
            let (head, tail) = text.split_at(text.len() / 2);
            let cut = Captured { head: head.into(), tail: tail.into(), total: 99, spill: None };
            let output = Output { stdout: Captured::whole(text.clone()), stderr: cut };
            assert_eq!(Shape::of(output.clone(), name).into_output(name), output, "{name:?}");
        }
    }
}

#[test]
fn a_large_output_is_not_remembered() {
    let output = |size: usize| Output { stdout: Captured::whole(vec![b'x'; size]), ..Output::default() };
    assert!(Shape::of(output(1024), "name").is_shareable());
    assert!(!Shape::of(output(1025), "name").is_shareable());
}
