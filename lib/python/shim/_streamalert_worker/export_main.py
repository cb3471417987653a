"""A worker that does not evaluate: it loads the user's files, sends the report and the export, and ends."""
import os
import struct

_LENGTH = struct.Struct('<I')


def serve(channel, options, shim_root):
    """Loads and exports."""
    # Before the watch starts, so that only what user code asks for is seen.
    from streamalert.rules_engine import threat_intel  # noqa: F401
    from streamalert.shared import config
    from streamalert.shared.lookup_tables import core as lookup_tables

    from _streamalert_worker import wire
    from _streamalert_worker.export import export
    from _streamalert_worker.export_code import Homes, Sources
    from _streamalert_worker.export_watch import Watch
    from _streamalert_worker.loader import Loader, dump

    config._HOST_CONF_DIR = options['conf_dir']
    lookup_tables._HOST_FILES.update(options['lookup_tables'])
    homes = Homes(shim_root)
    watch = Watch(homes)
    loader = Loader(options, lambda path: channel.send(wire.LOADING, os.fsencode(path)))
    watch.start()
    report = loader.load()
    seen = dump(watch.stop())
    loaded = dump(report)
    channel.send(wire.LOADED, loaded)
    document = export(report, Sources(watch.executed, homes), homes, options['repo_root'])
    channel.send(wire.EXPORTED, _LENGTH.pack(len(seen)), seen, _LENGTH.pack(len(loaded)), loaded, document)
    # Threads and exit handlers of the user's must not keep the process.
    os._exit(0)
