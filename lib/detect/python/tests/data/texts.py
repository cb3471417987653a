"""Writes texts.txt and builtins.txt: what CPython makes of expressions about texts, formats and built-in functions.

Run `python3 texts.py` in this folder with python3.8, python3.11 and python3.13 on the PATH, or their paths as arguments.
The expressions are products of the lists below, and the lines of texts.in and builtins.in.
"""

import itertools
import json
import re
import subprocess
import sys

NUMBERS = """0 1 -1 True 255 -1234567 10**20 0.0 -0.0 1.5 -2.5 0.1 1234567.891 1e16 123456789012345.6 1e-5 1e100
float('inf') float('-inf') float('nan')""".split()
OTHERS = ["'abc'", "'h\\xe9llo'", "''", "None", "[1]", "(1,)", "{'a': 1}", "b'x'", "len", "str"]
SPECS = """|d|5|05|<5|>10|^10|=10|*^12|+|+d| d|-|x|X|#x|#o|#b|b|o|c|n|e|E|f|F|g|G|%|.2f|.0f|.3e|.3g|.10g|.2%|.0%|10.2f|010.2f
+.2f|+010.2f|,|,d|,.2f|_|_d|_x|_b|012,|012,d|015,.2f|020_.3f|0=10d|*=10|<010|>010|#.3g|#.0f|#e|#g|.3|.0|.1|.17|5.1|s|10s|.2s
<10s|>10.3s|05s|=5|+s|#s|,s|_s|z|y|.f|.|5.|abc|dd| |10 |\\xe9<10|1.2.3| +|+5|-5|#010x|#010b|#_x|_o|08b|+08d|,x|,b|,c|,e|,g|,%|_c
.3d|.3x|.2c|#c|05c|+c|10c|<5c|^+12.3f|,.0f|_.2%|013_x|#012_x|08,|,_|_,|,,|x5|.2x|s<8|x^12.1e|{<5|007|0<7|0^7|\\u263a>6|-.1f|06.1f|=+9.2f
,.3|_.4|012,.3|.20f|.1g|.2g|G|.2G|#.2|#|#_d|020b|>020|.6n|20n|010n""".replace("\n", "|").split("|")
PERCENTS = """%s|%r|%a|%d|%i|%u|%o|%x|%X|%#x|%#o|%#X|%e|%E|%f|%F|%g|%G|%c|%5s|%-5s|%05d|%5d|%-5d|%+d|% d|%+5d|%05s|%.2s|%10.3s|%.3d|%8.3d
%08.3d|%.2f|%10.2f|%010.2f|%+.1f|%-10.2f|%.0f|%.0e|%#.0f|%#g|%#x|%#8x|%#08x|%5c|%-5c|%%|%5%|%.0s|%ld|%hd|%y|%|%5|%.|%(a)s|%(a)d|%(a|%*d
%.*f|%+x|% x|%.10g|%-08d|%+08.2f|%5r|%.3r|a%sb|%s %s|%#.3x|%\\u263a|%.f|%5.f""".replace("\n", "|").split("|")

TEXTS = ["'abc'", "''", "'A-b_1'", "' x '", "'12'", "'h\\xe9LLO w\\xf6rld'", "'\\xdf'", "'\\u01c6x'", "'\\u0391\\u03a3'", "'\\u0130'",
    "'\\u0131'", "'\\xb5'", "'\\ufb01'", "'\\xb2'", "'\\xbd'", "'\\u2167'", "'\\u0663'", "'\\u4e00'", "'\\u3042'", "'\\xa0'", "'\\u2028'",
    "'\\u200b'", "'\\U0001d518'", "'\\u0149'", "'\\u0390'", "'\\U0001f600'", "'\\xaa'", "'\\u0410\\u0411\\u0432'", "'na\\xefve caf\\xe9'",
    "'\\u1e9e'", "'\\u03c2'", "'\\u0e01\\u0e34'", "'\\u0345'", "'x\\u0301y'", "'\\xad'", "'\\ue000'", "'\\u0378'", "'\\U0001fad6'", "'\\u13a0'",
    "'\\u01c5'", "'\\u10d0'", "'\\xd6\\xe4'", "'\\xe9A'", "'a\\x1cb'", "'\\x85'", "'a\\tb\\n'"]
NO_ARGUMENTS = """lower upper casefold title capitalize swapcase isalpha isdigit isdecimal isnumeric isalnum isspace islower isupper istitle
isascii isidentifier isprintable strip split splitlines encode""".split()
STR = """capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii isdecimal
isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition removeprefix
removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill
nothing""".split()
BYTES = """capitalize center count decode endswith expandtabs find fromhex hex index isalnum isalpha isascii isdigit islower isspace istitle
isupper join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split
splitlines startswith strip swapcase title translate upper zfill nothing""".split()
INT = """as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes nothing""".split()
FLOAT = """as_integer_ratio conjugate fromhex hex imag is_integer real nothing""".split()
ARGUMENTS = """()|(1)|('a')|(None)|('a', 'b')|('a', 1)|('b', -2)|('a', 1, 2)|('b', 'x', 1)|('a', 1, 2, 3)|(['a'])|(('a', 'b'))|(x='a')|(b'a')
(5)|(5, '*')|(5, 'ab')|(5, 1)|(True)|(1.5)|('')|('', 1)|(sep='a')|('a', None)|('a', None, 2)|('a', 10)|('a', 1.0)|('a', '')|({})|(('a', 1))
(('x', 'a'), 1)|('ab', 'c', -1)|(keepends=True)|(tabsize=4)|(maxsplit=1)|('a', maxsplit=1)|(None, 1)|(*[], **{})|(10**30)|('a', 10**30)
('a', 'b', None)|('a', 'b', 'c')|(encoding='ascii')|('a', 'b', count=1)""".replace("\n", "|").split("|")
BYTES_ARGUMENTS = """()|(1)|(b'a')|('a')|(None)|(b'a', b'b')|(b'b', 1)|(b'b', -2)|(b'a', 1, 2, 3)|([b'a'])|((b'a', b'c'))|(5, b'*')|(5)
('utf-8')|('ascii')|('utf-8', 'replace')|('ascii', 'ignore')|(97)|(300)|(b'')|(sep=b'a')|(b'a', maxsplit=1)|(None, 1)|('latin-1')|(':')|(':', 2)
(b'b', b'xy', 1)|(-1)|((b'a', 1))|(b'a', None, 2)|(errors='strict')|('utf-16')|('utf8', errors='backslashreplace')|('nothing')|(x=1)
(keepends=True)""".replace("\n", "|").split("|")
NUMBER_ARGUMENTS = """|()|(1)|(2, 'big')|(4, 'little')|(8, 'big', signed=True)|(1, byteorder='big')|('0x1p3')|(b'ab', 'big')|(length=4, byteorder='big')
(2, 'x')|(-1, 'big')|(x=1)|(2, 'big', True)|('a')""".replace("\n", "|").split("|")
FUNCTIONS = """abs all any ascii bin callable chr divmod enumerate filter format getattr hasattr hash hex int float str bool bytes list tuple dict
set frozenset isinstance issubclass iter len map max min next oct ord pow range repr reversed round sorted sum type zip slice object
dict.fromkeys str.lower str.join str.maketrans int.from_bytes bytes.fromhex float.fromhex ValueError KeyError OSError StopIteration""".split()
CALLS = """()|(1)|(-7)|('a')|('12')|(None)|([3, 1, 2])|((1, 2))|({'b': 1, 'a': 2})|(1, 2)|(7, -2)|(7.5, 2)|('a', 'b')|('ff', 16)|([], 5)|(1, 2, 3)
(1, 2, 3, 4)|([1, 2], [3, 4, 5])|(x=1)|(1, x=1)|([1, 2], key=None)|([], default=3)|([2, 1], reverse=True)|([1], start=5)|('abc', 'upper')
('abc', 'nothing')|('abc', 'nothing', 0)|(str, [1, 2])|(None, [0, 1, ''])|(len, ['a', 'bcd'])|(1, int)|(True, int)|('a', (int, str))
(bool, int)|(1, 1)|(int, 'x')|(1.5)|(2.5)|(-0.5)|(2.675, 2)|(1234, -2)|(1250, -2)|(1350, -2)|(1e300, -299)|(True)|(10**20)|(-10**20)|(b'ab')
(b'ab', 'ascii')|('ab', 'ascii')|('h\\xe9', 'utf-8')|(float('nan'))|(float('inf'))|(range(3))|({1})|(len)|(ValueError('x'))|(int)|('')|([])|({})|(0)
(3, None)|(0.0)|(' 12 ')|('1_000')|('0x1f', 16)|('0b11', 0)|('z', 36)|('1', 1)|('9', 8)|('abc', 10)|('1', base=10)|(x='1')|('1.5')|('nan')|('-inf')
('1e400')|('\\u0661\\u0662')|([1, 'a'])|([[1, 2], [3]], [])|([1.5, 2.5])|(['a', 'b'], 'c')|(iter([1, 2]), 0)|([(1, 2), (3, 4)])|([(1, 2, 3)])|(['ab'])
(lambda: 1)|(2, 10)|(2, -1)|(2, 10, 7)|(0, 0)|(0, -1)|(2.0, 0.5)|(5, 0)|(5.0, 0)|('abc', 1)|(slice(1, 2))|([1, 2, 3], key=lambda x: -x)|(5, key=None)
([1], [2], strict=True)|([1], [2, 3], strict=True)|(65)|(0x110000)|(0xd800)|(8364)|('\\u20ac')|(object=b'a')|(97, 'x')|({'a': 1}, b=2)|([1], 2.5)|([[1]], [])
([0.1] * 10)|(['x'], None)|(3.7, 0)|(15, -1)|(25, -1)|(-15, -1)|(5.015, 2)|(1e22, 5)|(0.5, 400)|(12345.678, -2)|(1.5, 1.5)|('a', 1, 2)""".replace("\n", "|").split("|")


def expressions(name):
    yield from (line for line in open(name + ".in").read().splitlines() if line and not line.startswith("#"))
    if name == "texts":
        for value in NUMBERS + OTHERS:
            yield f"repr({value})"
            yield f"str({value})"
            yield f"ascii({value})"
            for spec in SPECS:
                yield f"format({value}, '{spec}')"
            for spec in PERCENTS:
                yield f"'{spec}' % ({value},)" if value != "(1,)" else f"'{spec}' % {value}"
        return
    for text in TEXTS:
        yield f"repr({text})"
        for method in NO_ARGUMENTS:
            yield f"{text}.{method}()"
    for methods, values, arguments in (
        (STR, ["'abcab'", "'x\\xe9a'"], ARGUMENTS),
        (BYTES, ["b'abcab'", "b'\\xff A1'"], BYTES_ARGUMENTS),
        (INT, ["5", "-300", "True", "10**20"], NUMBER_ARGUMENTS),
        (FLOAT, ["1.5", "-2.0", "float('nan')", "1e300"], NUMBER_ARGUMENTS),
    ):
        for value in values:
            for method, argument in list(itertools.product(methods, arguments))[:: 5 if len(methods) > 20 else 1]:
                yield f"({value}).{method}{argument}"
    for number, (function, call) in enumerate(itertools.product(FUNCTIONS, CALLS)):
        if number % 2:
            expression = f"{function}{call}"
            if function in ("enumerate", "filter", "map", "reversed", "zip", "iter"):
                expression = f"list({expression})"
            # A callable and a sentinel go on for ever; the hash of a text differs by process.
            endless = function == "iter" and call.startswith(("(str, ", "(int, ", "(bool, "))
            if not endless and (function != "hash" or "'" not in call):
                yield expression


def evaluate():
    """The outcome of every line of stdin, one JSON text a line."""
    import resource
    import warnings

    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        try:
            *statements, last = line.rstrip("\n").split("; ")
            body = "".join(f"    {statement}\n" for statement in statements)
            scope = {}
            exec(f"def run(rec):\n{body}    return {last}\n", scope)
        except SyntaxError:
            print("null")
            continue
        try:
            outcome = "= " + repr(scope["run"](json.loads('{"a": {"b": [1, "x"]}}')))
        except Exception as error:
            outcome = f"! {type(error).__name__}: {error.args!r}"
        print(json.dumps(re.sub(" at 0x[0-9a-f]+", " at 0x", outcome)))


def main(interpreters):
    for name in ("texts", "builtins"):
        lines = list(dict.fromkeys(expressions(name)))
        outcomes = {}
        for interpreter in interpreters:
            asked = subprocess.run(
                [interpreter, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=True
            )
            answered = subprocess.run(
                [interpreter, __file__, "--evaluate"], input="\n".join(lines), capture_output=True, text=True, check=True
            )
            outcomes[int(asked.stdout)] = [json.loads(line) for line in answered.stdout.splitlines()]
        with open(name + ".txt", "w") as file:
            for place, line in enumerate(lines):
                same = {}
                for minor in sorted(outcomes):
                    same.setdefault(outcomes[minor][place], []).append(minor)
                for outcome, minors in same.items():
                    versions = ",".join(map(str, minors)) if len(same) > 1 else "*"
                    # Addresses and the order of sets differ by process.
                    odd = outcome is None or " at 0x" in outcome or ("set(" in line and "', '" in outcome)
                    if not odd and len(outcome) < 400:
                        file.write(f"{versions}\t{line}\t{outcome}\n".replace("\r", "\\r"))


if __name__ == "__main__":
    if sys.argv[1:] == ["--evaluate"]:
        evaluate()
    else:
        main(sys.argv[1:] or [f"python3.{minor}" for minor in (8, 11, 13)])
