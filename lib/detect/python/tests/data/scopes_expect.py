"""Writes scopes.txt: what CPython (3.11) makes of every case of scopes.py. Run in this folder."""
import runpy

RECORD = {'a': {'b': 'c'}, 'l': [1, 2], 'n': None, 's': 'text'}

cases = runpy.run_path('scopes.py')
with open('scopes.txt', 'w', encoding='utf-8') as out:
    for name, function in cases.items():
        if name.startswith('case_'):
            try:
                result = repr(function(RECORD))
            except Exception as error:
                result = '{}: {}'.format(type(error).__name__, error)
            out.write('{} {}\n'.format(name, result))
