"""Evaluates rules on records, and publishers on alerts."""
import gc
import json
import time
import traceback
from copy import deepcopy

from streamalert.alert_processor.helpers import publisher_names
from streamalert.rules_engine.threat_intel import ThreatIntel
from streamalert.shared.alert import Alert
from streamalert.shared.logger import get_logger
from streamalert.shared.lookup_tables import core as lookup_tables
from streamalert.shared.normalize import Normalizer
from streamalert.shared.publisher import AlertPublisherRepository

from _streamalert_worker import wire
from _streamalert_worker.guard import out_of_memory
from _streamalert_worker.loader import safe_text

LOGGER = get_logger(__name__)

# The progress word: what runs right now. Layout shared with `watchdog.rs`.
RULE_IDLE, RULE_PARSE, RULE_PUBLISH = 0xffffff, 0xfffffe, 0xfffffd
_RECORD_SHIFT, _BATCH_SHIFT = 24, 48

_TRACEBACK_MAX = 4000

# Full tracebacks per rule: the first few, then a sample, since making one costs more than most rules.
_TRACEBACKS_FULL, _TRACEBACKS_SAMPLE = 5, 1000

_NOT_RUN = object()


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
        self._units = []
        self._plans = {}

    def bind(self, names, rules, infos):
        """Takes the rules over in the order of `names`; None where there is none of that name."""
        self._units = [_Unit(index, rules[name], infos[name])
                       for index, name in enumerate(names) if name in rules]
        self._plans.clear()

    def _plan(self, log_type):
        plan = self._plans.get(log_type)
        if plan is None:
            plan = self._plans[log_type] = [
                (unit.index, unit.simple, unit.func, unit) for unit in self._units
                if not unit.item.disabled and (unit.item.logs is None or log_type in unit.item.logs)]
        return plan

    def evaluate(self, body):
        """The parts of a RESULT frame for an EVALUATE frame."""
        reader = wire.Reader(body)
        sequence, = reader.take(wire.U32)
        trace, = reader.take(wire.U8)
        fixtures = reader.text(*reader.take(wire.U32))
        plans = [self._plan(reader.text(*reader.take(wire.U16))) for _ in range(*reader.take(wire.U16))]
        off = {reader.take(wire.U32)[0] for _ in range(*reader.take(wire.U32))}
        skips = {reader.take(wire.U32_PAIR) for _ in range(*reader.take(wire.U32))}
        if off:
            plans = [[entry for entry in plan if entry[0] not in off] for plan in plans]
        if fixtures:
            lookup_tables._with_fixtures(json.loads(fixtures))
        try:
            return self._slice(reader, sequence, plans, skips, trace)
        finally:
            if fixtures:
                lookup_tables._with_fixtures(None)

    def _slice(self, reader, sequence, plans, skips, trace):
        progress, output = self._progress, self._output
        count, = reader.take(wire.U32)
        batch = (sequence & 0xffff) << _BATCH_SHIFT
        entries = []
        dropped_before = output.dropped
        end = time.monotonic() + self._slice_seconds
        done = 0
        while done < count:
            word = batch | done << _RECORD_SHIFT
            progress[0] = word | RULE_PARSE
            kind, length = reader.take(wire.RECORD_HEAD)
            text = reader.text(length)
            try:
                record = _record(text)
            except MemoryError:
                out_of_memory()
            except Exception:  # pylint: disable=broad-except
                entries.append(wire.ENTRY_HEAD.pack(done, RULE_IDLE, wire.UNREADABLE, 0))
                done += 1
                continue
            for index, simple, func, unit in plans[kind]:
                if skips and (done, index) in skips:
                    continue
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
                        result = _general(unit, record, text)
                except MemoryError:
                    out_of_memory()
                except BaseException as error:  # pylint: disable=broad-except
                    data = _exception(unit, error, trace)
                    entries.append(wire.ENTRY_HEAD.pack(done, index, wire.EXCEPTION, len(data)) + data)
                    continue
                if result is None or result is _NOT_RUN:
                    if trace:
                        outcome = wire.NOT_RUN if result is _NOT_RUN else wire.FALSE
                        entries.append(wire.ENTRY_HEAD.pack(done, index, outcome, 0))
                else:
                    entries.append(wire.ENTRY_HEAD.pack(done, index, wire.FIRED, len(result)) + result)
            done += 1
            if time.monotonic() > end:
                break
        progress[0] = batch | done << _RECORD_SHIFT | RULE_IDLE
        dropped = output.dropped - dropped_before
        return [wire.RESULT_HEAD.pack(sequence, done, dropped, len(entries))] + entries

    def publish(self, body):
        """The parts of a PUBLISHED frame for a PUBLISH frame: an empty text and the publication, or why
        there is none."""
        reader = wire.Reader(body)
        sequence, = reader.take(wire.U32)
        service, descriptor = reader.text(*reader.take(wire.U16)), reader.text(*reader.take(wire.U16))
        self._progress[0] = (sequence & 0xffff) << _BATCH_SHIFT | RULE_PUBLISH
        try:
            alert = Alert.create_from_dynamo_record(json.loads(reader.text(*reader.take(wire.U32))))
            names = publisher_names(alert, service, descriptor)
            publisher = AlertPublisherRepository.create_composite_publisher(names)
            publication = publisher.publish(alert, {})
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


def settle():
    """After loading: what is there stays, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    # Records are trees; the default threshold would collect several times per batch for nothing.
    gc.set_threshold(20000, 20, 20)


def _record(text):
    record = json.loads(text)
    if not isinstance(record, dict):
        raise TypeError('a record is a dictionary')
    iocs = record.get(ThreatIntel.IOC_KEY)
    if isinstance(iocs, dict):
        for kind, values in iocs.items():
            if isinstance(values, list):
                iocs[kind] = set(values)
    return record


def _general(unit, record, text):
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
    if unit.private:
        record = _record(text)
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
        context = unit.item.context = deepcopy(context)
        fired = unit.func(record, context)
    if not fired:
        return None
    outputs = unit.outputs
    if unit.dynamic:
        outputs = list(dict.fromkeys(outputs + _dynamic_outputs(unit, record, context)))
    changed = None
    if unit.private and record != seen:
        changed = json.dumps(record, separators=(',', ':'), default=list).encode('ascii')
    if not context and changed is None and outputs is unit.outputs:
        return unit.fired_plain
    return _fired(outputs, _context(unit, context), changed)


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
            if isinstance(output, str) and ':' in output:
                found.append(output)
            else:
                LOGGER.warning('dynamic output %r of rule %s is not of the form service:descriptor',
                               output, unit.item.name)
    return found


def _context(unit, context):
    if not context:
        return b'{}'
    try:
        return json.dumps(context, default=_plain, skipkeys=True).encode('ascii')
    except (TypeError, ValueError, RecursionError) as error:
        LOGGER.error('context of rule %s is not json and is left out of the alert: %s', unit.item.name, error)
        return b'{}'


def _plain(value):
    """JSON for what is none: collections as lists, anything else as text."""
    try:
        return list(value)
    except TypeError:
        return str(value)


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
