"""Execute submissions on a Dask cluster: the same function as here, without gradebook or files.

Workers need this course's environment. They get the release, one submission and the limits, and
give back the executed notebook and the verdict; isolation is that of the worker's own machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from classroom.errors import ClassroomError
from classroom.grading import LEVELS, Limits, Outcome, Release, Submission, choose_level, grade_one
from leverage._extras import extra_command

SECONDS_TO_CONNECT = 20
AHEAD = 2
"""Submissions sent to the cluster per thread of a worker: one that runs, one that waits."""
SECONDS_BETWEEN = 0.02
SECONDS_TO_LOOK = 2
"""How often to see whether the cluster is still there, while nothing comes back."""
GO_ON = (
    "what was shown is saved. Start it again and run the same command again, or grade the others on "
    "this machine (without --cluster)"
)
TRIES = 2
"""How often a submission is sent again after its worker died."""


def execute_remotely(
    release: Release, submission: Submission, limits: Limits, level: str | None, limits_only: bool
) -> Outcome:
    """Execute one submission on the worker that runs this."""
    return grade_one(release, submission, limits=limits, level=level, allow_limits_only=limits_only)


def levels_here(level: str | None, limits_only: bool) -> str:
    """Return the isolation level of the worker that runs this; raise where there is none."""
    return choose_level(level, allow_limits_only=limits_only)


@contextmanager
def cluster_executor(
    address: str,
    release: Release,
    limits: Limits,
    *,
    level: str | None = None,
    allow_limits_only: bool = False,
) -> Iterator[tuple[str, Callable[[Iterable[Submission]], Iterator[Outcome]]]]:
    """Yield the weakest level among the workers and a function that executes submissions on them.

    Raises
    ------
    ClassroomError
        If Dask is missing, the scheduler does not answer, it has no workers, or one of them
        cannot isolate students' code.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ClassroomError(
            f"--cluster needs Dask; install it with {extra_command('cluster')}"
        ) from None
    try:
        client: Any = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClassroomError(
            f"no Dask scheduler answers at {address!r} ({' '.join(str(error).split())[:120]}); "
            "give the address that 'dask scheduler' printed, such as tcp://10.0.0.5:8786"
        ) from None
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise ClassroomError(
                f"the cluster at {address} has no workers; start some with 'dask worker {address}'"
            )
        weakest = weakest_level(client, address, level, allow_limits_only)
        sent = client.scatter(release, broadcast=True, hash=False)
        room = AHEAD * sum(worker["nthreads"] for worker in workers.values())

        def execute(submissions: Iterable[Submission]) -> Iterator[Outcome]:
            yield from grade_on(
                client, sent, release, submissions, limits, level, allow_limits_only, room
            )

        yield weakest, execute
    finally:
        client.close(timeout=5)


def weakest_level(client: Any, address: str, level: str | None, limits_only: bool) -> str:
    """Ask every worker for its isolation level."""
    try:
        found = client.run(levels_here, level, limits_only)
    except ModuleNotFoundError as error:
        raise ClassroomError(
            f"a worker of {address} cannot import {error.name}; start workers in this course's "
            "environment"
        ) from None
    return str(max(found.values(), key=LEVELS.index))


def grade_on(
    client: Any,
    sent: Any,
    release: Release,
    submissions: Iterable[Submission],
    limits: Limits,
    level: str | None,
    limits_only: bool,
    room: int,
) -> Iterator[Outcome]:
    """Keep `room` submissions on the cluster and yield outcomes as they come back.

    A submission whose worker died is sent again: by the scheduler, or by us where that has
    forgotten it. Each gives one outcome all the same.
    """
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    waiting = iter(submissions)
    running: dict[str, tuple[Any, Submission, int]] = {}

    def send(submission: Submission, tries: int) -> None:
        # What all workers had in common may have gone with one of them.
        common = release if tries else sent
        future = client.submit(
            execute_remotely, common, submission, limits, level, limits_only,
            pure=False, retries=TRIES,
        )  # fmt: skip
        running[future.key] = future, submission, tries

    lost = []
    more = True
    while more or running:
        while more and len(running) < room:
            submission = next(waiting, None)
            more = submission is not None
            if submission is not None:
                send(submission, 0)
        for key in finished(client, {key: future for key, (future, _, _) in running.items()}):
            future, submission, tries = running.pop(key)
            try:
                outcome: Outcome = future.result()
            except KilledWorker:
                lost.append(submission.student)
            except CancelledError:
                require_cluster(client)
                if tries < TRIES:
                    send(submission, tries + 1)
                else:
                    lost.append(submission.student)
            else:
                yield outcome
                future.release()
    if lost:
        raise ClassroomError(
            f"the cluster's workers died while grading {', '.join(lost)}; all others are graded. "
            "Run the same command again, or grade these on this machine (without --cluster)"
        )


def finished(client: Any, running: Mapping[str, Any]) -> list[str]:
    """Wait until something is done and return its keys; raise a sentence if nothing can be."""
    looked = time.monotonic()
    while running:
        done = [key for key, future in running.items() if future.status != "pending"]
        if done:
            return done
        time.sleep(SECONDS_BETWEEN)
        if time.monotonic() - looked > SECONDS_TO_LOOK:
            looked = time.monotonic()
            require_cluster(client)
    return []


def require_cluster(client: Any) -> None:
    """Raise a sentence where the scheduler or all of its workers have gone."""
    if client.status != "running":
        raise ClassroomError(f"the cluster's scheduler has gone; {GO_ON}")
    if not client.scheduler_info(n_workers=-1)["workers"]:
        raise ClassroomError(f"the cluster has no workers left; {GO_ON}")
