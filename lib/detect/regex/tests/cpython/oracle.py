"""Answers what `re` answers: one JSON request per line in, one JSON answer per line out."""
import faulthandler
import json
import os
import re
import signal
import sys
import warnings

warnings.simplefilter("ignore")


class Slow(BaseException):
    pass


def slow(_signum, _frame):
    raise Slow()


def failure(exc):
    if isinstance(exc, re.error):
        return ["error", exc.msg, exc.pos]
    message = exc.args[0] if exc.args else ""
    return [type(exc).__name__, str(message), None]


def spans(match):
    if match is None:
        return None
    return [match.span(i) for i in range(match.re.groups + 1)]


def on_text(pattern, text, pos, endpos, template, count):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        return {
            "search": spans(pattern.search(text)),
            "match": spans(pattern.match(text)),
            "full": spans(pattern.fullmatch(text)),
            "region": [
                spans(pattern.search(text, pos, endpos)),
                None if min(pos, len(text)) > endpos else spans(pattern.match(text, pos, endpos)),
                spans(pattern.fullmatch(text, pos, endpos)),
            ],
            "iter": [spans(match) for match in pattern.finditer(text)],
            "all": pattern.findall(text),
            "split": pattern.split(text, count),
            "sub": None if template is None else pattern.subn(template, text, count),
        }
    except BaseException:
        # Slow, or what the engine makes of an exception that a signal raised.
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def answer(request):
    try:
        pattern = re.compile(request["p"], request["f"])
    except (re.error, ValueError, OverflowError, RuntimeError) as exc:
        return {"failure": failure(exc)}
    template, template_failure = request["r"], None
    try:
        pattern.sub(template, "")
    except (re.error, IndexError, ValueError) as exc:
        template, template_failure = None, failure(exc)
    return {
        "flags": pattern.flags,
        "groups": pattern.groups,
        "names": dict(pattern.groupindex),
        "template": template_failure,
        "texts": [on_text(pattern, *text, template, request["n"]) for text in request["t"]],
    }


def classes():
    """All code points by category, as ranges."""
    def ranges(test):
        out = []
        for code in range(0x110000):
            if not 0xD800 <= code <= 0xDFFF and test(chr(code)):
                if out and out[-1][1] == code - 1:
                    out[-1][1] = code
                else:
                    out.append([code, code])
        return out

    return {
        "d": ranges(re.compile(r"\d").match),
        "s": ranges(re.compile(r"\s").match),
        "w": ranges(re.compile(r"\w").match),
    }


def case(letters):
    """The letters that match each letter, alone and in a class."""
    def found(pattern):
        return "".join(re.compile(pattern, re.I).findall(letters))

    return [[found(c), found("[%s-%s0]" % (c, c))] for c in letters]


def main():
    signal.signal(signal.SIGALRM, slow)
    nowhere = open(os.devnull, "w")
    for line in sys.stdin:
        request = json.loads(line)
        # An engine that loops without looking at signals ends the process; the test starts another.
        faulthandler.dump_traceback_later(10, exit=True, file=nowhere)
        if request == "version":
            reply = sys.version_info[1]
        elif request == "classes":
            reply = classes()
        elif "letters" in request:
            reply = case(request["letters"])
        else:
            reply = answer(request)
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


main()
