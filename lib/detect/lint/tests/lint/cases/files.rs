use streamalert_lint::{CHECKS, SourceFile, lint, publishers};

use crate::support::{body, ids, known, of_file, rule};

#[test]
fn a_sound_rule_is_not_complained_of() {
    assert_eq!(body("return record['eventName'] == 'x'"), [""; 0]);
}

#[test]
fn a_syntax_error_is_told_with_line_and_column_and_nothing_else_is() {
    let found = of_file("def f(x):\n    if x = 1:\n        return\n");
    assert_eq!(
        (found[0].line, found[0].code.check().id),
        (2, "SA001"),
        "{found:?}"
    );
    assert!(found[0].column > 7, "{found:?}");
    assert!(found.iter().all(|one| one.code.check().id == "SA001"));
}

#[test]
fn a_text_too_deep_to_parse_is_refused_and_a_hostile_one_does_no_harm() {
    assert_eq!(ids(&format!("x = {}", "(".repeat(100_000))), [(1, "SA002")]);
    assert_eq!(ids(&format!("x = {}1", "not ".repeat(100_000))), [(1, "SA002")]);
    let worst_accepted = format!("x = {}1{}", "(".repeat(240), ")".repeat(240));
    assert_eq!(ids(&worst_accepted), []);
    assert_eq!(ids(&format!("x = 1{}", "+1".repeat(240))), []);
    for text in [
        "\0",
        "\u{feff}x = 1",
        "x = '\\ud800'",
        "é = 'ü'  # noqa: ö",
        "@",
        "@rule",
        "def",
        "'''",
    ] {
        let _ = of_file(text);
    }
}

#[test]
fn comments_on_the_line_or_above_it_silence_what_they_name() {
    let wrong = "return record['port'] == '22'";
    assert_eq!(body(wrong).len(), 1);
    for comment in [
        "# noqa",
        "# noqa: SA301",
        "# streamalert: ignore",
        "# streamalert: ignore[SA301]",
        "# streamalert: ignore[wrong-type, SA201]",
    ] {
        assert_eq!(body(&format!("{wrong}  {comment}")), [""; 0], "{comment}");
        assert_eq!(body(&format!("{comment}\n{wrong}")), [""; 0], "{comment}");
    }
    assert_eq!(body(&format!("{wrong}  # noqa: SA302")).len(), 1);
    assert_eq!(
        body(&format!("x = '# noqa'\n{wrong}")).len(),
        1,
        "a text is no comment"
    );
    let misspelt = ids(&rule(&format!("{wrong}  # streamalert: ignore[wrong-typ]")));
    assert_eq!(misspelt, [(6, "SA301"), (6, "SA003")]);
}

#[test]
fn two_rules_of_one_name_are_told_with_both_places() {
    let file = |path: &str| SourceFile {
        path: path.to_owned(),
        text: rule("return record['eventName'] == 'x'"),
    };
    let found = lint(&[file("rules/a.py"), file("rules/b.py")], &known());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].to_string(),
        "rules/b.py:4:5: SA110 duplicate-rule: the rule example is already defined in rules/a.py:4; \
         give it another name"
    );
}

#[test]
fn a_rule_without_docstring_or_test_event_is_told() {
    let text = rule("return record['eventName'] == 'x'");
    let without = text.replace("    \"\"\"Something happened\"\"\"\n", "");
    assert_eq!(ids(&without), [(4, "SA601")]);
    assert_eq!(ids(&text.replace("Something happened", "  ")), [(4, "SA601")]);
    assert_eq!(ids(&text.replace("example", "untested")), [(4, "SA602")]);
}

#[test]
fn every_check_is_found_by_some_case() {
    let cases = [
        include_str!("comparisons.rs"),
        include_str!("decorators.rs"),
        include_str!("files.rs"),
        include_str!("flow.rs"),
        include_str!("records.rs"),
        include_str!("state.rs"),
    ];
    for check in CHECKS {
        assert!(
            cases.iter().any(|text| text.contains(check.id)),
            "no case for {}",
            check.id
        );
    }
}

#[test]
fn registered_publishers_are_found_and_other_functions_are_none() {
    let text = "from streamalert.shared.publisher import AlertPublisher, Register\n\
                @Register\ndef short(alert, publication):\n    return {}\n\
                @Register\nclass Long(AlertPublisher):\n    pass\n\
                def helper():\n    pass\n";
    assert_eq!(publishers(text), ["short", "Long"]);
    assert_eq!(publishers("def ("), [""; 0]);
}
