"""Evaluates rules on records, and publishers on alerts."""
import gc
import json
import marshal
import time
import traceback
from copy import deepcopy

from streamalert.rules_engine.threat_intel import ThreatIntel
from streamalert.shared.alert import Alert
from streamalert.shared.logger import get_logger
from streamalert.shared.lookup_tables import core as lookup_tables
from streamalert.shared.normalize import Normalizer
from streamalert.shared.publisher import AlertPublisherRepository

from _streamalert_worker import wire
from _streamalert_worker.guard import out_of_memory
from _streamalert_worker.loader import as_output, safe_text

LOGGER = get_logger(__name__)

# The progress word: what runs right now. Layout shared with `watchdog.rs`.
RULE_IDLE, RULE_PARSE, RULE_PUBLISH = 0xffffff, 0xfffffe, 0xfffffd
_RECORD_SHIFT, _BATCH_SHIFT = 24, 48

_TRACEBACK_MAX = 4000

# Full tracebacks per rule: the first few, then a sample, since making one costs more than most rules.
_TRACEBACKS_FULL, _TRACEBACKS_SAMPLE = 5, 1000

# Lists of rules that are remembered; each is as long as the rules of a log type at most.
_PLANS_MAX = 1024

# What a copy of a dictionary may share with it.
_ATOMS = frozenset((str, bytes, int, float, complex, bool, type(None)))

# What a record holds that can change; sets are its indicators.
_CONTAINERS = frozenset((dict, list, set))

_NOT_RUN = object()

IOC_KEY = ThreatIntel.IOC_KEY


class _Unit:
    """A rule with everything that its evaluation needs."""

    def __init__(self, index, item, info):
        self.index = index
        self.item = item
        self.func = item.func
        self.types = tuple(info['datatypes']) if item.logs is None else ()
        self.subkeys = tuple((key, tuple(subs)) for key, subs in (item.req_subkeys or {}).items())
        self.matchers = tuple(item.matchers or ())
        self.dynamic = tuple(item.dynamic_outputs_set)
        self.private = info['may_mutate']
        self.outputs = info['outputs']
        self.exceptions = 0
        self.simple = not (self.types or self.subkeys or self.matchers or self.dynamic or self.private
                           or item.initial_context is not None)
        self.fired_plain = _fired(self.outputs, b'{}', None)


class Evaluator:
    """Holds the rules in the host's order and evaluates batches."""

    def __init__(self, progress, slice_seconds, output):
        self._progress = progress
        self._slice_seconds = slice_seconds
        self._output = output
        self._entries = {}
        self._plans = {}

    def bind(self, names, rules, infos):
        """Takes the rules over in the order of `names`; nothing where there is none of that name."""
        units = [_Unit(index, rules[name], infos[name]) for index, name in enumerate(names) if name in rules]
        self._entries = {unit.index: (unit.index, unit.simple, unit.func, unit) for unit in units}
        self._plans.clear()

    def _plan(self, reader):
        """What to run for the next list of rules in the frame."""
        count, = reader.take(wire.U32)
        begin = reader.at
        key = bytes(reader.bytes(4 * count))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            reader.at = begin
            plan = self._plans[key] = [
                self._entries[index] for index in reader.numbers('I', count) if index in self._entries]
        return plan

    def evaluate(self, body):
        """The parts of a RESULT frame for an EVALUATE frame."""
        reader = wire.Reader(body)
        sequence, = reader.take(wire.U32)
        trace, = reader.take(wire.U8)
        fixtures = reader.text(*reader.take(wire.U32))
        plans = [self._plan(reader) for _ in range(*reader.take(wire.U16))]
        if fixtures:
            lookup_tables._with_fixtures(json.loads(fixtures))
        try:
            return self._slice(reader, sequence, plans, trace)
        finally:
            if fixtures:
                lookup_tables._with_fixtures(None)

    def _slice(self, reader, sequence, plans, trace):
        progress, output = self._progress, self._output
        first, = reader.take(wire.U32)
        batch = (sequence & 0xffff) << _BATCH_SHIFT
        entries = []
        dropped_before = output.dropped
        end = time.monotonic() + self._slice_seconds
        done = 0
        for _ in range(*reader.take(wire.U32)):
            count, = reader.take(wire.U32)
            numbers = reader.numbers('H', count)
            data = reader.bytes(*reader.take(wire.U32))
            progress[0] = batch | done << _RECORD_SHIFT | RULE_PARSE
            group = _Group(data)
            records = group.load()
            for place in range(first, count):
                # Given away one by one, so that a record is gone when its rules are through.
                record, records[place] = records[place], None
                group.place = place
                word = batch | done << _RECORD_SHIFT
                self._record(record, plans[numbers[place]], word, trace, entries, group)
                done += 1
                if time.monotonic() > end:
                    break
            else:
                first = 0
                continue
            break
        progress[0] = batch | done << _RECORD_SHIFT | RULE_IDLE
        dropped = output.dropped - dropped_before
        return [wire.RESULT_HEAD.pack(sequence, done, dropped, len(entries))] + entries

    def _record(self, record, plan, word, trace, entries, group):
        """Evaluates rules on one record and appends what there is to tell. `word` is the progress word without
        the rule."""
        if not plan:
            return
        if record is None or IOC_KEY in record and not self._readable(record, word):
            entries.append(wire.ENTRY_HEAD.pack(word >> _RECORD_SHIFT & 0xffffff, RULE_IDLE, wire.UNREADABLE, 0))
            return
        progress = self._progress
        last = plan[-1]
        for entry in plan:
            index, simple, func, unit = entry
            progress[0] = word | index
            try:
                if simple:
                    if func(record):
                        result = unit.fired_plain
                    elif trace:
                        result = None
                    else:
                        continue
                else:
                    result = _general(unit, record, entry is last, group)
            except MemoryError:
                out_of_memory()
            except BaseException as error:  # pylint: disable=broad-except
                result = _exception(unit, error, trace)
                outcome = wire.EXCEPTION
            else:
                if result is None or result is _NOT_RUN:
                    if not trace:
                        continue
                    outcome, result = wire.NOT_RUN if result is _NOT_RUN else wire.FALSE, b''
                else:
                    outcome = wire.FIRED
            head = wire.ENTRY_HEAD.pack(word >> _RECORD_SHIFT & 0xffffff, index, outcome, len(result))
            entries.append(head + result)

    def _readable(self, record, word):
        """Hands the indicators of a record over as sets; false when they cannot be."""
        self._progress[0] = word | RULE_PARSE
        try:
            _with_sets(record)
        except MemoryError:
            out_of_memory()
        except TypeError:
            return False
        return True

    def publish(self, body):
        """The parts of a PUBLISHED frame for a PUBLISH frame: an empty text and the publication, or why
        there is none."""
        reader = wire.Reader(body)
        sequence, = reader.take(wire.U32)
        self._progress[0] = (sequence & 0xffff) << _BATCH_SHIFT | RULE_PUBLISH
        try:
            request = json.loads(reader.text(*reader.take(wire.U32)))
            alert = Alert.create_from_dynamo_record(request['alert'])
            publication = _publish(alert, request['names'], request['publication'])
            if not isinstance(publication, dict):
                raise TypeError('a publication is a dictionary, not {}'.format(type(publication).__name__))
            failure, text = '', json.dumps(publication, default=_plain)
        except MemoryError:
            out_of_memory()
        except BaseException as error:  # pylint: disable=broad-except
            LOGGER.exception('publishers failed')
            failure, text = '{}: {}'.format(type(error).__name__, safe_text(error)), ''
        self._progress[0] = (sequence & 0xffff) << _BATCH_SHIFT | RULE_IDLE
        return [wire.U32.pack(sequence), wire.sized16(failure or ''), text.encode('ascii')]


def _publish(alert, names, publication):
    """Runs publishers one after the other. `publication`: what those before them made, None when there were none."""
    repository = AlertPublisherRepository
    if publication is not None and not any(repository.has_publisher(name) for name in names):
        LOGGER.error('publishers %s do not exist', ', '.join(names))
        return publication
    return repository.create_composite_publisher(names).publish(alert, publication or {})


def settle():
    """After loading: what is there stays, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    # Records are trees; the default threshold would collect several times per batch for nothing.
    gc.set_threshold(20000, 20, 20)


class _Group:
    """Records that came as one, and the record at hand once more where it is needed as it came."""

    def __init__(self, data):
        self._data = data
        self._originals = None
        self.place = 0

    def load(self):
        """The records."""
        try:
            return marshal.loads(self._data)
        except MemoryError:
            out_of_memory()

    def original(self):
        """The record at hand as it came. To be asked for once."""
        if self._originals is None:
            self._originals = self.load()
        record, self._originals[self.place] = self._originals[self.place], None
        _with_sets(record)
        return record


def _with_sets(record):
    """Makes the indicators of a record sets, as StreamAlert hands them to rules."""
    iocs = record.get(IOC_KEY)
    if isinstance(iocs, dict):
        for kind, values in iocs.items():
            if isinstance(values, list):
                iocs[kind] = set(values)


def _copy(value):
    """A deep copy of what a record holds."""
    if type(value) is dict:
        copied = value.copy()
        for key, inner in value.items():
            if type(inner) in _CONTAINERS:
                copied[key] = _copy(inner)
        return copied
    if type(value) is list:
        return [_copy(inner) if type(inner) in _CONTAINERS else inner for inner in value]
    return value.copy()


def _copy_record(record):
    try:
        return _copy(record)
    except RecursionError:
        # Nested almost as deeply as Python can read.
        return marshal.loads(marshal.dumps(record, 2))


def _general(unit, record, is_last, group):
    """Fired bytes, None for false, _NOT_RUN; raises what the rule raises."""
    if unit.types:
        normalized = record.get(Normalizer.NORMALIZATION_KEY)
        if not isinstance(normalized, dict) or not any(kind in normalized for kind in unit.types):
            return _NOT_RUN
    for key, subs in unit.subkeys:
        value = record.get(key)
        if not isinstance(value, dict) or any(sub not in value for sub in subs):
            return _NOT_RUN
    seen = record
    if unit.private and not is_last:
        # Other rules get the record as well.
        record = _copy_record(record)
    for matcher in unit.matchers:
        try:
            if not matcher(record):
                return _NOT_RUN
        except MemoryError:
            raise
        except Exception as error:  # pylint: disable=broad-except
            LOGGER.error('matcher %s of rule %s raised %s: %s', getattr(matcher, '__name__', matcher),
                         unit.item.name, type(error).__name__, safe_text(error))
            return _NOT_RUN
    context = unit.item.initial_context
    if context is None:
        fired = unit.func(record)
    else:
        context = unit.item.context = _fresh(context)
        try:
            fired = unit.func(record, context)
        finally:
            if not unit.private:
                # It may hold parts of the record, which other rules get as well.
                unit.item.context = None
    if not fired:
        return None
    outputs = unit.outputs
    if unit.dynamic:
        outputs = list(dict.fromkeys(outputs + _dynamic_outputs(unit, record, context)))
    changed = None
    if unit.private and record != (group.original() if record is seen else seen):
        changed = json.dumps(record, separators=(',', ':'), default=list).encode('ascii')
    if not context and changed is None and outputs is unit.outputs:
        return unit.fired_plain
    return _fired(outputs, _context(unit, context), changed)


def _fresh(context):
    """A copy of an initial context of which the rule can change what it likes."""
    if type(context) is dict:
        for key, value in context.items():
            if type(key) is not str or type(value) not in _ATOMS:
                break
        else:
            return context.copy()
    return deepcopy(context)


def _dynamic_outputs(unit, record, context):
    found = []
    for function in unit.dynamic:
        try:
            outputs = function(record, context) if context else function(record)
        except MemoryError:
            raise
        except Exception as error:  # pylint: disable=broad-except
            LOGGER.error('dynamic outputs of rule %s raised %s: %s', unit.item.name,
                         type(error).__name__, safe_text(error))
            continue
        for output in [outputs] if isinstance(outputs, str) else outputs if isinstance(outputs, list) else ():
            found.append(as_output(output))
    return found


def _context(unit, context):
    if not context:
        return b'{}'
    try:
        return _CONTEXT_JSON(context).encode('ascii')
    except (TypeError, ValueError, RecursionError) as error:
        LOGGER.error('context of rule %s is not json and is left out of the alert: %s', unit.item.name, error)
        return b'{}'


def _plain(value):
    """JSON for what is none: collections as lists, anything else as text."""
    try:
        return list(value)
    except TypeError:
        return str(value)


_CONTEXT_JSON = json.JSONEncoder(default=_plain, skipkeys=True).encode


def _fired(outputs, context, record):
    parts = [wire.U16.pack(len(outputs))] + [wire.sized16(output) for output in outputs]
    parts += [wire.sized32(context), b'\0' if record is None else b'\1' + record]
    return b''.join(parts)


def _exception(unit, error, trace):
    unit.exceptions += 1
    text = ''
    if trace or unit.exceptions <= _TRACEBACKS_FULL or unit.exceptions % _TRACEBACKS_SAMPLE == 0:
        try:
            # The first frame is ours.
            frames = error.__traceback__.tb_next if error.__traceback__ else None
            text = ''.join(traceback.format_exception(type(error), error, frames, limit=-20))[-_TRACEBACK_MAX:]
        except MemoryError:
            raise
        except BaseException:  # pylint: disable=broad-except
            text = ''
    parts = [wire.sized16(type(error).__name__), wire.sized16(safe_text(error)[:_TRACEBACK_MAX])]
    return b''.join(parts) + text.encode('utf-8', 'replace')
