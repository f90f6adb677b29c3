"""A portable Beam job service with its workers, in a process that knows nothing of the one that submits.

What a transform needs on a worker gets there as bytes or not at all: no object, no patch and no global is shared.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_SUPPORT = Path(__file__).resolve().parent


@contextlib.contextmanager
def beam_workers() -> Iterator[tuple[str, ...]]:
    """Starts the process; gives the flags that send a job to it."""
    places = os.pathsep.join(map(str, (_SUPPORT.parents[1], _SUPPORT)))
    process = subprocess.Popen(
        [sys.executable, __file__],
        env=os.environ | {"PYTHONPATH": places},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        endpoint, workers = process.stdout.readline().split()
        yield (
            "--runner=PortableRunner",
            f"--job_endpoint={endpoint}",
            "--environment_type=EXTERNAL",
            f"--environment_config={workers}",
        )
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Serves until whoever started it closes its standard input."""
    # As in the test's process; here, since it is about what a worker needs.
    import transforms  # noqa: F401, I001
    from apache_beam.runners.portability.local_job_service import LocalJobServicer
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

    # Threads instead of a process for each job: TensorFlow is imported once.
    workers, _ = BeamFnExternalWorkerPoolServicer.start(use_process=False)
    port = LocalJobServicer().start_grpc_server(0)
    print(f"localhost:{port} {workers}", flush=True)
    sys.stdin.read()
    # Threads that wait for work would keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
