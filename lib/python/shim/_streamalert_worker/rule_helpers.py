"""What `rules.helpers.base` offers in StreamAlert's repository, for repositories that no longer have it."""
import json
import logging
import pathlib
import random
import re
import time
from fnmatch import fnmatch

# Rules import these from here.
from streamalert.shared.normalize import Normalizer
from streamalert.shared.utils import get_first_key, get_keys, in_network, valid_ip  # noqa: F401

LOGGER = logging.getLogger('StreamAlert')


def _any_text(text, needles, test):
    return isinstance(text, str) and any(test(text, needle) for needle in needles)


def path_matches_any(text, patterns):
    """Whether a path matches one of these patterns, in which `*` does not cross a `/`."""
    return _any_text(text, patterns, lambda path, pattern: pathlib.PurePath(path).match(pattern))


def starts_with_any(text, prefixes):
    """Whether a text starts with one of these."""
    return _any_text(text, prefixes, str.startswith)


def ends_with_any(text, suffixes):
    """Whether a text ends with one of these."""
    return _any_text(text, suffixes, str.endswith)


def contains_any(text, substrings):
    """Whether a text contains one of these."""
    return _any_text(text, substrings, str.__contains__)


def matches_any(text, patterns):
    """Whether a text matches one of these wildcard patterns."""
    return _any_text(text, patterns, fnmatch)


def in_set(data, whitelist):
    """Whether a text matches one of these wildcard patterns."""
    return any(fnmatch(data, pattern) for pattern in whitelist)


def last_hour(unixtime, hours=1):
    """Whether a time in Unix seconds is within the last hours."""
    return bool(unixtime) and int(time.time()) - int(unixtime) <= hours * 3600


def _any_leaf(data, test):
    if isinstance(data, dict):
        return any(_any_leaf(value, test) for value in data.values())
    if isinstance(data, list):
        return any(_any_leaf(value, test) for value in data)
    return test(data)


def data_has_value(data, search_value):
    """Whether a value occurs anywhere."""
    return _any_leaf(data, lambda leaf: leaf == search_value)


def data_has_value_with_substring(data, search_value):
    """Whether a text with this part occurs anywhere."""
    return _any_leaf(data, lambda leaf: isinstance(leaf, str) and search_value in leaf)


def data_has_value_from_list(data, needle_list):
    """Whether a text that matches one of these wildcard patterns occurs anywhere."""
    return _any_leaf(data, lambda leaf: bool(leaf) and matches_any(leaf, needle_list))


def data_has_value_from_substring_list(data, needle_list):
    """Whether a value with one of these parts occurs anywhere."""
    return _any_leaf(data, lambda leaf: bool(leaf) and any(needle in leaf for needle in needle_list))


def safe_json_loads(data):
    """The JSON value of a text, or an empty dictionary."""
    try:
        return json.loads(data)
    except ValueError:
        return {}


def ghe_json_message(rec):
    """The JSON object inside a GitHub Enterprise log's message, or None."""
    found = re.search(r'\{.*\}', rec['message'])
    try:
        return json.loads(found.group(0)) if found else None
    except ValueError:
        return None


def select_key(data, search_key, results=None):
    """All values under this key that are neither dictionaries nor lists, depth first."""
    results = [] if results is None else results
    if isinstance(data, list):
        for item in data:
            select_key(item, search_key, results)
    elif isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, (dict, list)):
                select_key(value, search_key, results)
            elif key == search_key:
                results.append(value)
    return results


def fetch_values_by_datatype(rec, datatype):
    """The values of a normalized type, as a list."""
    return list(Normalizer.get_values_for_normalized_type(rec, datatype) or ())


def random_bool(probability_of_true):
    """True with this probability, for sampling a noisy rule."""
    if not 0 <= probability_of_true <= 1:
        raise ValueError('Probability must be between 0.0 and 1.0')
    return random.random() <= probability_of_true
