//! JUnit reports, as far as outcomes need them.

/// A `testcase` with the names of the elements in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Case {
    /// The name of the `testsuite` around it.
    pub(crate) suite: String,
    pub(crate) class: String,
    pub(crate) name: String,
    /// Elements in it, each with its `type` and its `message`.
    pub(crate) inner: Vec<(String, String, String)>,
}

/// All of a report, in its order.
pub(crate) fn read(xml: &str) -> Vec<Case> {
    let (mut suite, mut cases, mut open) = (String::new(), Vec::<Case>::new(), false);
    for tag in xml.split('<').skip(1) {
        let (head, _) = tag.split_once('>').unwrap_or((tag, ""));
        let of = |name: &str| attribute(head, name).unwrap_or_default();
        let element = head.split([' ', '/']).next().unwrap_or_default();
        match element {
            "testsuite" => suite = of("name"),
            "testcase" => {
                let inner = Vec::new();
                cases.push(Case { suite: suite.clone(), class: of("classname"), name: of("name"), inner });
                open = !head.ends_with('/');
            }
            "" if head == "/testcase" => open = false,
            "" => {}
            element if open => {
                if let Some(case) = cases.last_mut() {
                    case.inner.push((element.to_owned(), of("type"), of("message")));
                }
            }
            _ => {}
        }
    }
    cases
}

/// An attribute's value, unescaped.
fn attribute(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#10;", "\n"),
        ("&#13;", "\r"),
        ("&#09;", "\t"),
        ("&#9;", "\t"),
        ("&amp;", "&"),
    ];
    Some(pairs.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::{Case, read};

    #[test]
    fn cases_and_what_is_in_them_are_read() {
        let xml = "<testsuites><testsuite name=\"pytest\"><testcase classname=\"a.b\" name=\"t[&lt;&amp;lt;]\" time=\"0\" />\
            <testcase classname=\"a\" name=\"u\"><skipped type=\"pytest.skip\" message=\"why&#10;so\">x</skipped></testcase>\
            <properties /></testsuite></testsuites>";
        let case = |class: &str, name: &str, inner: &[(&str, &str, &str)]| Case {
            suite: "pytest".to_owned(),
            class: class.to_owned(),
            name: name.to_owned(),
            inner: inner
                .iter()
                .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
                .collect(),
        };
        let skipped = case("a", "u", &[("skipped", "pytest.skip", "why\nso")]);
        assert_eq!(read(xml), [case("a.b", "t[<&lt;]", &[]), skipped]);
    }
}
