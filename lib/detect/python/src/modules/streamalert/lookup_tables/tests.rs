use std::collections::HashMap;
use std::sync::Arc;

use streamalert_value::Value;

use crate::cx::{Leave, Raise};
use crate::env::Env;
use crate::registry::Args;
use crate::{eval, load, lower, testing};

const CHANGES: [&str; 22] = [
    "given['l'].append(1)",
    "given['l'].extend([1])",
    "given['l'].insert(0, 1)",
    "given['l'].pop()",
    "given['l'].remove(1)",
    "given['l'].reverse()",
    "given['l'].sort()",
    "given['l'].clear()",
    "given['l'][0] = 2",
    "given['l'][0:1] = []",
    "del given['l'][0]",
    "del given['l'][0:1]",
    "given['l'] += [1]",
    "given['l'] *= 2",
    "given['d']['x'] = 1",
    "del given['d']['a']",
    "given['d'].pop('a')",
    "given['d'].popitem()",
    "given['d'].clear()",
    "given['d'].update(x=1)",
    "given['d'].setdefault('x', 1)",
    "given['d']['n'].append(1)",
];

#[test]
fn whoever_changes_a_lookup_table_falls_back() {
    let mut source = "from streamalert.shared.rule import rule\n\
        from streamalert.shared.lookup_tables.core import LookupTables\n"
        .to_owned();
    for (number, change) in CHANGES.iter().enumerate() {
        source.push_str(&format!(
            "@rule(logs=['a'])\ndef f{number}(rec):\n    given = LookupTables.get('t', 'k')\n    {change}\n    return True\n"
        ));
    }
    let loaded = load::load_source(&source, "rules/a.py", (3, 11, 7));
    let program = lower::compile(&loaded.export).unwrap();
    assert_eq!(program.rules.len(), CHANGES.len());
    let Ok(Value::Map(table)) = Value::parse_json(br#"{"k": {"l": [1, 2], "d": {"a": 1, "n": []}}}"#) else {
        panic!("the table is no JSON");
    };
    let tables = HashMap::from([("t".to_owned(), table)]);
    let env = Env::new(Arc::new(tables), Box::new(|| 0));
    testing::with_env(&program, &env, "{}", |cx, record| {
        for (rule, change) in program.rules.iter().zip(CHANGES) {
            let answer = eval::call(cx, cx.constant(rule.func), &Args::positional(&[record]));
            let left = matches!(
                answer,
                Err(Raise::Fallback(Leave::Here("changes a lookup table")))
            );
            assert!(left, "{change}");
        }
    });
}
