//! Which files a job opened, among its reports.

use super::super::{Beside, beside};
use super::{PASSED, of_lines, protocol};
use seatrial_model::{Captured, FileFacts, Outcome, TestRef};

/// As the helper writes it.
const LINE: &str = r#"{"facts":{"tests":[1,0],"interpreter":"i","step":2,"opened":["a.py"],"written":["/b"],"imported":["a"],"left_out":3,"shared":true}}"#;

fn facts(lines: &str, names: &[TestRef]) -> Vec<Option<FileFacts>> {
    let told = beside(&Captured::whole(lines.as_bytes().to_vec()), names.len());
    let facts = told.into_iter().map(|told| match told {
        Beside::Facts(facts) => facts.of(names),
        other @ (Beside::Late { .. } | Beside::Unsafe(_) | Beside::Line(_)) => panic!("{other:?}"),
    });
    facts.collect()
}

#[test]
fn they_are_of_tests_by_name() {
    let names = [TestRef::new("g", "one"), TestRef::new("g", "two")];
    let expected = FileFacts {
        tests: vec![names[1].clone(), names[0].clone()],
        interpreter: "i".into(),
        step: 2,
        shared: true,
        opened: vec!["a.py".into()],
        written: vec!["/b".into()],
        imported: vec!["a".into()],
        left_out: 3,
    };
    let lines = format!("{LINE}\n");
    assert_eq!(facts(&lines, &names), [Some(expected)]);
    assert_eq!(facts(&lines, &names[..1]), [None], "a position that the job does not have");
}

#[test]
fn they_change_no_result() {
    let lines = format!("{LINE}\n{}{LINE}\n", protocol(&PASSED));
    let results = of_lines(&lines, 1);
    assert_eq!(results[0].outcome, Outcome::Pass, "{results:?}");
    assert!(results[0].lines.iter().all(|line| !line.contains("facts")), "they are not for the lister");
    // Facts alone are no pass.
    assert!(!of_lines(&format!("{LINE}\n"), 2).iter().any(|result| result.outcome == Outcome::Pass));
    // What is cut off is as unreadable as any line.
    let results = of_lines(&lines.replacen(",\"left_out\":3", "", 1), 1);
    assert_eq!(results[0].outcome, Outcome::Error, "{results:?}");
}
