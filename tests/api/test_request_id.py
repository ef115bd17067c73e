from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from writingmate.api.request_id import new_request_id


def test_ids_are_in_order_of_time_and_all_different() -> None:
    ids = [new_request_id() for _ in range(5_000)]
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", each) for each in ids)
    assert [each[:15] for each in ids] == sorted(each[:15] for each in ids)
    assert len({each[15:] for each in ids}) == len(ids)


def test_threads_draw_no_id_twice() -> None:
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(lambda _: new_request_id(), range(5_000)))
    assert len({each[15:] for each in ids}) == len(ids)


FORKING = """
import os
from writingmate.api.request_id import new_request_id
new_request_id()
if os.fork() == 0:
    print(new_request_id()[15:], flush=True)
    os._exit(0)
os.wait()
print(*(new_request_id()[15:] for _ in range(1_000)))
"""


def test_a_child_process_does_not_draw_its_parents_ids() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    child, *parent = done.stdout.split()
    assert len(parent) == 1_000
    assert child not in parent
