//! The lister's messages: those of a real one, and broken ones.

use super::{Hello, JobOf, ListedAll, ListedTest, ListingError, Message, read_message};

fn read(message: &str) -> Message {
    read_message(message.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_session_begins() {
    let told = r#"{"hello":{"python":"3.12.1","pytest":"9.2.0","rootdir":"/p","inifile":null,"maxfail":2,"plugins":["cov 5"],"nodes":[{"workerid":"gw0"}]}}"#;
    let Message::Hello(hello) = read(told) else { panic!("{told}") };
    assert_eq!((hello.python.as_str(), hello.pytest.as_deref()), ("3.12.1", Some("9.2.0")));
    assert_eq!((hello.rootdir.as_deref(), hello.inifile, hello.maxfail), (Some("/p"), None, 2));
    assert_eq!(hello.plugins, ["cov 5"]);
    assert_eq!(hello.nodes[0]["workerid"], "gw0");
    // Without pytest there is little to tell.
    let hello = Hello { python: "3.8.1".to_owned(), ..Hello::default() };
    assert_eq!(read(r#"{"hello":{"python":"3.8.1","pytest":null,"rootdir":null}}"#), Message::Hello(hello));
}

#[test]
fn tests_in_their_order() {
    let first = r#"{"id":"t.py::a[\"é\n]","n":0,"file":"/p/t.py","line":3,"wide":true,"job":"test","kind":3,"alone":true,"group":"/p"}"#;
    let second =
        r#"{"id":"t.txt::t.txt","n":1,"file":"/p/t.txt","line":null,"wide":false,"job":"file","new":1}"#;
    let test = ListedTest {
        id: "t.py::a[\"é\n]".to_owned(),
        n: 0,
        file: "/p/t.py".to_owned(),
        line: Some(3),
        wide: true,
        job: JobOf::Test,
        kind: 3,
        wider: None,
        own: None,
        alone: true,
        group: Some("/p".to_owned()),
        unit: None,
    };
    let file = ListedTest {
        id: "t.txt::t.txt".to_owned(),
        n: 1,
        file: "/p/t.txt".to_owned(),
        line: None,
        wide: false,
        job: JobOf::File,
        kind: 0,
        wider: None,
        own: None,
        alone: false,
        group: None,
        unit: None,
    };
    assert_eq!(read(&format!(r#"{{"tests":[{first},{second}]}}"#)), Message::Tests(vec![test, file]));
    assert_eq!(read(r#"{"tests":[]}"#), Message::Tests(Vec::new()));
}

#[test]
fn the_rest_of_a_session() {
    let text = || "words".to_owned();
    let all = [
        (
            r#"{"problem":{"id":"t.py","text":"words"}}"#,
            Message::Problem { id: "t.py".to_owned(), text: text() },
        ),
        (
            r#"{"skipped":{"id":"t.py","reason":"words"}}"#,
            Message::Skipped { id: "t.py".to_owned(), reason: text() },
        ),
        (
            r#"{"notice":{"file":"/t.py","text":"words"}}"#,
            Message::Notice { file: "/t.py".to_owned(), text: text() },
        ),
        (
            r#"{"listed":{"tests":10,"deselected":2,"exit":null}}"#,
            Message::Listed(ListedAll { tests: 10, deselected: 2, exit: None, ..ListedAll::default() }),
        ),
        (
            r#"{"listed":{"tests":0,"deselected":0,"exit":5}}"#,
            Message::Listed(ListedAll { tests: 0, deselected: 0, exit: Some(5), ..ListedAll::default() }),
        ),
        (r#"{"synced":7}"#, Message::Other("synced".to_owned())),
        (r#"{"stop":"words"}"#, Message::Stop(text())),
        (
            r#"{"finished":{"exit":1,"summary":"words","late":["words"]}}"#,
            Message::Finished { exit: 1, summary: text(), late: vec![text()] },
        ),
    ];
    for (told, expected) in all {
        assert_eq!(read(told), expected);
    }
}

#[test]
fn a_newer_helper_may_tell_more() {
    assert_eq!(read(r#"{"weather":{"rain":true}}"#), Message::Other("weather".to_owned()));
    assert_eq!(read(r#"{"stopped":1}"#), Message::Other("stopped".to_owned()));
    let listed = ListedAll { tests: 1, deselected: 0, exit: None, ..ListedAll::default() };
    assert_eq!(
        read(r#"{"listed":{"tests":1,"deselected":0,"exit":null,"more":[]}}"#),
        Message::Listed(listed)
    );
}

#[test]
fn what_is_broken_is_quoted() {
    for broken in ["", "{", "no JSON", "[]", "7", "{}", r#"{"stop":"a","end":1}"#, "{\"stop\":\"a\"} x"] {
        let error = read_message(broken.as_bytes()).expect_err(broken);
        assert!(
            matches!(&error, ListingError::NotAMessage { came, .. } if came == broken),
            "{broken}: {error:?}"
        );
        assert!(error.to_string().contains(&format!("`{broken}`")), "{error}");
    }
    let forms = [
        ("tests", r#"{"tests":[{"id":"a","n":0,"file":"/f","wide":false}]}"#, "job"),
        ("tests", r#"{"tests":[{"id":"a","n":-1,"file":"/f","wide":false,"job":"test"}]}"#, "-1"),
        ("tests", r#"{"tests":[{"id":"a","n":0,"file":"/f","wide":false,"job":"day"}]}"#, "day"),
        ("listed", r#"{"listed":{"deselected":0,"exit":null}}"#, "tests"),
        ("finished", r#"{"finished":{"summary":""}}"#, "exit"),
        ("hello", r#"{"hello":{"pytest":null}}"#, "python"),
        ("stop", r#"{"stop":null}"#, "null"),
    ];
    for (kind, broken, why) in forms {
        let error = read_message(broken.as_bytes()).expect_err(broken);
        assert!(matches!(&error, ListingError::Form { kind: of, .. } if of == kind), "{error:?}");
        let words = error.to_string();
        assert!(words.contains(broken) && words.contains(why), "{words}");
    }
}

#[test]
fn nothing_of_a_test_is_guessed() {
    let fields = [r#""id":"a""#, r#""n":0"#, r#""file":"/f""#, r#""wide":false"#, r#""job":"test""#];
    let told = |fields: &[&str]| format!(r#"{{"tests":[{{{}}}]}}"#, fields.join(","));
    assert!(matches!(read(&told(&fields)), Message::Tests(tests) if tests.len() == 1));
    for left_out in 0..fields.len() {
        let mut some = fields.to_vec();
        let field = some.remove(left_out);
        let words = read_message(told(&some).as_bytes()).expect_err(field).to_string();
        let name = field.split('"').nth(1).unwrap_or_default();
        assert!(words.contains(&format!("missing field `{name}`")), "{words}");
    }
}

#[test]
fn a_long_message_is_quoted_in_part() {
    let broken = "é".repeat(1000);
    let words = read_message(broken.as_bytes()).expect_err("no JSON").to_string();
    assert!(words.contains("éé...`") && words.len() < 700, "{words}");
    assert!(read_message(b"\"\xff").expect_err("no UTF-8").to_string().contains('\u{fffd}'));
}
