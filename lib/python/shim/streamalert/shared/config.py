"""The configuration directory as user code may read it. The host validates it; here it is only read."""
import json
import os
from collections import OrderedDict, defaultdict

from streamalert.shared.exceptions import ConfigError


class TopLevelConfigKeys:
    """Keys of the loaded configuration."""
    CLUSTERS = 'clusters'
    GLOBAL = 'global'
    LAMBDA = 'lambda'
    LOGS = 'logs'
    LOOKUP_TABLES = 'lookup_tables'
    NORMALIZED_TYPES = 'normalized_types'
    OUTPUTS = 'outputs'
    SCHEMAS = 'schemas'
    THREAT_INTEL = 'threat_intel'


# Set by the worker; what `load_config()` without an argument reads.
_HOST_CONF_DIR = None


def load_config(conf_dir=None, exclude=None, include=None, validate=True):
    """The JSON files of the directory by name, with `clusters` and `logs` (all schemas). Files that are not
    there are empty."""
    # pylint: disable=unused-argument
    if conf_dir is None or (conf_dir.rstrip('/') == 'conf' and not os.path.isdir(conf_dir)):
        conf_dir = _HOST_CONF_DIR or 'conf'
    config = defaultdict(dict)
    config['global'] = {'account': {}, 'general': {}, 'infrastructure': {}}
    for name in _json_files(conf_dir):
        if (not include or name in include) and name not in (exclude or ()):
            config[name[:-len('.json')]] = _read(os.path.join(conf_dir, name))
    wanted = lambda part: (not include or part in include) and part not in (exclude or ())
    if wanted('clusters'):
        folder = os.path.join(conf_dir, 'clusters')
        for name in _json_files(folder):
            config['clusters'][name[:-len('.json')]] = _read(os.path.join(folder, name))
    if wanted('schemas') and not config['logs']:
        folder = os.path.join(conf_dir, 'schemas')
        schemas = OrderedDict()
        for name in _json_files(folder):
            schemas.update(_read(os.path.join(folder, name)))
        config['logs'] = schemas
    return config


def _json_files(folder):
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith('.json'))
    except OSError:
        return []


def _read(path):
    with open(path, encoding='utf-8') as file:
        try:
            return json.load(file, object_pairs_hook=OrderedDict)
        except ValueError as error:
            raise ConfigError('not json: {}: {}'.format(path, error)) from error
