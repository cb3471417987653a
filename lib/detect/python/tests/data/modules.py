"""Writes NAME.txt: what CPython makes of the expressions in NAME.in, by version.

Run `python3 modules.py NAME [interpreter …]` in this folder; without interpreters python3.8 … python3.13 are looked
for on the PATH. Lines of NAME.in that begin with `#! ` are statements that come first (imports, constants); each other
line is statements separated by `; `, the last of which is an expression.
"""

import json
import os
import re
import subprocess
import sys

RECORD = """{"s": "text", "n": 7, "f": 1.5, "t": true, "z": null, "l": [1, "a", [2]], "d": {"a": 1, "b": {"c": "x"}},
"e": [], "o": {}, "ip": "10.1.2.3", "when": "2020-01-02T03:04:05Z", "nest": [{"k": 1, "m": {"k": 2}}, {"k": [3]}],
"streamalert_normalization": {"user": [{"values": ["a"], "function": null}, {"values": ["a"]}], "k": []}}"""
TABLES = {"users": {"root": True, "n": 1, "s": "text", "z": None, "f": 1.5, "l": ["a", {"b": [1]}], "d": {"a": {}}}, "none": {}}


def evaluate(head):
    """The outcome of every line of stdin, one JSON text a line."""
    import importlib
    import warnings

    warnings.simplefilter("ignore")
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../python/shim"))
    sys.modules["rules.helpers.base"] = importlib.import_module("_streamalert_worker.rule_helpers")
    importlib.import_module("streamalert.shared.lookup_tables.core")._with_fixtures(TABLES)
    scope = {}
    exec(head, scope)
    for line in sys.stdin:
        *statements, last = line.rstrip("\n").split("; ")
        body = "".join(f"    {statement}\n" for statement in statements)
        exec(f"def run(rec):\n{body}    return {last}\n", scope)
        try:
            outcome = "= " + repr(scope["run"](json.loads(RECORD)))
        except Exception as error:
            name = type(error).__name__.replace("PatternError", "error")
            cause = f" from {type(error.__cause__).__name__}" if error.__cause__ else ""
            outcome = f"! {name}: {error.args!r}{cause}"
        print(json.dumps(re.sub(" at 0x[0-9a-f]+", " at 0x", outcome)))


def main(name, interpreters):
    with open(f"{name}.in") as file:
        given = file.read().splitlines()
    head = "\n".join(line[3:] for line in given if line.startswith("#! "))
    lines = [line for line in given if line and not line.startswith("#")]
    outcomes = {}
    for interpreter in interpreters:
        asked = subprocess.run(
            [interpreter, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=True
        )
        answered = subprocess.run(
            [interpreter, __file__, "--evaluate", head],
            input="\n".join(lines), stdout=subprocess.PIPE, text=True, check=True,
            env={**os.environ, "TZ": "UTC", "LOGGER_LEVEL": "CRITICAL"},
        )
        outcomes[int(asked.stdout)] = [json.loads(line) for line in answered.stdout.splitlines()]
    with open(f"{name}.txt", "w") as file:
        for place, line in enumerate(lines):
            same = {}
            for minor in sorted(outcomes):
                same.setdefault(outcomes[minor][place], []).append(minor)
            for outcome, minors in same.items():
                versions = ",".join(map(str, minors)) if len(same) > 1 else "*"
                file.write(f"{versions}\t{line}\t{outcome}\n".replace("\r", "\\r"))


if __name__ == "__main__":
    if sys.argv[1] == "--evaluate":
        evaluate(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2:] or [f"python3.{minor}" for minor in range(8, 14)])
