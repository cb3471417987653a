"""Writes functions.txt: what CPython makes of functions: those of functions.in and products of control flow.

Run `python3 functions.py` in this folder with python3.8, python3.11 and python3.13 on the PATH, or their paths as
arguments. Blocks of the file are separated by two empty lines: first a comment with versions and outcomes, then the
function `f`.
"""

import itertools
import json
import re
import subprocess
import sys

RECORD = '{"a": 1, "b": [1, 2, 3], "c": {"d": "x"}, "s": "text", "n": null}'

BODIES = ["out.append(1)", "return 1", "raise ValueError('v')", "1 / 0", "break", "continue", "{}['k']"]
HANDLERS = [
    "",
    "except ValueError:\n    out.append('h')",
    "except ValueError as e:\n    return str(e)",
    "except (KeyError, ZeroDivisionError) as e:\n    raise TypeError('t') from e",
    "except Exception:\n    raise",
    "except:\n    break",
]
ELSES = ["", "else:\n    out.append('e')", "else:\n    raise IndexError('i')"]
FINALLIES = ["", "finally:\n    out.append('f')", "finally:\n    return 'F'", "finally:\n    break", "finally:\n    raise OSError('o')"]


def indented(text, by):
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


def products():
    number = 0
    for body, handler, orelse, final in itertools.product(BODIES, HANDLERS, ELSES, FINALLIES):
        if not handler and (orelse or not final):
            continue
        number += 1
        if number % 3:
            continue
        parts = [f"try:\n    {body}"] + [part for part in (handler, orelse, final) if part]
        statement = "\n".join(parts)
        if number % 2:
            yield (
                "def f(rec):\n    out = []\n    for i in (1, 2):\n"
                + indented(statement, 8)
                + "        out.append(i)\n    else:\n        out.append('z')\n    return out\n"
            )
            continue
        lazy = statement.replace("out.append", "yield ").replace("\n    ", "\n    yield 'y'\n    ", 1)
        lazy = re.sub(r"yield \((.*?)\)", r"yield \1", lazy)
        yield (
            "def f(rec):\n    def g():\n        for i in (1, 2):\n"
            + indented(lazy, 12)
            + "            yield i\n        yield 'z'\n"
            + "    out = []\n    try:\n        for x in g():\n            out.append(x)\n"
            + "    except Exception as e:\n        out.append(repr(e))\n    return out\n"
        )


def functions():
    with open("functions.in") as file:
        yield from (block.strip("\n") + "\n" for block in file.read().split("\n\n\n"))
    yield from products()


def evaluate():
    """The outcome of every function of stdin, one JSON text a line."""
    import warnings

    warnings.simplefilter("ignore")
    sys.setrecursionlimit(900)
    for source in json.load(sys.stdin):
        scope = {}
        try:
            exec(source, scope)
        except SyntaxError:
            print("null")
            continue
        try:
            outcome = "= " + repr(scope["f"](json.loads(RECORD)))
        except Exception as error:
            cause = "" if error.__cause__ is None else f" from {type(error.__cause__).__name__}"
            outcome = f"! {type(error).__name__}: {error.args!r}{cause}"
        print(json.dumps(outcome))


def main(interpreters):
    sources = list(dict.fromkeys(functions()))
    outcomes = {}
    for interpreter in interpreters:
        asked = subprocess.run(
            [interpreter, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=True
        )
        answered = subprocess.run(
            [interpreter, __file__, "--evaluate"], input=json.dumps(sources), capture_output=True, text=True, check=True
        )
        outcomes[int(asked.stdout)] = [json.loads(line) for line in answered.stdout.splitlines()]
    with open("functions.txt", "w") as file:
        for place, source in enumerate(sources):
            for minor in sorted(outcomes):
                if outcomes[minor][place] is not None:
                    file.write(f"#{minor} {outcomes[minor][place]}\n")
            file.write(source + "\n\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--evaluate"]:
        evaluate()
    else:
        main(sys.argv[1:] or [f"python3.{minor}" for minor in (8, 11, 13)])
