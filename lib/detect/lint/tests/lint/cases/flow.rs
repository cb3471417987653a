use crate::support::{body, ids, rule};

const NONE: [&str; 0] = [];

fn codes(text: &str) -> Vec<String> {
    body(text)
        .iter()
        .map(|one| one.chars().take(5).collect())
        .collect()
}

#[test]
fn lines_after_the_end_are_never_reached() {
    assert_eq!(ids(&rule("return x\ny = 1\nz = 2")), [(7, "SA401")]);
    assert_eq!(codes("for x in y:\n    continue\n    z = 1\nreturn y"), ["SA401"]);
    assert_eq!(
        codes("if x:\n    return y\nelse:\n    raise ValueError\nreturn z"),
        ["SA401"]
    );
    assert_eq!(body("if x:\n    return y\nreturn z"), NONE);
    assert_eq!(body("if x:\n    return y\nelif y:\n    return z\nreturn z"), NONE);
    assert_eq!(body("def none():\n    return\n    yield\nreturn none()"), NONE);
}

#[test]
fn a_rule_that_answers_nothing_true_never_fires() {
    let told = body("record['eventName'] == 'x'");
    assert_eq!(
        told,
        ["SA402 example returns nothing; write return in front of the condition"]
    );
    for dead in [
        "pass",
        "return",
        "return False",
        "return None",
        "return ''",
        "return []",
        "if record['eventName'] == 'x':\n    return False\nreturn 0",
        "def inner():\n    return True\ninner()",
        "x = lambda: True",
    ] {
        assert_eq!(codes(dead), ["SA402"], "{dead}");
    }
    for alive in [
        "return True",
        "return x",
        "if x:\n    return True",
        "return bool(x)",
        "yield x",
        "return not x",
    ] {
        assert_eq!(body(alive), NONE, "{alive}");
    }
}

#[test]
fn an_except_that_hides_everything_is_told() {
    assert_eq!(
        codes("try:\n    return f(x)\nexcept:\n    return False"),
        ["SA403"]
    );
    assert_eq!(
        codes("try:\n    return f(x)\nexcept BaseException:\n    pass"),
        ["SA403"]
    );
    assert_eq!(body("try:\n    return f(x)\nexcept:\n    log()\n    raise"), NONE);
    assert_eq!(
        body("try:\n    return f(x)\nexcept (KeyError, TypeError):\n    return False"),
        NONE
    );
}
