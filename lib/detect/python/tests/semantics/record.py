"""Writes NAME.txt: what CPython answers to the rules of NAME.in, by version.

Run `python3 record.py [interpreter …]` in this folder; without interpreters python3.8 … python3.13 are looked for on the
PATH. A case of NAME.in is `== its name`, the module's text with a function `r`, and `-- ` a record for each line. Each
line of NAME.txt: versions of Python 3 (`*` for all), the case, the number of the record, and as JSON text what came of
it: `+ ` or `- ` (true or false) with the repr of the answer, or `! Class: text`. Every pair gets a module of its own.
"""

import glob
import json
import os
import re
import subprocess
import sys


def cases(path):
    name, source, records = None, [], []
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if line.startswith("== "):
                if name:
                    yield name, "\n".join(source), records
                name, source, records = line[3:], [], []
            elif line.startswith("-- "):
                records.append(line[3:])
            else:
                source.append(line)
    yield name, "\n".join(source), records


def outcome(source, record):
    module = {"__name__": "case"}
    exec(compile(source, "case.py", "exec"), module)
    try:
        answer = module["r"](json.loads(record))
        return ("+ " if answer else "- ") + re.sub(" at 0x[0-9a-f]+", " at 0x", repr(answer))
    except Exception as error:
        return f"! {type(error).__name__}: {error}"


def evaluate(path):
    import warnings

    warnings.simplefilter("ignore")
    for name, source, records in cases(path):
        for number, record in enumerate(records):
            print(json.dumps([name, number, outcome(source, record)]))


def main(interpreters):
    for path in sorted(glob.glob("*.in")):
        found = {}
        for interpreter in interpreters:
            run = subprocess.run(
                [interpreter, __file__, "--evaluate", path],
                stdout=subprocess.PIPE, text=True, check=True,
                env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "TZ": "UTC"},
            )
            asked = [interpreter, "-c", "import sys; print(sys.version_info[1])"]
            minor = int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
            for line in run.stdout.splitlines():
                name, number, what = json.loads(line)
                found.setdefault((name, number), {}).setdefault(what, []).append(minor)
        with open(path.replace(".in", ".txt"), "w", encoding="utf-8") as file:
            for (name, number), outcomes in found.items():
                for what, minors in outcomes.items():
                    versions = ",".join(map(str, minors)) if len(outcomes) > 1 else "*"
                    file.write(f"{versions}\t{name}\t{number}\t{json.dumps(what)}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--evaluate"]:
        evaluate(sys.argv[2])
    else:
        main(sys.argv[1:] or [f"python3.{minor}" for minor in range(8, 14)])
