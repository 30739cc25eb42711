"""A server under callgrind, whose counts are cut into parts.

Callgrind writes down what it has counted, and begins anew, at each call of accept4: a connection
that is opened ends a part. Counted are the worker's own instructions, those of its libraries among
them; the kernel's are not.
"""
import contextlib
import os
import re
import subprocess
from dataclasses import dataclass

from servers import DIES_WITH_US, Server, stop, wait_ready

ALLOCATORS = {"malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"}
# Libraries choose their instructions by what the processor has: here by what all have.
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS"
                      ":glibc.cpu.x86_non_temporal_threshold=0xc0000",
    "OPENSSL_ia32cap": ":0",
}


@dataclass
class Part:
    instructions: int
    mallocs: int


@contextlib.contextmanager
def counted(argv, ports, folder):
    """Runs the server with its counts in the folder."""
    command = [*DIES_WITH_US, "valgrind", "--tool=callgrind",
               f"--callgrind-out-file={folder}/parts.%p", "--compress-strings=no",
               "--dump-before=accept4", *argv]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={**os.environ, **ENVIRONMENT}, start_new_session=True)
    try:
        server = Server("moontrail", process, ports, log)
        wait_ready(server)
        yield server
    finally:
        stop(process)


def count_parts(folder):
    """How many parts are written; the master, which accepts nothing, has none."""
    return len(list(folder.glob("parts.*.*")))


def read_parts(folder, first, last):
    """The sum of these, the first of all being 1."""
    parts = [read_part(folder, number) for number in range(first, last + 1)]
    return Part(sum(part.instructions for part in parts), sum(part.mallocs for part in parts))


def read_part(folder, number):
    [file] = folder.glob(f"parts.*.{number}")
    instructions = mallocs = 0
    callee = None
    with file.open() as lines:
        for line in lines:
            name, _, value = line.partition("=")
            if name == "cfn":
                callee = value.strip()
            elif name == "calls" and callee in ALLOCATORS:
                mallocs += int(value.split()[0])
            elif match := re.match(r"totals: (\d+)", line):
                instructions = int(match[1])
    return Part(instructions, mallocs)
