"""The child process: one embedded model as an OpenAI server on a unix socket.

Run as a script by `child`, in a process of its own so that a native crash, busy threads or a lack
of memory do not take the gateway along. It reads one line of JSON from standard input, prints one
line when it is ready, and leaves when standard input ends: then its gateway has gone.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import xllamacpp

# Both shipped models were trained on it. What the files themselves carry adds a system message
# that spoils the answers of one, and a tool syntax that the other does not keep to.
TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"  # an expression: a template's own last newline is dropped
)
NICENESS = 5
FIRST_TO_GO = "500"


def parameters(config: dict[str, Any]) -> Any:  # noqa: ANN401  # the runtime ships no annotations
    """The runtime's settings."""
    params = xllamacpp.CommonParams()
    params.model.path = config["weights"]
    params.model_alias = {config["model"]}
    params.hostnames = [config["socket"]]
    params.api_keys = [config["key"]]
    params.n_ctx = config["context"] * config["slots"]  # shared out among the slots
    params.n_parallel = config["slots"]
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = config["threads"]
    params.n_gpu_layers = 0
    params.fit_params = False
    params.cache_ram_mib = 0  # 8 GiB otherwise
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1  # errors
    params.offline = True
    params.prefill_assistant = False  # OpenAI's chat starts a new message after the assistant's
    params.chat_template = TEMPLATE
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.sleep_idle_seconds = config["idle_seconds"]
    return params


def main() -> None:
    """Serve until standard input ends."""
    config = json.loads(sys.stdin.readline())
    os.umask(0o077)
    os.nice(NICENESS)
    with suppress(OSError):  # where there is such a thing: better this process than the gateway
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    ready = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the library prints is not our line
    try:
        server = xllamacpp.Server(parameters(config))
    except RuntimeError as error:
        sys.exit(str(error))
    ready.write(server.listening_address + "\n")
    ready.flush()
    sys.stdin.read()
    with suppress(OSError):
        Path(config["socket"]).unlink()
    os._exit(0)  # the server's threads would wait for their generations


if __name__ == "__main__":
    main()
