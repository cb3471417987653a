"""Timing of rules and functions."""
import functools
import time
from collections import defaultdict

from streamalert.shared.logger import get_logger

LOGGER = get_logger(__name__)


class RuleStatistic:
    """Calls of one rule and the milliseconds they took."""

    def __init__(self, proc_time):
        self.calls = 0
        self.tracked_time = proc_time

    def __add__(self, other):
        self.calls += 1
        self.tracked_time += other.tracked_time
        return self

    def __lt__(self, other):
        return self.tracked_time < other.tracked_time

    def __str__(self):
        average = self.tracked_time / self.calls if self.calls else 0.0
        return '{:14.8f} ms  {:6d} calls  {:14.8f} avg'.format(self.tracked_time, self.calls, average)


class RuleStatisticTracker:
    """Runs rules and, when enabled, sums up their times."""

    STATS = defaultdict(lambda: RuleStatistic(0.0))

    def __init__(self, enabled, clear_cache=False):
        self.enabled = enabled
        if clear_cache:
            self.STATS.clear()

    def run_rule(self, rule, record):
        """What the rule answers for the record."""
        if not self.enabled:
            return rule.process(record)
        begin = time.time()
        result = rule.process(record)
        self.STATS[rule.name] += RuleStatistic((time.time() - begin) * 1000)
        return result

    @classmethod
    def statistics_info(cls):
        """A table of all rules, fastest first; None without any."""
        if not cls.STATS:
            LOGGER.error('no rule statistics')
            return None
        width = max(len(name) for name in cls.STATS) + 4
        rows = sorted(cls.STATS.items(), key=lambda item: (item[1].tracked_time, item[0]))
        return 'Rule statistics:\n\n' + '\n'.join(
            '{:<{}}{}'.format(name, width, stat) for name, stat in rows)


def time_me(func):
    """Logs how long each call of the decorated function takes."""
    @functools.wraps(func)
    def timed(*args, **kwargs):
        begin = time.time()
        result = func(*args, **kwargs)
        LOGGER.debug('(module) %s (method) %s (time): %.4fms',
                     func.__module__, func.__name__, (time.time() - begin) * 1000)
        return result
    return timed
