"""How a process is set up to keep little memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from redcell.web.settled import HEAPS

COUNT = """
import ctypes, re, sys, threading
from redcell.web.settled import share_heaps
if sys.argv[2] == "shared":
    share_heaps()
gate = threading.Barrier(13)
def work():
    kept = [bytearray(2000) for _ in range(200)]
    gate.wait()
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for one in threads:
    one.start()
gate.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
gate.wait()
print(len(re.findall("<heap nr", open(sys.argv[1]).read())))
"""


@pytest.mark.trust("L7")
@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux")
@pytest.mark.parametrize("how", ["shared", "each"])
def test_threads_share_a_few_heaps(tmp_path, how):
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(tmp_path / "heaps.xml"), how],
        capture_output=True,
        text=True,
        check=True,
    )
    heaps = int(done.stdout)
    assert heaps <= HEAPS if how == "shared" else heaps > HEAPS
