//! Messages to the lister, as JSON reads them.

use super::{end, lost, reports, sync};
use crate::pytest::helper::TestKey;
use serde_json::{Value, json};
use std::time::Duration;

fn read(message: &[u8]) -> Value {
    serde_json::from_slice(message).expect("JSON")
}

#[test]
fn reports_hold_the_lines_as_they_came() {
    let lines = [r#"{"test":0,"start":true}"#.to_owned(), r#"{"test":0,"end":true}"#.to_owned()];
    let odd = TestKey { id: "t.py::a[\"\n\u{0}é]", n: 2, file: "" };
    let plain = TestKey { id: "t.py::b", n: 0, file: "" };
    let message = reports([(odd, lines.as_slice()), (plain, &lines[..1]), (plain, &[])]);
    let start = json!({"test": 0, "start": true});
    let expected = json!({"reports": [
        {"id": odd.id, "n": 2, "lines": [start, {"test": 0, "end": true}]},
        {"id": "t.py::b", "n": 0, "lines": [start]},
        {"id": "t.py::b", "n": 0, "lines": []},
    ]});
    assert_eq!(read(&message), expected);
    assert_eq!(read(&reports([])), json!({"reports": []}));
    // Python's JSON knows this number; to read and write it again would lose it.
    let line = [r#"{"test":0,"x":NaN}"#.to_owned()];
    assert!(String::from_utf8_lossy(&reports([(plain, line.as_slice())])).contains(line[0].as_str()));
}

#[test]
fn lost_and_end() {
    let test = TestKey { id: "t.py::a", n: 1, file: "" };
    let message = lost(test, "SIGSEGV in the \"middle\"", Duration::from_millis(1500));
    let text = "SIGSEGV in the \"middle\"";
    assert_eq!(read(&message), json!({"lost": {"id": "t.py::a", "n": 1, "text": text, "duration": 1.5}}));
    assert_eq!(read(&sync(7)), json!({"sync": 7}));
    assert_eq!(read(&end(None)), json!({"end": {"reason": null}}));
    assert_eq!(read(&end(Some("Ctrl-C"))), json!({"end": {"reason": "Ctrl-C"}}));
}
