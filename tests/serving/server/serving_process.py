"""A server in a process of its own, for signals: `python -m serving_process PORT DRAIN`, or `… PORT DRAIN held`.

With `held`, batches wait until standard input ends. This folder and nnjax's must be in PYTHONPATH."""

import signal
import sys

from serving_thread import Network, facts_of

from nnjax.config.errors import UserError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.model import Model
from nnjax.serving.server.listening import bound, serve


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a script
    port, drain, held = int(sys.argv[1]), float(sys.argv[2]), "held" in sys.argv
    network = Network()
    network.hook = lambda inputs: held and inputs.any() and sys.stdin.read()  # the first ones, of zeros, are for compiling
    settings = ServerSettings(port=port, batch=2, drain=drain)
    try:
        with bound(settings) as sock:
            serve({"squares": Model(facts_of(), network, None)}, settings, sock, lambda line: print(line, flush=True))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
