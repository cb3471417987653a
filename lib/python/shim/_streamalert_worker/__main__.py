"""Entry: `python -B <shim>/_streamalert_worker/__main__.py`. Frames come in on standard input and go out on
standard output, which then become user code's own."""
import os
import sys


def main():
    """Loads the user's code and serves the host until it is gone."""
    channel_in, channel_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)

    shim_root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[0] = shim_root
    import json
    import logging
    import mmap

    from _streamalert_worker import fallback, guard, wire

    channel = wire.Channel(channel_in, channel_out)
    kind, body = channel.receive()
    if kind != wire.INIT:
        raise SystemExit('the first frame must be INIT')
    options = json.loads(bytes(body))
    guard.die_with_parent(options['parent'])
    os.closerange(max(channel_in, channel_out) + 1, 1024)
    guard.limit_resources(options['memory_bytes'], options['open_files'])
    output = guard.capture_output(options['print_lines_per_sec_max'])
    with open(options['progress_file'], 'r+b') as file:
        progress = memoryview(mmap.mmap(file.fileno(), 8)).cast('Q')

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format='%(levelname)s %(name)s: %(message)s')
    os.chdir(options['repo_root'])
    fallback.install(options['repo_root'], shim_root)
    if not options['allow_processes']:
        guard.refuse_processes()
    sys.argv = ['streamalert']

    try:
        if options['export']:
            from _streamalert_worker import export_main
            export_main.serve(channel, options, shim_root)
        serve(channel, options, progress, output)
    except MemoryError:
        guard.out_of_memory()


def serve(channel, options, progress, output):
    """Loads, then answers frames."""
    from streamalert.shared import config
    from streamalert.shared.lookup_tables import core as lookup_tables
    from streamalert.shared.rule import Rule

    from _streamalert_worker import evaluate, wire
    from _streamalert_worker.loader import Loader, dump

    config._HOST_CONF_DIR = options['conf_dir']
    lookup_tables._HOST_FILES.update(options['lookup_tables'])
    loader = Loader(options, lambda path: channel.send(wire.LOADING, os.fsencode(path)))
    report = loader.load()
    channel.send(wire.LOADED, dump(report))
    rules = dict(Rule._rules)
    infos = {info['name']: info for info in report['rules']}
    evaluator = evaluate.Evaluator(progress, options['slice_secs'], output)
    evaluate.settle()
    while True:
        kind, body = channel.receive()
        if kind == wire.EVALUATE:
            channel.send(wire.RESULT, *evaluator.evaluate(body))
        elif kind == wire.PUBLISH:
            channel.send(wire.PUBLISHED, *evaluator.publish(body))
        elif kind == wire.BIND:
            evaluator.bind(json_names(body), rules, infos)
        else:
            raise SystemExit('unknown frame kind {}'.format(kind))


def json_names(body):
    """The list of names in a BIND frame."""
    import json
    return json.loads(bytes(body))


if __name__ == '__main__':
    main()
