"""The command line: thin doors to the library."""

from __future__ import annotations

import gc
import os
import sys
import traceback

import click

# Commands join their group as their modules are read.
from landplan.cli import annual, files, holds, judged, ledger, readiness, record, registers, supply, tools
from landplan.cli.app import cli
from landplan.errors import LandplanError
from landplan.issues import clean_text

__all__ = [
    "annual",
    "cli",
    "files",
    "holds",
    "judged",
    "ledger",
    "main",
    "readiness",
    "record",
    "registers",
    "supply",
    "tools",
]


def _in_chinese(error: click.ClickException) -> str:
    """What click says in English only."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    help_of = f"{context.command_path} --help" if context else "landplan --help"
    parameter = getattr(error, "param", None)
    named = (
        parameter.get_error_hint(context).strip("'")
        if isinstance(parameter, click.Parameter) and context
        else ""
    )
    if isinstance(error, click.NoSuchOption):
        said = f"没有选项 {clean_text(error.option_name)}"
    elif isinstance(error, click.MissingParameter):
        said = f"缺少 {named or '参数'}"
    elif isinstance(error, click.BadParameter):
        said = f"{named or '参数'} 的取值不对"
    elif "No such command" in error.message:
        said = "没有这个命令"
    else:
        said = "命令写法不对"
    return f"{said}。运行 {help_of} 查看写法。"


def main(arguments: list[str] | None = None) -> None:
    """
    Run the command line and leave with the exit code the README promises.

    Parameters
    ----------
    arguments : list of str or None
        Words of the command; those of the process where None.

    Notes
    -----
    0 done; 1 ``--strict`` and something not ready; 2 wrong use; 3 unusable data; 4 our own fault.
    """
    # A run makes a million small objects that live to its end: looking through them again and again finds nothing.
    gc.set_threshold(100_000, 50, 50)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A parcel's name may hold a character that cp936 lacks; a question mark there must not end the batch.
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(args=arguments, prog_name="landplan", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if error.format_message() and not isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(f"用法有误：{_in_chinese(error)}", err=True)
        code = 2
    except click.Abort:
        code = 2
    except LandplanError as error:
        from landplan.console import print_fault

        print_fault(error)
        code = error.exit_code
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # the last wall: our own fault is said as such, with what support needs
        if os.environ.get("LANDPLAN_DEBUG"):
            traceback.print_exc()
        click.echo(
            f"InternalError: {type(error).__name__}: {clean_text(str(error))}\n"
            "  landplan 自身出错，请把这一行和 landplan doctor 的输出发给维护者；设 LANDPLAN_DEBUG=1 可看详情。\n"
            "  this is a fault of landplan; send this line and the output of landplan doctor; LANDPLAN_DEBUG=1 shows more.",
            err=True,
        )
        code = 4
    sys.exit(code if isinstance(code, int) else 0)
