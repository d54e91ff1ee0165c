"""A server in a process of its own, for signals: `python serving_process.py PORT SECONDS DRAIN`; a batch takes so long.

Beside this file and nnjax, in PYTHONPATH."""

import signal
import sys
import time

from serving_thread import Network, facts_of

from nnjax.config.errors import UserError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.model import Model
from nnjax.serving.server.listening import bound, serve


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a script
    port, seconds, drain = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    network = Network()
    network.hook = lambda inputs: time.sleep(seconds * bool(inputs.any()))  # the first ones, of zeros, are for compiling
    settings = ServerSettings(port=port, batch=2, drain=drain)
    try:
        with bound(settings) as sock:
            serve({"squares": Model(facts_of(), network, None)}, settings, sock, lambda line: print(line, flush=True))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
