//! Messages of all sizes through packets.

use super::{Joiner, NoMark, PACKET, packets};

#[test]
fn what_is_cut_is_joined_again() {
    let room = PACKET - 1;
    for length in [0, 1, room - 1, room, room + 1, 2 * room, 2 * room + 1] {
        let message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let packets = packets(&message);
        assert!(packets.iter().all(|packet| packet.len() <= PACKET && !packet.is_empty()), "{length}");
        assert_eq!(packets.len(), length.div_ceil(room).max(1), "{length}");
        let mut joiner = Joiner::default();
        for (index, packet) in packets.iter().enumerate() {
            assert_eq!(joiner.is_in_a_message(), index > 0, "{length}");
            let whole = joiner.take(packet).expect("a mark");
            let expected = (index + 1 == packets.len()).then(|| message.clone());
            assert_eq!(whole, expected, "{length}: packet {index}");
        }
        assert!(!joiner.is_in_a_message());
    }
}

#[test]
fn messages_do_not_mix() {
    let mut joiner = Joiner::default();
    let told: Vec<_> = [b"+ab".as_slice(), b".c", b".", b".d"].map(|packet| joiner.take(packet)).into();
    let message = |text: &str| Ok(Some(text.as_bytes().to_vec()));
    assert_eq!(told, [Ok(None), message("abc"), message(""), message("d")]);
}

#[test]
fn a_packet_without_a_mark_is_refused() {
    let mut joiner = Joiner::default();
    assert_eq!(joiner.take(b"+ab"), Ok(None));
    assert_eq!(joiner.take(b"x"), Err(NoMark(Some(b'x'))));
    assert_eq!(joiner.take(b".c"), Ok(Some(b"c".to_vec())), "what had begun is gone");
    let refused = joiner.take(b"").expect_err("no byte");
    assert_eq!(refused.to_string(), "the helper inside Python sent an empty packet");
    assert_eq!(
        NoMark(Some(0)).to_string(),
        "the helper inside Python sent a packet that begins with `\\x00`"
    );
}
