"""The other side of `streamalert bench --compare cpython`: the same rules on the same records in one CPython process.

Run as `python3 -I cpython.py OPTIONS.json`. Does for each record what a Python worker must do: reads the JSON text
once, then runs every rule of its log type with required sub-keys, matchers, context and dynamic outputs. Nothing is
sent anywhere and no answer is written, so it is faster than any worker can be. Times are the process's computing time.

Commands come in on standard input, one a line, and each is answered by one line of JSON:
    pass    all records through all rules, once: seconds, and what came of it
    rules   every rule on its own, over records that are read already: pairs and nanoseconds by rule
"""
import gc
import json
import logging
import os
import sys
import time
from copy import deepcopy

# Records that are held as objects while single rules are timed.
_CHUNK = 1024


def main():
    """Loads rules and records, then answers commands."""
    answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    # What rules print would be in the way of answers.
    os.dup2(2, 1)
    with open(sys.argv[1], encoding='utf-8') as file:
        options = json.load(file)
    sys.path.insert(0, options['shim'])
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    os.chdir(options['repo_root'])
    from _streamalert_worker import fallback
    fallback.install(options['repo_root'], options['shim'])
    bench = Bench(options)
    tell = lambda answer: (answers.write(json.dumps(answer) + '\n'), answers.flush())
    tell(bench.about())
    for command in sys.stdin:
        tell({'pass': bench.one_pass, 'rules': bench.each_rule}[command.strip()]())


class Unit:
    """A rule with everything that its evaluation needs, and what came of it."""

    # How records are read, and the text of the record at hand.
    loads = text = None

    def __init__(self, item, private):
        self.item = item
        self.name = item.name
        self.func = item.func
        self.types = () if item.logs is not None else tuple(item.datatypes or ())
        self.subkeys = tuple((key, tuple(subs)) for key, subs in (item.req_subkeys or {}).items())
        self.matchers = tuple(item.matchers or ())
        self.dynamic = tuple(item.dynamic_outputs_set)
        self.private = private
        self.context = item.initial_context
        self.simple = not (self.types or self.subkeys or self.matchers or self.dynamic or private
                           or self.context is not None)
        self.run = self.func if self.simple else self._general
        self.fired = self.raised = 0

    def _general(self, record):
        if self.types:
            normalized = record.get('streamalert_normalization')
            if not isinstance(normalized, dict) or not any(kind in normalized for kind in self.types):
                return False
        for key, subs in self.subkeys:
            value = record.get(key)
            if not isinstance(value, dict) or any(sub not in value for sub in subs):
                return False
        if self.private:
            # A rule that changes its record gets its own, read again.
            try:
                record = Unit.loads(Unit.text)
            except ValueError:
                record = json.loads(Unit.text)
        for matcher in self.matchers:
            try:
                if not matcher(record):
                    return False
            except Exception:  # pylint: disable=broad-except
                return False
        if self.context is None:
            fired = self.func(record)
            context = None
        else:
            context = deepcopy(self.context)
            fired = self.func(record, context)
        if not fired:
            return False
        for function in self.dynamic:
            try:
                function(record, context) if context else function(record)
            except Exception:  # pylint: disable=broad-except
                pass
        return True


class Bench:
    """Records, rules and what is measured of them."""

    def __init__(self, options):
        from streamalert.shared import config
        from streamalert.shared.lookup_tables import core as lookup_tables
        from streamalert.shared.rule import Rule
        from _streamalert_worker.loader import Loader
        config._HOST_CONF_DIR = options['conf_dir']
        lookup_tables._HOST_FILES.update(options['lookup_tables'])
        self.report = Loader(options, lambda path: None).load()
        private = {info['name'] for info in self.report['rules'] if info['may_mutate']}
        self.units = [Unit(Rule._rules[info['name']], info['name'] in private) for info in self.report['rules']]
        try:
            import orjson
            self.json, Unit.loads = 'orjson', staticmethod(orjson.loads)
        except ImportError:
            self.json, Unit.loads = 'json', staticmethod(json.loads)
        plans = {}
        self.records = []
        with open(options['records'], 'rb') as file:
            for line in file:
                log_type, text = line.rstrip(b'\n').split(b'\t', 1)
                if log_type not in plans:
                    plans[log_type] = self._plan(log_type.decode())
                plan = plans[log_type]
                self.records.append((plan, any(unit.private for _, unit in plan), text))
        gc.collect()
        gc.freeze()
        # As in a worker: records are trees, which need no collector.
        gc.set_threshold(20000, 20, 20)

    def _plan(self, log_type):
        units = [unit for unit in self.units if not unit.item.disabled
                 and (unit.item.logs is None or log_type in unit.item.logs)]
        return [(unit.run, unit) for unit in units]

    def about(self):
        """What this is, and what could not be loaded."""
        return {'python': '{}.{}.{}'.format(*sys.version_info[:3]), 'json': self.json,
                'errors': ['{}:{}: {}'.format(error['file'], error['line'], error['message'])
                           for error in self.report['errors']]}

    def one_pass(self):
        """All records through all rules."""
        loads = Unit.loads
        for unit in self.units:
            unit.fired = unit.raised = 0
        begun = time.process_time_ns()
        for plan, private, text in self.records:
            try:
                record = loads(text)
            except ValueError:
                # orjson is strict: lone surrogates, NaN.
                record = json.loads(text)
            if private:
                Unit.text = text
            for run, unit in plan:
                try:
                    if run(record):
                        unit.fired += 1
                except Exception:  # pylint: disable=broad-except
                    unit.raised += 1
        taken = time.process_time_ns() - begun
        return {'secs': taken / 1e9,
                'fired': {unit.name: unit.fired for unit in self.units if unit.fired},
                'raised': {unit.name: unit.raised for unit in self.units if unit.raised}}

    def each_rule(self):
        """Every rule on its own."""
        pairs, taken = {}, {}
        for first in range(0, len(self.records), _CHUNK):
            by_unit = {}
            for plan, _, text in self.records[first:first + _CHUNK]:
                if not plan:
                    continue
                record = json.loads(text)
                for _, unit in plan:
                    by_unit.setdefault(unit, []).append((record, text))
            for unit, records in by_unit.items():
                pairs[unit.name] = pairs.get(unit.name, 0) + len(records)
                taken[unit.name] = taken.get(unit.name, 0) + _timed(unit.run, records)
        return {'rules': {name: [count, taken[name]] for name, count in pairs.items()}}


def _timed(run, records):
    """Nanoseconds of one rule over these records."""
    begun = time.process_time_ns()
    for record, Unit.text in records:
        try:
            run(record)
        except Exception:  # pylint: disable=broad-except
            pass
    return time.process_time_ns() - begun


if __name__ == '__main__':
    main()
