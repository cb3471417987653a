use crate::support::{body, ids, returning, returning_ids, rule};

const NONE: [&str; 0] = [];

#[test]
fn one_value_is_not_equal_to_two() {
    assert_eq!(
        returning("record['eventName'] == 'a' and record['eventName'] == 'b'"),
        ["SA302 record['eventName'] cannot be equal to both; write or, or record['eventName'] in (…)"]
    );
    assert_eq!(returning_ids("x == 1 and y and 2 == x"), ["SA302"]);
    assert_eq!(
        returning_ids("x.get('a') == 'b' and x.get('a') == 'c'"),
        ["SA302"]
    );
    for fine in [
        "x == 'a' or x == 'b'",
        "x == 'a' and y == 'b'",
        "x == 'a' and x == 'a'",
        "x == 1 and x == 1.0",
        "x == 1 and x == True",
        "next(x) == 'a' and next(x) == 'b'",
        "x.pop() == 'a' and x.pop() == 'b'",
    ] {
        assert!(!returning_ids(fine).contains(&"SA302".to_owned()), "{fine}");
    }
}

#[test]
fn one_value_always_differs_from_one_of_two() {
    assert_eq!(returning_ids("x != 'a' or x != 'b'"), ["SA303"]);
    assert_eq!(returning("x != 'a' and x != 'b'"), NONE);
    assert_eq!(returning("x != 'a' or y != 'b'"), NONE);
}

#[test]
fn parentheses_around_a_text_are_no_tuple() {
    assert_eq!(
        returning("x in ('abc')"),
        ["SA304 ('abc') is a text, not a tuple; write ('abc',), or =="]
    );
    assert_eq!(returning_ids("x not in ('abc')"), ["SA304"]);
    assert_eq!(returning("x in 'abc'"), NONE);
    assert_eq!(returning("(x in 'abc')"), NONE);
    assert_eq!(returning("x in ('abc',)"), NONE);
}

#[test]
fn nothing_is_in_a_number_and_only_texts_are_in_a_text() {
    assert_eq!(returning_ids("x in 5"), ["SA301"]);
    assert_eq!(returning_ids("5 in 'abc5'"), ["SA301"]);
}

#[test]
fn texts_in_the_wrong_letters_never_match() {
    assert_eq!(
        returning("record['eventName'].lower() == 'ABC'"),
        ["SA305 no text after lower() has 'ABC' in it; write 'abc'"]
    );
    for wrong in [
        "'Abc' == x.lower()",
        "x.lower().strip() == 'Abc'",
        "x.upper() != 'abc'",
        "x.lower().startswith('Abc')",
        "x.casefold().endswith(('abc', 'Def'))",
        "x.lower() in ('abc', 'Def')",
        "'Abc' in x.lower()",
    ] {
        assert_eq!(returning_ids(wrong), ["SA305"], "{wrong}");
    }
    assert_eq!(body("name = x.lower()\nreturn name == 'Abc'").len(), 1);
    for fine in [
        "x.lower() == 'abc'",
        "x.lower() == '123-ü'",
        "x.upper().startswith('ABC')",
        "x.lower().replace('a', 'A') == 'A'",
        "x.lower() == y",
        "x == 'ABC'",
    ] {
        assert_eq!(returning(fine), NONE, "{fine}");
    }
    let global = format!("{}NAMES = {{'Abc'}}\n", rule("return x.lower() in NAMES"));
    assert_eq!(ids(&global), [(7, "SA305")]);
}

#[test]
fn conditions_that_are_constants_are_told() {
    assert_eq!(returning_ids("x == 'a' or 'b'"), ["SA306"]);
    for wrong in [
        "if 'a':\n    return x\nreturn y",
        "if x or 'b':\n    return x\nreturn y",
        "if (x, y):\n    return x\nreturn y",
    ] {
        let told = body(wrong);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("SA306"), "{told:?}");
    }
    assert_eq!(returning_ids("1 if True else x"), ["SA306"]);
    for fine in [
        "x or 'default'",
        "x.get('a') or 'b'",
        "x == 'a' or False",
        "x == 'a' or y",
        "f(x or 'b') == 'c'",
    ] {
        assert_eq!(returning(fine), NONE, "{fine}");
    }
    assert_eq!(body("while True:\n    return x"), NONE);
}

#[test]
fn none_true_and_false_are_not_compared_with_equality() {
    assert_eq!(
        returning("record['userIdentity'] == None"),
        ["SA307 == None; write record['userIdentity'] is None"]
    );
    assert_eq!(returning("x != None"), ["SA307 != None; write x is not None"]);
    assert_eq!(returning("x == True"), ["SA307 == True; write x"]);
    assert_eq!(returning("x != False"), ["SA307 != False; write x"]);
    assert_eq!(returning("x == False"), ["SA307 == False; write not x"]);
    assert_eq!(returning("x is None"), NONE);
}

#[test]
fn an_assertion_of_a_tuple_never_fails() {
    let told = body("assert (x, 'no x')\nreturn x");
    assert_eq!(
        told,
        ["SA308 a tuple is always true, so this never fails; remove the parentheses"]
    );
    assert_eq!(body("assert x, 'no x'\nreturn x"), NONE);
}

#[test]
fn helpers_and_matchers_are_looked_at_too() {
    let text = "class Aws:\n    @classmethod\n    def prod(cls, record):\n        return record['a'].lower() == 'Prod'\n";
    assert_eq!(ids(text), [(4, "SA305")]);
}
