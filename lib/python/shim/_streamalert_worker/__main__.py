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
    guard.close_inherited((channel_in, channel_out))
    no_network = None if options['network'] else guard.leave_network()
    # After the change of namespaces, which may undo it.
    guard.die_with_parent(options['parent'])
    guard.limit_resources(options['memory_bytes'], options['open_files'], options['file_bytes'])
    output = guard.capture_output(options['print_lines_per_sec_max'])
    with open(options['progress_file'], 'r+b') as file:
        progress = memoryview(mmap.mmap(file.fileno(), 8)).cast('Q')

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format='%(levelname)s %(name)s: %(message)s')
    os.chdir(options['repo_root'])
    fallback.install(options['repo_root'], shim_root)
    if not options['allow_processes']:
        guard.refuse_processes()
    if not options['network']:
        guard.refuse_network()
    sys.argv = ['streamalert']

    try:
        if options['export']:
            from _streamalert_worker import export_main
            export_main.serve(channel, options, shim_root)
        serve(channel, options, progress, output, no_network)
    except MemoryError:
        guard.out_of_memory()


def serve(channel, options, progress, output, no_network):
    """Loads, then answers frames. `no_network`: why the network could not be taken away altogether."""
    from streamalert.shared import config
    from streamalert.shared.lookup_tables import core as lookup_tables
    from streamalert.shared.rule import Rule

    from _streamalert_worker import evaluate, wire
    from _streamalert_worker.loader import Loader, dump

    config._HOST_CONF_DIR = options['conf_dir']
    lookup_tables._HOST_FILES.update(options['lookup_tables'])
    loader = Loader(options, lambda path: channel.send(wire.LOADING, os.fsencode(path)))
    if no_network:
        loader.warnings.append({'file': '', 'line': 0, 'message': (
            'rules cannot be cut off from the network by the system ({}): sockets are refused to python code, '
            'but not to code in C'.format(no_network))})
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
