//! Tests of safe text.

use super::*;

#[test]
fn control_characters_are_shown_on_one_line() {
    for (text, want) in [
        ("plain é 漢", "plain é 漢"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\0\x07\x7f", "\\x00\\x07\\x7f"),
        ("\u{9b}2J\u{202e}rtl\u{2066}", "\\u{9b}2J\\u{202e}rtl\\u{2066}"),
        ("\u{2028}", "\\u{2028}"),
    ] {
        assert_eq!(one_line(text), want, "{text:?}");
    }
}

#[test]
fn of_output_only_colours_pass() {
    for (text, plain, coloured) in [
        ("a\r\nb\n", "a\nb\n", "a\nb\n"),
        ("10%\r20%", "10%\\r20%", "10%\\r20%"),
        ("\x1b[1;31mred\x1b[m\n", "red\n", "\x1b[1;31mred\x1b[m\x1b[0m\n"),
        ("\x1b[38:5:1mx", "x", "\x1b[38:5:1mx\x1b[0m"),
        ("\x1b[2J\x1b[1A\x1b[?25l", "\\x1b[2J\\x1b[1A\\x1b[?25l", "\\x1b[2J\\x1b[1A\\x1b[?25l"),
        ("\x1b]0;title", "\\x1b]0;title", "\\x1b]0;title"),
        ("\x1b[31", "\\x1b[31", "\\x1b[31"),
        ("\x1b", "\\x1b", "\\x1b"),
        ("\ttab", "\ttab", "\ttab"),
    ] {
        assert_eq!(many_lines(text, false), plain, "{text:?}");
        assert_eq!(many_lines(text, true), coloured, "{text:?}");
    }
}

#[test]
fn widths_and_cuts() {
    for (text, columns, want) in [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("abcd", 0, ""),
        ("漢字漢", 6, "漢字漢"),
        ("漢字漢", 5, "漢字…"),
        ("漢字漢", 4, "漢…"),
        ("\x1b[31mabcd\x1b[0m", 4, "\x1b[31mabcd\x1b[0m"),
        ("\x1b[31mabcd\x1b[0m", 3, "\x1b[31mab…\x1b[0m"),
    ] {
        assert_eq!(cut(text, columns), want, "{text:?} at {columns}");
        assert!(width(&cut(text, columns)) <= columns);
    }
    for (text, columns, want) in
        [("abcdefgh", 8, "abcdefgh"), ("abcdefgh", 7, "ab…efgh"), ("abc", 1, "…"), ("abc", 0, "")]
    {
        assert_eq!(cut_middle(text, columns), want, "{text:?} at {columns}");
    }
}

#[test]
fn indented_text_keeps_its_empty_lines_bare() {
    assert_eq!(indent("a\n\n  b\n\n", "    "), "    a\n\n      b\n");
}

#[test]
fn tabs_reach_the_next_stop() {
    assert_eq!(expand_tabs("\ta\n1234567\tb\n12345678\tc"), "        a\n1234567 b\n12345678        c");
}

#[test]
fn arguments_are_quoted_for_a_shell() {
    for (argument, want) in [
        ("run/a::b", "run/a::b"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("$(rm)", "'$(rm)'"),
        ("a\n'\\\x1b1\u{202e}", r"$'a\n\'\\\0331\342\200\256'"),
    ] {
        assert_eq!(shell_quote(argument), want, "{argument:?}");
    }
}
