"""Writes objects.txt: what CPython makes of the expressions in objects.in, by version.

Run `python3 objects.py` in this folder with python3.8 … python3.13 on the PATH, or their paths as arguments.
"""

import json
import re
import subprocess
import sys

RECORD = '{"s": "text", "n": 7, "f": 1.5, "t": true, "z": null, "l": [1, "a", [2]], "d": {"a": 1, "b": {"c": "x"}}, "e": [], "o": {}}'


def evaluate():
    """The outcome of every line of stdin, one JSON text a line."""
    import warnings
    from collections import Counter, OrderedDict, defaultdict

    warnings.simplefilter("ignore")
    for line in sys.stdin:
        *statements, last = line.rstrip("\n").split("; ")
        body = "".join(f"    {statement}\n" for statement in statements)
        scope = {"Counter": Counter, "OrderedDict": OrderedDict, "defaultdict": defaultdict}
        exec(f"def run(rec):\n{body}    return {last}\n", scope)
        try:
            outcome = "= " + repr(scope["run"](json.loads(RECORD)))
        except Exception as error:
            outcome = f"! {type(error).__name__}: {error.args!r}"
        print(json.dumps(re.sub(" at 0x[0-9a-f]+", " at 0x", outcome)))


def main(interpreters):
    with open("objects.in") as file:
        lines = [line for line in file.read().splitlines() if line and not line.startswith("#")]
    outcomes = {}
    for interpreter in interpreters:
        asked = subprocess.run(
            [interpreter, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=True
        )
        answered = subprocess.run(
            [interpreter, __file__, "--evaluate"], input="\n".join(lines), capture_output=True, text=True, check=True
        )
        outcomes[int(asked.stdout)] = [json.loads(line) for line in answered.stdout.splitlines()]
    with open("objects.txt", "w") as file:
        for place, line in enumerate(lines):
            same = {}
            for minor in sorted(outcomes):
                same.setdefault(outcomes[minor][place], []).append(minor)
            for outcome, minors in same.items():
                versions = ",".join(map(str, minors)) if len(same) > 1 else "*"
                file.write(f"{versions}\t{line}\t{outcome}\n".replace("\r", "\\r"))


if __name__ == "__main__":
    if sys.argv[1:] == ["--evaluate"]:
        evaluate()
    else:
        main(sys.argv[1:] or [f"python3.{minor}" for minor in range(8, 14)])
