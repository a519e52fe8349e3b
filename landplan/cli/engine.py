"""Options that say where the steps of a check are run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landplan.errors import Fault, UsageError

if TYPE_CHECKING:
    from landplan.steps import Engine

__all__ = ["engine_options", "open_engine"]


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--engine``, ``--scheduler``, ``--workers`` and ``--shared`` to a command."""
    for option in (
        click.option(
            "--shared", type=click.Path(path_type=Path, file_okay=False),
            help="各机器以同一路径可读的文件夹，多台机器时必须 / folder all machines reach under one path",
        ),
        click.option(
            "--workers", type=click.IntRange(min=1), help="在本机启动几个工作进程，默认每核一个 / processes to start here"
        ),
        click.option("--scheduler", help="已有 Dask 调度程序的地址 / address of a running scheduler"),
        click.option(
            "--engine", type=click.Choice(["local", "dask"]), default="local", show_default=True,
            help="在哪里计算：本进程，或 Dask 集群 / here, or on a Dask cluster",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@contextlib.contextmanager
def open_engine(
    engine: str, scheduler: str | None, workers: int | None, shared: Path | None
) -> Iterator[Engine | None]:
    """Give the engine the options ask for while the work lasts; None for this process."""
    if engine == "local":
        given = {"--scheduler": scheduler, "--workers": workers, "--shared": shared}
        if any(value is not None for value in given.values()):
            names = " ".join(name for name, value in given.items() if value is not None)
            raise UsageError(
                Fault(
                    en=f"{names} belongs to the engine dask.",
                    zh=f"{names} 只用于 Dask 集群。",
                    mend_en="add --engine dask",
                    mend_zh="加上 --engine dask",
                )
            )
        yield None
        return
    if scheduler is not None and workers is not None:
        raise UsageError(
            Fault(
                en="--workers starts processes here; a scheduler that runs has its own.",
                zh="--workers 用于在本机启动进程，已有的调度程序自带工作进程。",
                mend_en="leave out --workers or --scheduler",
                mend_zh="--workers 与 --scheduler 只写一个",
            )
        )
    from landplan.engines import open_cluster

    with open_cluster(scheduler, workers=workers, shared=shared) as cluster:
        yield cluster
