"""The parcel steps over parts of the parcels, on the processes of a Dask cluster; a process that is lost costs time only."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame

from landplan.cores import count_threads
from landplan.engines.kit import Kit, pack_steps
from landplan.engines.parts import do_part, join_parts, order_parcels, run_apart
from landplan.engines.versions import list_versions, look_around
from landplan.errors import EngineError, Fault, UsageError
from landplan.steps import Step, StepResult

__all__ = ["DaskEngine", "open_cluster"]

_PARTS_PER_CORE = 4  # that no core waits long for another
_LEAST, _MOST = 20_000, 50_000  # parcels of a part: below, beginning costs more than working; above, memory
_TRIES = 5  # how often a part whose data went down with their worker is given out again
_START_S = 30.0  # until the first worker is there
_LOOK_S = 5.0
_PATIENCE_S = 120.0  # without a single worker
# Dask has workers give every page back at once and fetch it again a moment later, which doubles what a part costs.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "33554432"}


class DaskEngine:
    """
    Runs the steps on a Dask cluster, each part of the parcels in one task.

    Every digit is that of ``Local``: parts are cut along a Hilbert curve, the steps that measure land run over a part one
    after the other, and what they give is laid back in the order of the parcels. Tables are joined and rules judged here:
    that costs less than the way there and back.

    Parameters
    ----------
    client : distributed.Client
        Connected to a scheduler.
    shared : Path or None
        A folder all workers reach under this path: layers and the elevation model are put there while the work lasts,
        and read in part. Without one, layers travel to the workers' memory, and the elevation model must be readable
        where it is.
    size : int or None
        Parcels of a part, at most; by default so many that each core has four parts, unless they fell below 20,000, and
        at most 50,000.
    """

    def __init__(self, client: Any, *, shared: Path | None = None, size: int | None = None) -> None:
        self._client, self._shared, self._size = client, shared, size

    def run(
        self, steps: Sequence[tuple[str, Step]], parcels: GeoDataFrame, progress: Callable[[str], None]
    ) -> tuple[GeoDataFrame, list[StepResult]]:
        """
        Run steps one after the other, those that measure land over every part of the parcels.

        Parameters
        ----------
        steps : sequence of (str, Step)
            Names, all different, and what to do.
        parcels : GeoDataFrame, n rows, indexed by parcel_id
            Not changed.
        progress : callable
            Called with the name of each step that is run here before it begins; with ``parts`` before parcels are dealt
            out, then with the number of parts that are done.

        Returns
        -------
        GeoDataFrame, n rows, same index and order
            The parcels with the columns of all steps.
        list of StepResult
            What each step found, in the order of the parcels.

        Raises
        ------
        EngineError
            If there are no workers, if they differ from this process in a version that measures, if they do not reach
            a file, or if a part ends every worker it is given to.
        """
        return run_apart(steps, parcels, progress, lambda group, light: self._spread(group, light, progress))

    def _spread(
        self, steps: Sequence[tuple[str, Step]], parcels: GeoDataFrame, progress: Callable[[str], None]
    ) -> tuple[pd.DataFrame, list[StepResult]]:
        progress("parts")
        order = order_parcels(parcels)
        places = np.array_split(order, self._count_parts(len(order)))
        with _folder_in(self._shared) as folder:
            kit = pack_steps(steps, folder)
            self._check(kit)
            parts = (pickle.dumps(parcels.iloc[place], protocol=5) for place in places)
            dones = self._do(kit, parts, len(places), progress)
        return join_parts(parcels, places, dones)

    def ask(self, question: Callable[..., Any], *given: Any) -> dict[str, Any]:
        """
        Ask every worker something.

        Parameters
        ----------
        question : callable
            Called there.
        *given : object
            With these.

        Returns
        -------
        dict of str to object
            Answers, or the exceptions that came instead, by address of the worker.
        """
        answers: dict[str, Any] = self._client.run(question, *given, on_error="return")
        return answers

    def _count_parts(self, parcels: int) -> int:
        cores = self._cores()
        if self._size:
            return -(-parcels // self._size)
        # As many for one core as for another; few parcels are not spread thin over many.
        rounds = min(max(parcels // (cores * _LEAST), 1), _PARTS_PER_CORE)
        return max(min(cores * rounds, -(-2 * parcels // _LEAST)), -(-parcels // _MOST))

    def _cores(self) -> int:
        begun = time.monotonic()
        while not (cores := sum(self._client.ncores().values())):
            if time.monotonic() - begun > _START_S:
                raise EngineError(
                    Fault(
                        en="the scheduler has no workers.",
                        zh="调度程序没有可用的工作进程。",
                        at=str(self._client.scheduler.address),
                        mend_en="start some with `dask worker ADDRESS`",
                        mend_zh="用 dask worker 地址 启动工作进程",
                    )
                )
            time.sleep(0.1)
        return int(cores)

    def _check(self, kit: Kit) -> None:
        """All that is wrong with any worker, at once."""
        faults: list[Fault] = []
        for worker, seen in self.ask(look_around, list(kit.files)).items():
            faults += _faults_of(str(worker), seen)
        if faults:
            raise EngineError(*faults)

    def _do(self, kit: Kit, parts: Iterator[bytes], count: int, progress: Callable[[str], None]) -> list[Any]:
        dask, distributed = import_module("dask"), import_module("distributed")
        # Parts travel through the scheduler, which keeps each until it is done: so it can be given out again.
        quiet = {"distributed.admin.large-graph-warning-threshold": "1TiB"}
        with dask.config.set(quiet):
            return _Run(self._client, distributed, kit, parts, count, progress).finish()


class _Run:
    """Parts given out, waited for, and given out again where they were lost."""

    def __init__(
        self,
        client: Any,
        distributed: Any,
        kit: Kit,
        parts: Iterator[bytes],
        count: int,
        progress: Callable[[str], None],
    ) -> None:
        self._client, self._distributed = client, distributed
        self._text = pickle.dumps(kit, protocol=5)
        self._parts, self._count, self._progress = enumerate(parts), count, progress
        self._kit = self._send_kit()
        self._out: dict[Any, tuple[int, bytes, int]] = {}
        self._dones: list[Any] = [None] * count

    def _send_kit(self) -> Any:
        # A task and not scattered data: whoever loses it can make it again. Bytes go from worker to worker as they are.
        kit = self._client.submit(bytes, self._text, pure=False)
        # A worker at work is slow to hand on what it has: all have it before the first begins, if none is lost just now.
        with contextlib.suppress(ValueError, OSError, self._distributed.CancelledError):
            self._client.replicate([kit])
        return kit

    def _give(self, number: int, part: bytes, tries: int) -> None:
        future = self._client.submit(_work, self._kit, part, list_versions(), pure=False)
        self._out[future] = (number, part, tries)

    def finish(self) -> list[Any]:
        try:
            left = self._count
            self._fill()
            while left:
                for future in self._wait():
                    number, part, tries = self._out.pop(future)
                    if future.status == "finished":
                        self._dones[number] = pickle.loads(future.result())  # noqa: S301 - written by our own task
                        left -= 1
                        self._progress(f"parts {self._count - left}/{self._count}")
                    elif future.status == "error":
                        raise _error_of(future.exception(), part)
                    else:
                        self._again(number, part, tries)
                    future.release()
                self._fill()
            return self._dones
        finally:
            for future in self._out:
                future.cancel()

    def _fill(self) -> None:
        # Two for each core, that none waits for the next; no more, or all parts would be in memory at once.
        room = 2 * max(sum(self._client.ncores().values()), 1) - len(self._out)
        for _ in range(room):
            following = next(self._parts, None)
            if following is None:
                return
            self._give(*following, 1)

    def _again(self, number: int, part: bytes, tries: int) -> None:
        if tries == _TRIES:
            raise _lost(
                f"a part of the parcels was lost {tries} times.", f"一部分地块的计算任务丢失了 {tries} 次。"
            )
        if self._kit.status not in ("finished", "pending"):
            self._kit = self._send_kit()
        self._give(number, part, tries + 1)

    def _wait(self) -> list[Any]:
        """Parts that have come to an end, one way or the other; at least one."""
        alone_since: float | None = None
        while True:
            # A part that was cancelled is an answer like any other.
            with contextlib.suppress(self._distributed.TimeoutError, self._distributed.CancelledError):
                self._distributed.wait(list(self._out), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
            ended = [future for future in self._out if future.status != "pending"]
            if ended:
                return ended
            if self._client.status != "running":
                raise _lost("the scheduler was lost.", "与调度程序的连接中断。")
            if self._client.ncores():
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
            elif time.monotonic() - alone_since > _PATIENCE_S:
                raise _lost(
                    f"there has been no worker for {_PATIENCE_S:g} s.",
                    f"已有 {_PATIENCE_S:g} 秒没有任何工作进程。",
                )


@lru_cache(maxsize=1)
def _open(kit: bytes) -> Kit:
    # As the command line does: tables make many objects, and hardly any garbage that goes in circles.
    gc.set_threshold(100_000, 50, 50)
    opened: Kit = pickle.loads(kit)  # noqa: S301 - the scheduler is trusted with more
    return opened


def _work(text: bytes, part: bytes, versions: dict[str, str]) -> bytes:
    """What a worker does; one that joined late is looked at here."""
    kit = _open(text)
    faults = _faults_of("", look_around(list(kit.files)), versions)
    if faults:
        raise EngineError(*faults)
    # The tasks of a worker run side by side already: one thread for each of them.
    os.environ.setdefault("LANDPLAN_THREADS", "1")
    return pickle.dumps(do_part(kit, pickle.loads(part)), protocol=5)  # noqa: S301 - the scheduler is trusted with more


def _faults_of(worker: str, seen: Any, versions: dict[str, str] | None = None) -> list[Fault]:
    mine = versions or list_versions()
    at = f"worker {worker}" if worker else "a worker that joined late"
    if isinstance(seen, BaseException):
        return [
            Fault(
                en=f"this worker cannot load landplan {mine['landplan']}: {type(seen).__name__}: {seen}.",
                zh=f"该工作进程无法载入 landplan {mine['landplan']}。",
                at=at,
                mend_en="install the same landplan there: pip install 'landplan[cluster,fast]'",
                mend_zh="在该机器上安装同一版本的 landplan：pip install 'landplan[cluster,fast]'",
            )
        ]
    theirs = seen["versions"]
    differ = [name for name in mine if theirs.get(name) != mine[name]]
    faults = []
    if differ:
        said = ", ".join(f"{name} {theirs.get(name) or '-'}" for name in differ)
        here = ", ".join(f"{name} {mine[name] or '-'}" for name in differ)
        faults.append(
            Fault(
                en=f"this worker has {said}; here it is {here}.",
                zh=f"该工作进程的版本为 {said}，本机为 {here}，量算结果可能不同。",
                at=at,
                mend_en="install the same versions everywhere: pip freeze here, pip install -r there",
                mend_zh="各机器安装相同版本：本机 pip freeze，其他机器 pip install -r",
            )
        )
    if seen["missing"]:
        files = ", ".join(map(str, seen["missing"]))
        faults.append(
            Fault(
                en=f"this worker does not reach {files}.",
                zh=f"该工作进程无法读取 {files}。",
                at=at,
                mend_en="name a folder that all machines reach under one path: --shared",
                mend_zh="用 --shared 指定各机器以同一路径都能访问的文件夹",
            )
        )
    return faults


def _error_of(error: BaseException, part: bytes) -> BaseException:
    if not isinstance(error, import_module("distributed").KilledWorker):
        return error
    return _lost(
        f"a part of the parcels ended every worker it was given to ({len(part) / 2**20:.0f} MB).",
        f"一部分地块使每个接手的工作进程都异常结束（{len(part) / 2**20:.0f} MB）。",
        "give the workers more memory (--memory-limit), or start fewer of them",
        "增大工作进程内存（--memory-limit），或减少工作进程数",
    )


def _lost(en: str, zh: str, mend_en: str = "look at the scheduler and the workers, then run it again",
          mend_zh: str = "检查调度程序和工作进程后重新运行") -> EngineError:  # fmt: skip
    return EngineError(Fault(en=en, zh=zh, mend_en=mend_en, mend_zh=mend_zh))


@contextlib.contextmanager
def _folder_in(shared: Path | None) -> Iterator[Path | None]:
    """An empty folder in the shared one while the work lasts."""
    if shared is None:
        yield None
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix="landplan-", dir=shared.absolute()))
        # Workers may run as another user; what is in there they could be sent anyway.
        folder.chmod(0o755)
    except OSError as error:
        raise EngineError(
            Fault(
                en=f"nothing can be written to the shared folder: {error.strerror}.",
                zh="共享文件夹无法写入。",
                at=str(shared),
                mend_en="name a folder that is there and may be written to",
                mend_zh="指定一个已存在且可写的文件夹",
            )
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_cluster(
    scheduler: str | None = None,
    *,
    workers: int | None = None,
    shared: Path | None = None,
    timeout_s: float = 10.0,
) -> Iterator[DaskEngine]:
    """
    Connect to a scheduler, or start one with workers on this machine.

    Parameters
    ----------
    scheduler : str or None
        Address of a scheduler that runs, ``tcp://10.0.0.5:8786`` or ``tls://...``. Without one, a scheduler and workers
        are started here that listen to this machine alone, by TLS with keys of their own, and end with the work.
    workers : int or None
        How many processes to start here; one for each core by default.
    shared : Path or None
        As for ``DaskEngine``.
    timeout_s : float
        Seconds to wait for the scheduler.

    Yields
    ------
    DaskEngine
        For ``assess(..., engine=...)``.

    Raises
    ------
    UsageError
        If Dask is not installed.
    EngineError
        If the scheduler does not answer.

    Notes
    -----
    Processes are started afresh and import the main module: a script needs ``if __name__ == "__main__":``.
    """
    if find_spec("distributed") is None or (scheduler is None and find_spec("cryptography") is None):
        raise UsageError(
            Fault(
                en="Dask is not installed.",
                zh="没有安装 Dask。",
                mend_en="pip install 'landplan[cluster]'",
                mend_zh="pip install 'landplan[cluster]'",
            )
        )
    distributed: Any = import_module("distributed")
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            here = stack.enter_context(_start_here(workers))
            client = stack.enter_context(distributed.Client(here, direct_to_workers=True))
        else:
            try:
                client = stack.enter_context(distributed.Client(scheduler, timeout=timeout_s))
            except (OSError, ValueError, TypeError, RuntimeError) as error:
                raise EngineError(
                    Fault(
                        en=f"the scheduler does not answer: {error}.",
                        zh="无法连接调度程序。",
                        at=scheduler,
                        mend_en="start it with `dask scheduler`; check address, port, firewall and, for tls://, the keys",
                        mend_zh="用 dask scheduler 启动；核对地址、端口、防火墙，使用 tls:// 时核对密钥",
                    )
                ) from error
        yield DaskEngine(client, shared=shared)


@contextlib.contextmanager
def _start_here(workers: int | None) -> Iterator[Any]:
    dask, distributed = import_module("dask"), import_module("distributed")
    cores = count_threads()
    settings: dict[str, Any] = {
        # Whoever may hand a scheduler work may run any program as its user: loopback, TLS, and no pages.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # By default a process that takes more than 15 s to start again on a busy machine is given up for good.
        "distributed.deploy.lost-worker-timeout": "1h",
        # Nobody looks at where a worker spends its time.
        "distributed.worker.profile.enabled": False,
        **{f"distributed.nanny.pre-spawn-environ.{name}": size for name, size in _ALLOCATOR.items()},
    }
    with (
        dask.config.set(settings),
        tempfile.TemporaryDirectory(prefix="landplan-", ignore_cleanup_errors=True) as folder,
        distributed.LocalCluster(
            n_workers=workers or cores,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=True,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            local_directory=folder,
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster
