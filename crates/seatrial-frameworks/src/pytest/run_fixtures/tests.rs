//! Values and the ports in them.

use super::{SetFixture, ports_of, values};
use serde_json::{Value, json};

fn read(text: &str) -> SetFixture {
    serde_json::from_str(text).unwrap()
}

#[test]
fn ports_are_found_where_people_write_them() {
    for (value, ports) in [
        (json!(5432), vec![5432]),
        (json!("5432"), vec![5432]),
        (json!("localhost:5432"), vec![5432]),
        (json!("postgres://me:1@127.0.0.1:5433/db"), vec![5433]),
        (json!("http://[::1]:80/ and localhost:81"), vec![80, 81]),
        (json!({"host": "db", "port": 1}), vec![1]),
        (json!({"HTTP_PORT": "8080", "ports": [1, 2, "3"]}), vec![1, 2, 3, 8080]),
        (json!({"a": [{"url": "redis://localhost:6379"}]}), vec![6379]),
        (json!(["127.0.0.1", 7000]), vec![7000]),
        // None of these is a port of this machine's loopback.
        (json!(["db.example.org", 7000]), vec![]),
        (json!("db.example.org:5432"), vec![]),
        (json!({"pid": 4000, "answer": [42], "import": 1}), vec![]),
        (json!("localhost:"), vec![]),
        (json!({"port": 0, "other_port": 70000, "more_port": -1, "no_port": null}), vec![]),
        (Value::Null, vec![]),
    ] {
        assert_eq!(ports_of(&value), ports, "{value}");
    }
}

#[test]
fn ports_that_are_named_replace_those_of_the_value() {
    let named = read(r#"{"name":"db","value":{"port":5432},"forward":[1,2]}"#);
    assert_eq!(named.ports(), [1, 2]);
    assert_eq!(read(r#"{"name":"db","value":{"port":5432},"forward":[]}"#).ports(), [0u16; 0]);
    assert_eq!(read(r#"{"name":"db","value":{"port":5432}}"#).ports(), [5432]);
    assert_eq!(read(r#"{"name":"db","error":"port 5432 is taken: localhost:5432"}"#).ports(), [0u16; 0]);
}

#[test]
fn tests_get_values_by_packet_and_by_variable() {
    let text = read(r#"{"name":"db","value":"a b"}"#);
    assert_eq!(text.variable(), Some(("SEATRIAL_FIXTURE_DB".into(), "a b".into())));
    let object = read(r#"{"name":"my_db","value":{"b":1,"a":[null]}}"#);
    let variable = object.variable().unwrap();
    assert_eq!(variable.0, "SEATRIAL_FIXTURE_MY_DB");
    assert_eq!(serde_json::from_str::<Value>(&variable.1).unwrap(), json!({"a": [null], "b": 1}));
    let null = read(r#"{"name":"n","value":null}"#);
    assert_eq!(null.variable(), Some(("SEATRIAL_FIXTURE_N".into(), "null".into())));
    let failed = read(r#"{"name":"f","error":"it broke"}"#);
    assert_eq!(failed.variable(), None);
    let told = values(&[text, null, failed]);
    let wanted = json!({"db": {"value": "a b"}, "n": {"value": null}, "f": {"error": "it broke"}});
    assert_eq!(told, wanted);
}
