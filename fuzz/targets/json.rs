//! Any bytes as a record: reading ends with an answer, what is written reads back the same, and what another reader
//! takes is taken here, too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamalert_value::{Doc, JsonStyle, Kind, NodeRef, Value, decode_json_bytes};

/// Asks a node everything, and those within it. `is_whole`: no half of a surrogate pair, which only nodes can hold.
fn ask(root: NodeRef<'_>, is_whole: bool) {
    let mut open = vec![root];
    // What a node answers takes as long as what is within it.
    for _ in 0..100 {
        let Some(node) = open.pop() else { return };
        let value = node.to_value();
        assert_eq!(node.is_truthy(), value.is_truthy());
        let (mut repr, mut text) = (String::new(), String::new());
        node.write_python_repr(&mut repr);
        node.write_python_str(&mut text);
        if is_whole {
            assert_eq!(repr, value.python_repr());
            assert_eq!(text, value.python_str());
        }
        node.write_surrogate_utf8(&mut Vec::new());
        match node.kind() {
            Kind::Map => {
                for (key, member) in node.members() {
                    if let Some(key) = key.as_str().filter(|_| is_whole) {
                        let found = node.get(&key).expect("a key is found");
                        assert_eq!(found.index(), member.index(), "{key}");
                    }
                    open.push(member);
                }
            }
            Kind::List => open.extend(node.items()),
            _ => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = decode_json_bytes(data) else {
        return;
    };
    let is_whole = !text.to_lowercase().contains("\\ud");
    let mut doc = Doc::new();
    let parsed = doc.parse(&text).map(|tree| {
        ask(tree.root(), is_whole);
        tree.root().to_value()
    });
    let other = serde_json::from_str::<serde_json::Value>(&text);
    let Ok(value) = parsed else {
        assert!(other.is_err(), "{parsed:?}");
        return;
    };
    for style in [
        JsonStyle::COMPACT,
        JsonStyle::CANONICAL,
        JsonStyle::PYTHON,
        JsonStyle::PYTHON_COMPACT,
    ] {
        let written = style.text(&value);
        let again = Value::parse_json(written.as_bytes()).expect("what is written can be read");
        assert!(again.same(&value), "{written}");
    }
    // Python reads `-0` as the integer that it is.
    if let Ok(other) = other
        && !text.contains("-0")
    {
        let ours: serde_json::Value = serde_json::from_str(&value.to_json()).expect("JSON as others read it");
        assert_eq!(ours, other);
    }
});
