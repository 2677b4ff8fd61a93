"""Picking by the workers of a Dask cluster. They see the same files; only names and results travel."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryopick_napari.cli import spin_little

spin_little()  # a worker comes here first, before anything of ours has imported torch

from cryopick_napari.batch import Picked, PickSettings, fingerprint  # noqa: E402
from cryopick_napari.coordinates import read_coordinates  # noqa: E402
from cryopick_napari.coordinates.naming import absolute  # noqa: E402
from cryopick_napari.devices import resolve_device  # noqa: E402
from cryopick_napari.errors import CryopickError  # noqa: E402
from cryopick_napari.folding import folded  # noqa: E402
from cryopick_napari.output import Output, Task  # noqa: E402
from cryopick_napari.picker import Picker  # noqa: E402
from cryopick_napari.picks import Picks  # noqa: E402
from cryopick_napari.runs import Results, picked_in_turn  # noqa: E402

if TYPE_CHECKING:
    from distributed import Client

CHUNK = 8  # micrographs that are sent, and lost with a worker, together
PATIENCE = 10.0  # s to wait for a scheduler
LOOK = 0.5  # s between two looks at whether to stop

_ONE_AT_A_TIME = threading.Lock()  # a worker with several threads has them share one network


@dataclass(frozen=True)
class Job:
    """What a worker must know to pick any micrograph of a run.

    Attributes
    ----------
    model : Path
        Of the model's file, as workers see it.
    avoids : bool
        Whether contamination is left out, whatever the file says.
    mark : str
        Fingerprint of model and settings, by which a worker sees that it reads the same file.
    device : str
        As `resolve_device` takes it, on the worker.
    settings : PickSettings
    """

    model: Path
    avoids: bool
    mark: str
    device: str
    settings: PickSettings


def connected(
    address: str, ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> Client:
    """Connect to a scheduler.

    Parameters
    ----------
    address : str
        As ``tcp://host:8786`` or ``tls://host:8786``.
    ca, certificate, key : Path, optional
        PEM files for TLS; those of Dask's own configuration by default.

    Raises
    ------
    CryopickError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise CryopickError("a cluster needs Dask: pip install 'cryopick-napari[cluster]'") from error
    given = {"tls_ca_file": ca, "tls_client_cert": certificate, "tls_client_key": key}
    files = {name: str(path) for name, path in given.items() if path is not None}
    try:
        security = Security(require_encryption=True, **files) if files else Security()
        if address.startswith("tls:") and not security.get_connection_args("client").get("ssl_context"):
            raise CryopickError(f"{address} needs certificates: give --tls-ca, --tls-cert and --tls-key")
        return Client(address, timeout=PATIENCE, security=security, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise CryopickError(
            f"no Dask scheduler answers at {address} ({error}): start one with 'dask scheduler', "
            "or correct --scheduler and --tls-..."
        ) from error


def caution(address: str) -> str:
    """Say what is unsafe about an address: whoever reaches an open scheduler can run what they want."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.scheme not in ("tcp", "ws") or is_this_host(parts.hostname or ""):
        return ""
    return (
        f"the connection to {address} is neither encrypted nor authenticated: anyone on its network can run "
        "programs as you; give a tls:// address"
    )


def is_this_host(name: str) -> bool:
    """Whether a host's name means the computer it is asked on."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def on_cluster(
    client: Client,
    model: Path,
    device: str,
    stop: threading.Event,
    output: Output,
    tasks: Sequence[Task],
) -> Results:
    """Have micrographs picked in chunks; a chunk whose worker is lost is done again by another.

    Parameters
    ----------
    client : Client
    model : Path
        The file that the output's picker was read from.
    device : str
        Of the workers.
    stop : Event
        Set it to give up what is not done.
    output : Output
    tasks : sequence of Task

    Raises
    ------
    CryopickError
        If the scheduler is gone, or workers cannot pick at all.
    """
    from distributed import wait

    job = Job(absolute(model), output.picker.config.contamination_mask, output.mark, device, output.settings)
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    futures = {client.submit(pick_chunk, job, _absolute(chunk), pure=False): chunk for chunk in chunks}
    try:
        while futures and not stop.is_set():
            try:
                with client.as_current():
                    done = wait(list(futures), timeout=LOOK, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in done:
                chunk = futures.pop(future)
                yield from zip(chunk, _results(future, chunk), strict=True)
    except (CancelledError, OSError) as error:
        raise CryopickError(
            "the connection to the scheduler is lost: run the same command again, it goes on from here"
        ) from error
    finally:
        if futures and client.status == "running":
            client.cancel(list(futures))


def pick_chunk(job: Job, tasks: Sequence[Task]) -> list[Picked]:
    """Pick some micrographs on a worker; those that a lost worker has done are only read."""
    with _ONE_AT_A_TIME:
        picker = _picker(job, job.model.stat().st_mtime_ns)
        known = {task.name: _known(task) for task in tasks}
        left = [task for task in tasks if known[task.name] is None]
        new = {picked.path: picked for picked in picked_in_turn(picker, job.settings, left)}
        return [known[task.name] or new[task.path] for task in tasks]


@lru_cache(maxsize=1)
def _picker(job: Job, _changed: int) -> Picker:
    """Read the model, once for all chunks of a run."""
    picker = Picker.load(job.model, resolve_device(job.device))
    picker = picker.configured(contamination_mask=job.avoids)
    if fingerprint(picker, job.settings) != job.mark:
        raise CryopickError(f"{job.model} is another model, or cryopick-napari another version, on a worker")
    return folded(picker)


def _known(task: Task) -> Picked | None:
    """Read the picks of a micrograph that is done."""
    if not all(file.is_file() for file in task.files):
        return None
    try:
        found = read_coordinates(task.file)
        return Picked(task.path, "picked", found[0].picks if found else Picks.of([]))
    except CryopickError:
        return None


def _absolute(tasks: Sequence[Task]) -> list[Task]:
    """Make paths whole: workers have current folders of their own."""
    return [
        replace(
            task,
            path=absolute(task.path),
            file=absolute(task.file),
            extras=tuple((kind, absolute(file)) for kind, file in task.extras),
        )
        for task in tasks
    ]


def _results(future: Any, chunk: Sequence[Task]) -> list[Picked]:
    """Take the results of a chunk; if it took several workers down, its micrographs have failed."""
    from distributed import KilledWorker

    if future.status == "finished":
        results: list[Picked] = future.result()
        return [replace(picked, path=task.path) for picked, task in zip(results, chunk, strict=True)]
    if future.status == "cancelled":
        raise CancelledError
    error = future.exception()
    if isinstance(error, KilledWorker):
        message = "several workers were lost while they picked it, or one beside it: is their memory enough?"
        return [Picked(task.path, "failed", message=f"{task.path}: {message}") for task in chunk]
    if isinstance(error, CryopickError):
        raise error
    raise CryopickError(
        f"a worker cannot pick ({error}): it needs the same cryopick-napari, and must see the same files"
    )
