# Functions about names: each `case_…` is called with a record by CPython (scopes.txt holds what came of it) and here.


def case_comprehension_variables_stay_inside(rec):
    x = 'outer'
    ys = [x for x in ('a', 'b')]
    return x, ys


def case_nested_comprehensions_share_nothing(rec):
    return [[x for x in (y, y)] for y in (1, 2)], [(x, y) for x in (1, 2) for y in (x, 3) if x != y]


def case_walrus_binds_outside(rec):
    any((last := x) > 1 for x in (1, 2, 3))
    ys = [(z := x) for x in (4, 5)]
    return last, z, ys


def case_lambdas_capture_the_variable(rec):
    fs = [lambda: x for x in (1, 2, 3)]
    gs = [lambda x=x: x for x in (1, 2, 3)]
    return [f() for f in fs], [g() for g in gs]


def case_each_run_of_a_comprehension_has_its_own_cells(rec):
    all_fs = []
    for n in (1, 2):
        all_fs.append([lambda: x + n for x in (10, 20)])
    return [[f() for f in fs] for fs in all_fs]


def case_closures_see_later_values(rec):
    def get():
        return value
    value = 1
    first = get()
    value = 2
    return first, get()


def case_nonlocal(rec):
    count = 0

    def add(n=1):
        nonlocal count
        count += n
        return count
    add()
    add(n=5)
    return count


def case_nonlocal_through_two_functions(rec):
    x = 1

    def outer():
        def inner():
            nonlocal x
            x = x + 1
            return lambda: x * 10
        return inner()
    return outer()(), x


def case_unbound_local(rec):
    if 'nothing' in rec:
        x = 1
    return x


def case_unbound_free_variable(rec):
    def get():
        return later
    got = get()
    later = 1
    return got


def case_unbound_within_a_generator(rec):
    if 'nothing' in rec:
        x = 1
    return any(x == y for y in (1, 2))


def case_unbound_within_a_comprehension_of_a_generator(rec):
    if 'nothing' in rec:
        x = 1
    return sorted(x for y in (1, 2))


def case_deleted(rec):
    x = 1
    del x
    return x


def case_exception_name_is_unbound_after(rec):
    e = 'before'
    try:
        rec['nothing']
    except KeyError as e:
        text = str(e)
    try:
        return text, e
    except UnboundLocalError as error:
        return text, str(error)


def case_missing_global(rec):
    return no_such_name


def case_loop_variable_stays(rec):
    for i, (a, *b) in enumerate([(1, 2, 3), (4, 5)]):
        pass
    return i, a, b


def case_loop_over_nothing(rec):
    for i in ():
        pass
    else:
        done = True
    try:
        return i
    except NameError:
        return done


def case_parameters_are_cells(rec, a=1, *, b=2):
    def f():
        return a, b, sorted(rec)
    a = 10
    return f()


def case_star_arguments(rec):
    def f(a, b=2, *args, c, d=4, **kw):
        return a, b, args, c, d, kw
    return f(1, c=3), f(1, 2, 3, *(4, 5), c=6, **{'e': 7, 'd': 8}), f(*'ab', **{'c': 'x'})


def case_positional_only(rec):
    def f(a, /, b, **kw):
        return a, b, kw
    return f(1, b=2, a=3)


def case_defaults_are_made_once(rec):
    def f(x, seen=[]):
        seen.append(x)
        return seen
    return f(1), f(2)


def case_decorators_of_inner_functions(rec):
    def twice(f):
        return lambda x: f(f(x))

    def plus(n):
        return lambda f: lambda x: f(x) + n

    @twice
    @plus(5)
    def g(x):
        return x * 2
    return g(1)


def case_generator_expressions_are_lazy(rec):
    seen = []
    gen = (seen.append(x) or x for x in (1, 2, 3))
    first = next(gen)
    before = list(seen)
    rest = list(gen)
    return first, before, rest, seen


def case_first_iterable_is_evaluated_at_once(rec):
    xs = [1, 2]
    gen = (x for x in xs)
    xs = [3]
    return list(gen)


def case_later_iterables_are_evaluated_late(rec):
    ys = (1, 2)
    gen = (x + y for x in (10, 20) for y in ys)
    ys = (5,)
    return list(gen)


def case_stop_iteration_within_a_generator(rec):
    it = iter(())
    try:
        return any(next(it) for x in (1, 2))
    except RuntimeError as error:
        return str(error)


def case_builtins_may_be_hidden(rec):
    any = list
    return any(x for x in (0, 0))


def case_generators(rec):
    def count(n):
        for i in range(n):
            got = yield i
            if got is not None:
                return
        yield from ('a', 'b')
    return list(count(3)), sum(count(0), 0) if not count else 'x'


def case_recursion(rec):
    def fact(n):
        return 1 if n < 2 else n * fact(n - 1)
    return fact(25)


def case_chained_assignment(rec):
    a = b = c = [1]
    b.append(2)
    (d, e), [f, *g] = (1, 2), 'xyz'
    return a, c is b, d, e, f, g


def case_augmented(rec):
    d = {'n': 1, 'l': [1]}
    d['n'] += 2
    d['l'] += (3,)
    x = [1]
    y = x
    x += [2]
    x = x + [3]
    return d, x, y


def case_fstrings(rec):
    x, w = 3.14159, 8
    name = 'n'
    return f'{x:.2f}|{name!r:>{w}}|{name = }|{x=:.1f}|{{}}|{rec["a"]["b"]}' f'{1 + 1}' 'tail'


def case_paths(rec):
    missing = rec.get('z', {}).get('y'), rec.get('z', {}).get('y', 7), rec.get('a', {}).get('q', 'no')
    return rec['a']['b'], rec.get('a').get('b'), rec['l'][0], rec.get('n'), missing


def case_path_through_none(rec):
    return rec.get('n').get('x')


def case_path_through_a_missing_key(rec):
    return rec.get('z')['x']


def case_path_of_a_missing_key(rec):
    return rec['a']['z']


def case_path_through_text(rec):
    return rec['s']['x']


def case_path_default_after_none(rec):
    return rec.get('n', {}).get('x')


def case_rebound_parameter(rec):
    rec = {'a': {'b': 'mine'}}
    return rec['a']['b'], rec.get('q', 'none')


def case_conditions(rec):
    return (1 and 0 or 'x'), not rec, (None if rec else 1), 1 < 2 < 3 != 4, 3 in [1, 2, 3], 'x' in {'x', 'y'}


def case_finally(rec):
    out = []

    def f():
        for i in range(3):
            try:
                if i == 0:
                    continue
                if i == 2:
                    return 'early'
                out.append(i)
            finally:
                out.append('f')
    return f(), out


def case_try_else(rec):
    out = []
    for key in ('s', 'nothing'):
        try:
            rec[key]
        except (KeyError, ValueError) as error:
            out.append(repr(error))
        else:
            out.append('else')
    return out


def case_while(rec):
    n = 0
    while True:
        n += 1
        if n == 3:
            continue
        if n > 5:
            break
    else:
        n = -1
    return n


def case_assert(rec):
    assert not rec, 'message ' + rec['s']


def case_negative_numbers(rec):
    return -1, -9223372036854775808, 9223372036854775808, -0.0, ~5, 0x_ff, 1_000, 10 ** 20


def case_immediate_lambda(rec):
    return (lambda *a, **k: (a, k))(1, x=2)


def case_conditional_function(rec):
    if rec:
        def f():
            return 'yes'
    else:
        def f():
            return 'no'
    return f()


def case_dict_and_set_comprehensions(rec):
    return {k: len(v) for k, v in {'a': 'xx', 'b': 'y'}.items() if k}, sorted({c for c in 'abca'})


def case_unpacking_displays(rec):
    return [*'ab', 1, *(2, 3)], (*[], 4), {**{'a': 1}, 'b': 2, **{'a': 3}}


def case_slices(rec):
    x = [0, 1, 2, 3, 4]
    x[1:3] = 'q'
    return x, x[::-1], 'hello'[1:-1], x[-2:]


def case_imports(rec):
    import json
    from math import floor as down
    return json.loads('[1]'), down(1.5)


def case_match(rec):
    out = []
    for value in (1, 'x', [1, 2, 3], {'a': 1, 'b': 2}, None, 2.5):
        match value:
            case 1 | 2:
                out.append('number')
            case str() as text if text:
                out.append(text)
            case [first, *rest]:
                out.append((first, rest))
            case {'a': a, **others}:
                out.append((a, others))
            case None:
                out.append('none')
            case _:
                out.append('other')
    return out
