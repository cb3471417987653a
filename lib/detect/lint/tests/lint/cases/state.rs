use crate::support::{ids, rule};

/// What is found in a rule of this body, with a module level before it.
fn after(module: &str, body: &str) -> Vec<&'static str> {
    let text = format!("{module}\n{}", rule(body));
    ids(&text).into_iter().map(|(_, id)| id).collect()
}

#[test]
fn globals_are_not_changed() {
    for change in [
        "SEEN.append(1)",
        "SEEN[0] = 1",
        "del SEEN[0]",
        "SEEN[0] += 1",
        "SEEN[0]['a'] = 1",
        "SEEN[0].add(1)",
    ] {
        let found = after("SEEN = []", &format!("{change}\nreturn x"));
        assert_eq!(found, ["SA501"], "{change}");
    }
    assert_eq!(
        after("COUNT = 0", "global COUNT\nCOUNT += 1\nreturn COUNT > 3"),
        ["SA501"]
    );
    let helper = "SEEN = set()\ndef note(x):\n    SEEN.add(x)\n";
    assert_eq!(ids(helper), [(3, "SA501")]);
}

#[test]
fn what_is_the_functions_own_may_change() {
    assert_eq!(
        after("SEEN = []", "SEEN = []\nSEEN.append(1)\nreturn SEEN"),
        [""; 0]
    );
    assert_eq!(after("SEEN = []\nSEEN.append(1)", "return x in SEEN"), [""; 0]);
    assert_eq!(after("", "seen = []\nseen.append(1)\nreturn seen"), [""; 0]);
}

#[test]
fn mutable_defaults_are_told() {
    for default in ["[]", "{}", "set()", "dict()", "[x for x in y]"] {
        assert_eq!(
            ids(&format!("def f(a, b={default}):\n    return b\n")),
            [(1, "SA502")],
            "{default}"
        );
    }
    assert_eq!(ids("def f(a, b=(), c=None, d='x'):\n    return b\n"), []);
}

#[test]
fn rules_do_not_wait_read_files_or_talk_to_the_network() {
    for (import, call) in [
        ("import time", "time.sleep(1)"),
        ("from time import sleep", "sleep(1)"),
        ("import requests as r", "r.get('x')"),
        ("", "open('x')"),
        ("import socket", "socket.gethostbyname(x)"),
        ("import subprocess", "subprocess.run(x)"),
        ("import urllib.request", "urllib.request.urlopen(x)"),
        ("import boto3", "boto3.client('s3')"),
    ] {
        assert_eq!(after(import, &format!("return {call}")), ["SA503"], "{call}");
    }
    for (module, call) in [
        ("import time", "time.time() > 3"),
        ("import socket", "socket.inet_aton(x)"),
        ("def open(x):\n    return x", "open('x')"),
        ("TABLE = open('x').read()", "x in TABLE"),
    ] {
        assert_eq!(after(module, &format!("return {call}")), [""; 0], "{call}");
    }
}

#[test]
fn patterns_that_take_time_without_end_are_told() {
    assert_eq!(after("import re", "return re.match(r'(a+)+$', x)"), ["SA504"]);
    assert_eq!(
        after("import re\nP = re.compile('(a|a)*b')", "return P.match(x)"),
        ["SA504"]
    );
    assert_eq!(
        after(
            "import re\nP = r'(\\w+\\s?)*$'",
            "return re.search(pattern=P, string=x)"
        ),
        ["SA504"]
    );
    assert_eq!(after("import re", "return re.match(r'^a+b+$', x)"), [""; 0]);
}
