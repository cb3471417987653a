use super::*;
use crate::export::{ExportedRule, Source};

/// An export of one file with one function, the first object, at `line`.
fn export_of(text: &str, line: u32, name: &str) -> Export {
    Export {
        version: 1,
        python: (3, 11, 7),
        sources: vec![Source {
            file: "rules/a.py".to_owned(),
            text: text.to_owned(),
        }],
        objects: vec![Object::Function {
            source: 0,
            line,
            name: name.to_owned(),
            qualname: name.to_owned(),
            code_name: String::new(),
            nth: 0,
            of: 0,
            defaults: Vec::new(),
            kwdefaults: Default::default(),
            closure: Default::default(),
            globals: Default::default(),
        }],
        rules: vec![ExportedRule {
            name: name.to_owned(),
            func: 0,
            matchers: Vec::new(),
            dynamic_outputs: Vec::new(),
            context: None,
        }],
    }
}

fn program(text: &str) -> Program {
    compile(&export_of(text, 1, "rule")).unwrap()
}

#[test]
fn a_field_of_the_record_is_a_path() {
    let program =
        program("def rule(rec):\n    return rec['a']['b'] == 'x' and rec.get('c', {}).get('d', 1)\n");
    let shown = format!("{:?}", program.codes[0].body);
    assert!(program.rules[0].refused.is_none());
    assert_eq!(program.paths.len(), 4, "{:?}", program.paths);
    assert!(shown.contains("Path(PathExpr { local: 0, path: 1"), "{shown}");
}

#[test]
fn a_file_that_does_not_parse_refuses_its_rules() {
    let program = program("def rule(rec:\n    return 1\n");
    let point = program.rules[0].refused.expect("refused");
    let reason = &program.points[point as usize].reason;
    assert!(reason.contains("does not parse"), "{reason}");
}

#[test]
fn what_two_functions_ask_of_the_record_is_shared() {
    let text = "def rule(rec):\n    def f(r):\n        return r['a'].startswith('x') and r['b'] in ('y', 'z')\n    return rec['a'].startswith('x') or rec['c'] == 1\n";
    let program = program(text);
    assert_eq!(program.memos, 1);
    let shown = format!("{:?}", program.codes);
    assert_eq!(
        shown.matches("Memo(MemoExpr { slot: 0, local: 0").count(),
        2,
        "{shown}"
    );
}

#[test]
fn a_fallback_point_names_its_line() {
    let program =
        program("def rule(rec):\n    class A: pass\n    async def f(): pass\n    return locals()\n");
    let rule = &program.rules[0];
    let points: Vec<(u32, &str)> = rule
        .points
        .iter()
        .filter_map(|id| program.points.get(*id as usize))
        .map(|point| (point.line, &*point.reason))
        .collect();
    assert_eq!(
        points,
        [
            (2, "a class within a function"),
            (3, "an async function"),
            (4, "the built-in locals is not known to the native engine"),
        ]
    );
}

/// The same with the global `CACHE`, a list that holds a list.
fn with_cache(text: &str) -> Program {
    let mut export = export_of(text, 1, "rule");
    export.objects.push(Object::List { v: vec![2] });
    export.objects.push(Object::List { v: Vec::new() });
    if let Some(Object::Function { globals, .. }) = export.objects.first_mut() {
        globals.insert("CACHE".to_owned(), 1);
    }
    compile(&export).unwrap()
}

#[test]
fn a_constant_that_a_function_changes_is_not_known_to_its_readers() {
    for (body, whole, inner) in [
        ("CACHE.append(1)", true, false),
        ("CACHE[0].append(1)", false, true),
        ("x = CACHE; x += [1]", true, false),
        ("for x in CACHE: x.clear()", false, true),
        ("del CACHE[0]", true, false),
        ("f = lambda x: x.append(1); f(CACHE)", true, true),
        ("x = [CACHE]; y = x[0]; y[0] = 1", true, false),
        ("def f(x=CACHE): x.append(1)", true, false),
        ("a, b = CACHE, 1; a.sort()", true, false),
        ("with CACHE as x: x.sort()", true, false),
        ("f = CACHE.append; f(1)", true, false),
        ("x = list(CACHE); x.append(1)", false, false),
        ("x = CACHE + [1]; x.append(1)", false, false),
        ("x = CACHE.copy(); x.append(1)", false, false),
        ("x = 1; x += 1; return x in CACHE", false, false),
    ] {
        let program = with_cache(&format!("def rule(rec):\n    {body}\n    return True\n"));
        let unknown = |id: usize| matches!(program.consts[id], Const::Unsupported(_));
        assert_eq!((unknown(1), unknown(2)), (whole, inner), "{body}");
        assert_eq!(whole || inner, !program.rules[0].points.is_empty(), "{body}");
    }
}

#[test]
fn an_address_network_of_the_module_level_is_made_when_it_is_asked_for() {
    let text = "def rule(rec):\n    nets = [NET]\n    return ip_address(rec['ip']) in NET and nets[0].overlaps(NET)\n";
    let mut export = export_of(text, 1, "rule");
    let builtin = |name: &str| Object::Builtin {
        module: "ipaddress".to_owned(),
        name: name.to_owned(),
    };
    export.objects.extend([
        builtin("ip_address"),
        builtin("IPv4Network"),
        Object::Str {
            v: "10.0.0.0/8".to_owned(),
        },
        Object::Unsupported {
            reason: "an IPv4Network".to_owned(),
            call: Some(2),
            args: vec![3],
            func: None,
            getter: None,
        },
    ]);
    if let Some(Object::Function { globals, .. }) = export.objects.first_mut() {
        globals.insert("ip_address".to_owned(), 1);
        globals.insert("NET".to_owned(), 4);
    }
    let program = compile(&export).unwrap();
    assert!(program.rules[0].points.is_empty(), "{:?}", program.points);
    for (record, expected) in [(r#"{"ip": "10.1.2.3"}"#, true), (r#"{"ip": "11.1.2.3"}"#, false)] {
        let answer = crate::testing::with_program(&program, record, |cx, record| {
            let args = [record];
            let args = crate::registry::Args::positional(&args);
            let answer = crate::eval::call(cx, cx.constant(0), &args);
            matches!(answer, Ok(crate::obj::Obj::Bool(true)))
        });
        assert_eq!(answer, expected, "{record}");
    }
}
