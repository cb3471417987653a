"""The rule decorator and the registry behind it."""
import ast
import hashlib
import inspect
import os
from copy import deepcopy

from streamalert.shared.logger import get_logger

LOGGER = get_logger(__name__)

_DISABLED_MARK = '_streamalert_disabled'

_KEYWORDS = ('logs', 'datatypes', 'matchers', 'req_subkeys', 'outputs', 'dynamic_outputs', 'publishers',
             'merge_by_keys', 'merge_window_mins', 'merge_send_first', 'context')


class RuleCreationError(Exception):
    """A decorated function cannot be a rule."""


def rule(*args, **opts):
    """Makes the decorated function a rule."""
    if args:
        name = getattr(args[0], '__name__', None)
        raise RuleCreationError('{}: the decorator takes keywords only, write @rule(logs=[...], outputs=[...])'.format(
            'rule [{}]'.format(name) if name else 'rule({!r})'.format(args[0])))
    return lambda function: Rule(function, **opts)


def disable(target):
    """Switches a rule off, wherever in the stack of decorators it stands."""
    if isinstance(target, Rule):
        target.disabled = True
    else:
        setattr(target, _DISABLED_MARK, True)
    return target


def _unknown_keywords(options):
    """A sentence on every keyword that means nothing, and so is ignored."""
    sentences = []
    for keyword in sorted(set(options).difference(_KEYWORDS)):
        import difflib  # rarely needed, and not small
        close = difflib.get_close_matches(keyword, _KEYWORDS, 1)
        sentences.append('unknown keyword {} is ignored{}'.format(
            keyword, ', did you mean {}?'.format(close[0]) if close else ''))
    return sentences


class Rule:
    """A function and the options it was decorated with."""

    DEFAULT_RULE_DESCRIPTION = 'No rule description provided'
    CHECKSUM_UNKNOWN = 'checksum unknown'

    _rules = {}

    # Rules that are none, as (function, message): told to the user, while the file's other rules load.
    _invalid = []

    # Paths in messages are relative to this folder where they lie inside.
    _root = ''

    def __init__(self, func, **kwargs):
        self.func = func
        self.name = func.__name__
        self.logs = kwargs.get('logs')
        self.datatypes = kwargs.get('datatypes')
        self.matchers = kwargs.get('matchers')
        self.req_subkeys = kwargs.get('req_subkeys')
        self.outputs = kwargs.get('outputs')
        self.dynamic_outputs = kwargs.get('dynamic_outputs')
        self.publishers = kwargs.get('publishers')
        self.merge_by_keys = kwargs.get('merge_by_keys')
        self.merge_window_mins = kwargs.get('merge_window_mins') or 0
        self.merge_send_first = kwargs.get('merge_send_first')
        self.initial_context = kwargs.get('context')
        self.context = None
        self.disabled = getattr(func, _DISABLED_MARK, False)
        self._description = func.__doc__
        self._checksum = None
        self._complaints = _unknown_keywords(kwargs)

        if not (self.logs or self.datatypes):
            raise RuleCreationError('; '.join(
                ['rule [{}] applies to nothing: give it logs or datatypes'.format(self.name)] + self._complaints))
        if self.name in Rule._rules:
            raise RuleCreationError('Rule [{}] already defined in {}'.format(
                self.name, Rule._rules[self.name]._place()))
        if isinstance(self.logs, str):
            # `log_type in text` is a substring test: never what was meant.
            Rule._invalid.append((func, 'logs of rule [{}] is text, write a list: [{!r}]'.format(
                self.name, self.logs)))
            return
        Rule._rules[self.name] = self

    def __repr__(self):
        return '<Rule: {}; outputs: {}; disabled: {}>'.format(self.name, self.outputs, self.disabled)

    def _place(self):
        code = getattr(self.func, '__code__', None)
        if code is None:
            return 'module {}'.format(getattr(self.func, '__module__', '?'))
        file = os.path.normpath(code.co_filename)
        if Rule._root and file.startswith(Rule._root + os.sep):
            file = os.path.relpath(file, Rule._root)
        return '{}:{}'.format(file, code.co_firstlineno)

    def check_matchers(self, record):
        """Whether every matcher holds for the record; one that raises does not."""
        return all(self._run_matcher(matcher, record) for matcher in self.matchers or ())

    @classmethod
    def _run_matcher(cls, func, record):
        try:
            return func(record)
        except Exception:  # pylint: disable=broad-except
            LOGGER.exception('matcher raised: %s', getattr(func, '__name__', func))
            return False

    def is_staged(self, rule_table):
        """Staging is the host's business; with a table, its word counts."""
        info = rule_table.rule_info(self.name) if rule_table else None
        return bool(info and info.get('Staged', False))

    def process(self, record):
        """What the function answers; False when it raises."""
        try:
            if self.initial_context is None:
                return self.func(record)
            self.context = deepcopy(self.initial_context)
            return self.func(record, self.context)
        except Exception:  # pylint: disable=broad-except
            LOGGER.exception('rule raised: %s', self.name)
            return False

    @property
    def checksum(self):
        """A hash of the function's statements, docstring and decorators left out."""
        if self._checksum is None:
            digest = hashlib.md5()  # nosec
            try:
                body = ast.parse(inspect.getsource(self.func)).body[0].body
                for statement in body:
                    if not isinstance(statement, ast.Expr):
                        digest.update(ast.dump(statement).encode('utf-8'))
                self._checksum = digest.hexdigest()
            except (OSError, TypeError, SyntaxError, IndexError, AttributeError):
                self._checksum = self.CHECKSUM_UNKNOWN
        return self._checksum

    @property
    def description(self):
        """The raw docstring, or the default text."""
        return self._description or self.DEFAULT_RULE_DESCRIPTION

    @description.setter
    def description(self, description):
        self._description = str(description)

    @property
    def outputs_set(self):
        """The static outputs."""
        return set(self.outputs or ())

    @property
    def dynamic_outputs_set(self):
        """The functions that add outputs."""
        return set(self.dynamic_outputs or ())

    @classmethod
    def disable(cls, name):
        """Switches the rule of this name off."""
        cls._rules[name].disabled = True

    @classmethod
    def disabled_rules(cls):
        """Names of the rules that are off."""
        return {name for name, item in cls._rules.items() if item.disabled}

    @classmethod
    def get_rule(cls, rule_name):
        """The rule of this name, or None."""
        return cls._rules.get(rule_name)

    @classmethod
    def rule_names(cls):
        """Names of all rules, in order of definition."""
        return list(cls._rules)

    @classmethod
    def rules_with_datatypes(cls):
        """Enabled rules with datatypes."""
        return [item for item in cls._rules.values() if item.datatypes and not item.disabled]

    @classmethod
    def rules_for_log_type(cls, log_type):
        """Enabled rules that are candidates for a log type."""
        return [item for item in cls._rules.values()
                if not item.disabled and (item.logs is None or log_type in item.logs)]
