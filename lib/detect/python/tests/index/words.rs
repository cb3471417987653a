//! What the random rules are made of.

/// What every module begins with: constants, helpers, matchers.
pub(super) const HEAD: &str = r#"from streamalert.shared.rule import rule
from streamalert.shared.utils import in_network
from fnmatch import fnmatch
import re

COMPILED = re.compile('(?i)root$')

NAMES = ['x', 'root', 'É']
SET = {'x', 'Root', 'root/admin'}
FROZEN = frozenset(['y', 'strasse'])
TABLE = {'x': 1, 'root': 'x', 'none': None}
TUPLE = ('x', 'y')
MIXED = ('x', 1, None, True)
INTS = {0, 1, 5}
FLOATS = (1.0, 0.5)
EMPTY = ()
PAIRS = (('a', 'x'), ('b', 'root'))
UNEVEN = (('a', 'x'), ('b',), 'xyz')
NETS = ['10.0.0.0/8', '2001:db8::/32']
HOST = {'10.0.0.1', '192.168.0.0/16'}
BAD_NETS = ['10.0.0.0/8', 'no network']

def is_root(rec):
    return rec['a'] == 'root'

def is_named(rec, name):
    return rec.get('a') == name or rec.get('b') == name

def tried(rec, key='a'):
    try:
        return rec[key] == 'x'
    except KeyError:
        return False

def detail(rec):
    return rec.get('d', {}).get('k')

def recursive(rec, left):
    if left == 0:
        return rec['a'] == 'x'
    return recursive(rec, left - 1)

class Match:
    @staticmethod
    def known(rec):
        return rec['a'] in SET

    @classmethod
    def small(cls, rec):
        return rec['n'] < 5

"#;

pub(super) const FIELDS: &[&str] = &[
    "rec['a']",
    "rec['a']",
    "rec['b']",
    "rec['n']",
    "rec['ip']",
    "rec['l']",
    "rec.get('a')",
    "rec.get('a', '')",
    "rec.get('b', 'x')",
    "rec.get('b', NAMES)",
    "rec.get('n', 0)",
    "rec.get('a', '')",
    "rec.get('b', '')",
    "rec.get('d', {}).get('k', '')",
    "rec['absent']",
    "rec.get('n', 1.0)",
    "rec.get('a', {})",
    "rec.get('a', [])",
    "rec.get('a', rec['b'])",
    "rec.get('a', None)",
    "rec['d']['k']",
    "rec['d']['n']",
    "rec['d'].get('k')",
    "rec['d'].get('k', 'x')",
    "rec['d']['e']['f']",
    "rec.get('d', {}).get('k')",
    "rec.get('d', {}).get('k', '')",
    "rec.get('d', {}).get('e', {}).get('f', 'x')",
    "rec.get('d').get('k')",
    "rec.get('d', {})['k']",
    "(rec.get('a') or '')",
    "(rec.get('d') or {}).get('k')",
    "(rec.get('b') or rec.get('a'))",
    "(rec.get('a', '').strip() or 'x')",
    "(rec.get('a') or '').split('/', 1)[0]",
    "(rec.get('a') and rec['b'])",
    "(rec['a'] if rec.get('b') else rec['n'])",
    "detail(rec)",
    "rec.get('absent', 'x')",
    "v",
    "w",
    "v",
    "w",
    "e['k']",
    "e.get('k')",
    "e.get('k', 'x')",
    "e['e']['f']",
    "e.get('e', {}).get('f', '')",
];

pub(super) const TEXTS: &[&str] = &[
    "'x'",
    "'x'",
    "'root'",
    "'root'",
    "'Root'",
    "'y'",
    "''",
    "'É'",
    "'é'",
    "'strasse'",
    "'straße'",
    "'ro'",
    "'10.'",
    "NAMES[0]",
    "'1'",
];

pub(super) const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "5",
    "True",
    "False",
    "None",
    "1.0",
    "0.5",
    "5.5",
    "float('nan')",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "10 ** 20",
    "1e20",
    "[]",
    "{}",
    "()",
    "NAMES",
    "b'x'",
];

pub(super) const CONTAINERS: &[&str] = &[
    "NAMES",
    "SET",
    "FROZEN",
    "TABLE",
    "TUPLE",
    "MIXED",
    "INTS",
    "FLOATS",
    "EMPTY",
    "('x', 'root')",
    "['x', 'Root']",
    "{'y', 'root'}",
    "'root x'",
    "TABLE.keys()",
    "TABLE.values()",
    "PAIRS",
    "{1: 2}",
    "[None, 'x']",
    "('x', 0.5)",
    "[rec.get('b'), 'x']",
];

pub(super) const NETWORKS: &[&str] = &["NETS", "HOST", "BAD_NETS", "('0.0.0.0/0',)", "EMPTY"];

pub(super) const EXCEPTIONS: &[&str] = &[
    "except KeyError:",
    "except (KeyError, TypeError):",
    "except Exception:",
    "except Exception as error:",
    "except:",
    "except AttributeError:",
    "except ValueError:",
    "except LookupError:",
    "except (ValueError, TypeError):",
    "except (KeyError, (TypeError, ValueError)):",
    "except (KeyError, 'x'):",
    "except BaseException:",
    "except v:",
];
