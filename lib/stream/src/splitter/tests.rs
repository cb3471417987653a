use proptest::prelude::*;

use super::*;

/// What a document gives when it is shown `chunk` bytes at a time: elements with their places, and how it ended.
fn split(text: &[u8], chunk: usize) -> Option<(Vec<(usize, String)>, String)> {
    let mut shown = chunk.min(text.len());
    let (mut splitter, mut from) = loop {
        match Splitter::open(&text[..shown]) {
            Opening::Array(splitter, after) => break (splitter, after),
            Opening::Not => return None,
            Opening::More if shown == text.len() => return None,
            Opening::More => shown = (shown + chunk).min(text.len()),
        }
    };
    let mut elements = Vec::new();
    let ended = loop {
        match splitter.step(&text[from..shown]) {
            Step::Skip(count) => from += count,
            Step::Element(count) => {
                elements.push((
                    from,
                    String::from_utf8_lossy(&text[from..from + count]).into_owned(),
                ));
                from += count;
            }
            Step::More if shown == text.len() => break "cut off".to_owned(),
            Step::More => shown = (shown + chunk).min(text.len()),
            Step::End(count) => break format!("end at {}", from + count),
            Step::Broken(reason) => break reason.to_owned(),
        }
    };
    Some((elements, ended))
}

fn elements(text: &str) -> Vec<String> {
    let (elements, ended) = split(text.as_bytes(), 7).unwrap();
    assert_eq!(ended, format!("end at {}", text.trim_end().len()));
    elements.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn elements_are_found_wherever_the_array_stands() {
    assert_eq!(elements(r#"{"Records":[]}"#), [""; 0]);
    assert_eq!(
        elements(r#"{"Records":[{"a":1},{"b":[2]}]}"#),
        [r#"{"a":1}"#, r#"{"b":[2]}"#]
    );
    assert_eq!(
        elements(" {\n \"Records\" : [\n 1 ,\n \"x\" ,null ] } "),
        ["1", "\"x\"", "null"]
    );
    let text = r#"{"v":"1","deep":{"Records":[{"no":1}]},"n":-1e3,"records":[{"a":"]}"}],"end":[{}]}"#;
    assert_eq!(elements(text), [r#"{"a":"]}"}"#]);
}

#[test]
fn strings_with_escapes_and_brackets_do_not_end_an_element() {
    let text = r#"{"Records":[{"a":"\"]}\\"},["\\\\\"",{"b":"[{"}]]}"#;
    assert_eq!(elements(text), [r#"{"a":"\"]}\\"}"#, r#"["\\\\\"",{"b":"[{"}]"#]);
}

#[test]
fn each_element_keeps_what_stood_before_the_array() {
    let Opening::Array(splitter, after) = Splitter::open(br#" {"v": 1, "Records": [{"a": 1}]}"#) else {
        panic!("an array")
    };
    assert_eq!(after, 22);
    assert_eq!(splitter.wrap(b"{}"), r#"{"v": 1, "Records": [{}]}"#);
}

#[test]
fn a_second_array_after_the_first_is_taken_apart_too() {
    let text = r#"{"v":1,"Records":[1],"x":{},"logEvents":[2,3],"y":0}"#;
    assert_eq!(elements(text), ["1", "2", "3"]);
}

#[test]
fn other_documents_are_left_alone() {
    for text in [
        "",
        "x",
        "[1]",
        "{",
        "{}",
        r#"{"a":1}"#,
        r#"{"Records":{}}"#,
        r#"{"Records""#,
        r#"{"Records":"x"}"#,
        r#"{"Recor\u0064s":[1]}"#,
        r#"{"a":{"Records":[1]}}"#,
        r#"{"a":,"Records":[1]}"#,
        r#"{"a" 1,"Records":[1]}"#,
        r#"{a:1,"Records":[1]}"#,
    ] {
        assert_eq!(split(text.as_bytes(), 3), None, "{text}");
    }
    let late = format!(r#"{{"a":"{}","Records":[1]}}"#, "x".repeat(MEMBERS_BYTES_MAX));
    assert_eq!(split(late.as_bytes(), 1000), None);
}

#[test]
fn what_is_broken_says_why_and_what_came_before_is_kept() {
    let long = format!(r#"{{"Records":[1],"x":"{}"}}"#, "x".repeat(MEMBERS_BYTES_MAX));
    for (text, reason) in [
        (r#"{"Records":[1 2]}"#, "no comma between two elements"),
        (r#"{"Records":[1,]}"#, "an element is missing"),
        (r#"{"Records":[1,,2]}"#, "an element is missing"),
        (r#"{"Records":[1}"#, "no comma between two elements"),
        (r#"{"Records":[1]]"#, "no json after the array"),
        (r#"{"Records":[1],2}"#, "no json after the array"),
        (r#"{"Records":[1,{"a":"#, "cut off"),
        (r#"{"Records":[1,"\"]}"#, "cut off"),
        (&long, "too much after the array"),
    ] {
        let (elements, ended) = split(text.as_bytes(), 1000).unwrap();
        assert_eq!((&*elements[0].1, &*ended), ("1", reason), "{text}");
    }
}

#[test]
fn a_million_brackets_take_no_memory_and_no_stack() {
    let text = format!("{{\"Records\":[{}{}]}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let (elements, _) = split(text.as_bytes(), 1 << 16).unwrap();
    assert_eq!(elements.len(), 1);
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i32>().prop_map(|n| n.to_string()),
        prop::collection::vec(
            prop::sample::select(vec!["a", "é", "\\\"", "\\\\", "{", "]", ",", "\\u0041"]),
            0..6
        )
        .prop_map(|parts| format!("\"{}\"", parts.concat())),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list =
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
        let map = prop::collection::vec(inner, 0..4).prop_map(|items| {
            let items = items
                .iter()
                .enumerate()
                .map(|(n, item)| format!("\"k{n}\": {item}"));
            format!("{{{}}}", items.collect::<Vec<_>>().join(",\n"))
        });
        prop_oneof![list, map]
    })
}

proptest! {
    /// Elements are those of the array, at their places, however the bytes arrive.
    #[test]
    fn elements_are_those_of_the_array(items in prop::collection::vec(json(), 0..6), before in json(), chunk in 1..40_usize) {
        let text = format!("{{\"v\": {before}, \"Records\": [{}], \"after\": {before}}}", items.join(" ,\n"));
        let (elements, ended) = split(text.as_bytes(), chunk).unwrap();
        prop_assert_eq!(ended, format!("end at {}", text.len()));
        for (start, element) in &elements {
            prop_assert!(text[*start..].starts_with(element));
        }
        prop_assert_eq!(elements.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), items);
    }

    /// Whatever is thrown at it: steps end, places do not overlap, and chunks make no difference.
    #[test]
    fn anything_at_all_is_survived(noise in "[\\[\\]{}\",:\\\\a1 ]{0,60}", chunk in 1..9_usize) {
        let text = format!("{{\"Records\":[{noise}");
        let whole = split(text.as_bytes(), text.len());
        prop_assert_eq!(&split(text.as_bytes(), chunk), &whole);
        let (elements, _) = whole.unwrap();
        let mut at = 0;
        for (start, element) in elements {
            prop_assert!(start >= at && !element.is_empty());
            at = start + element.len();
        }
    }
}
