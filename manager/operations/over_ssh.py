"""Scripts and commands on a machine that has no agent, as the plugin ``fabric`` runs them for users.

``fabric_env``: where and how to log in (see ``ssh_connection``). What runs there ends with the connection:
when the operation is killed, or its time is over, or this manager dies.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError
from cloudify.proxy.client import CTX_SOCKET_URL, ScriptException
from script_runner import tasks

from manager.operations.remote import Remote
from manager.operations.scripts import CtxServer, temporary_folder
from manager.operations.ssh_connection import connected, target_of

Json = dict[str, Any]


@operation
def run_script(  # noqa: PLR0913  # inputs have names
    ctx: Any,
    script_path: str,
    fabric_env: Json | None = None,
    process: Json | None = None,
    use_sudo: bool = False,  # noqa: FBT001, FBT002
    non_recoverable_error_exit_codes: Sequence[int] = (),
    **inputs: Any,
) -> Any:
    """Run a script of the blueprint's archive over there; its inputs are its environment.

    ``process``: ``env``, ``cwd``, ``args``, ``command_prefix``; ``ctx_proxy_type``: ``none`` for no ``ctx``.
    """
    options = tasks.create_process_config(dict(process or {}), inputs)

    def execute(path: str, ctx: Any, options: Json) -> None:
        with _machine(ctx, fabric_env) as remote:
            script = remote.put(Path(script_path).name, Path(path).read_bytes())
            words = [options.get("command_prefix"), shlex.quote(script), *(options.get("args") or ())]
            command = " ".join(str(word) for word in words if word)
            with _ctx(ctx, remote, options) as address:
                environment = {**options["env"], **address}
                more = _options(fabric_env, options, use_sudo)
                code, _, errors = remote.run(command, environment, **more, say=_say(ctx))
        _check(ctx, script_path, code, errors, non_recoverable_error_exit_codes)

    with temporary_folder() as folder:
        path = ctx.download_resource(script_path, str(Path(folder, Path(script_path).name)))
        return tasks.process_execution(execute, path, ctx, options)


@operation
def run_commands(  # noqa: PLR0913
    ctx: Any,
    commands: Sequence[str],
    fabric_env: Json | None = None,
    process: Json | None = None,
    use_sudo: bool = False,  # noqa: FBT001, FBT002
    non_recoverable_error_exit_codes: Sequence[int] = (),
    **_: Any,
) -> list[str]:
    """Run one command after the other over there; what each has printed."""
    options = tasks.create_process_config(dict(process or {}), {})
    printed = []
    ctx._return_value = None  # noqa: SLF001  # as for a script
    with _machine(ctx, fabric_env) as remote:
        for command in commands:
            more = _options(fabric_env, options, use_sudo)
            code, output, errors = remote.run(command, options["env"], **more, say=_say(ctx))
            _check(ctx, command, code, errors, non_recoverable_error_exit_codes)
            printed.append(output)
    return printed


@contextmanager
def _machine(ctx: Any, fabric_env: Mapping[str, Any] | None) -> Iterator[Remote]:
    with connected(ctx, target_of(ctx, fabric_env)) as connection:
        remote = Remote(connection)
        try:
            yield remote
        finally:
            remote.close()


@contextmanager
def _ctx(ctx: Any, remote: Remote, options: Json) -> Iterator[dict[str, str]]:
    """What a script over there needs to use the command ``ctx``, which asks us through the connection."""
    if options.get("ctx_proxy_type") == "none":
        yield {}
        return
    server = CtxServer(ctx)
    try:
        address = remote.forward(server.port)
        if address is None:
            ctx.logger.warning("The machine forwards no ports: the script cannot use the command ctx.")
            yield {}
        else:
            remote.put_ctx()
            yield {CTX_SOCKET_URL: address}
    finally:
        server.close()


def _options(fabric_env: Mapping[str, Any] | None, options: Json, use_sudo: object) -> Json:
    timeout_s = (fabric_env or {}).get("command_timeout")
    return {
        "cwd": options.get("cwd"),
        "sudo": bool(use_sudo),
        "timeout_s": None if timeout_s is None else float(timeout_s),
    }


def _say(ctx: Any) -> Any:
    return (
        lambda line: ctx.logger.info("<out> %s", line),
        lambda line: ctx.logger.info("<err> %s", line),
    )


def _check(ctx: Any, what: str, code: int, errors: str, for_good: Sequence[int]) -> None:
    if isinstance(ctx._return_value, RuntimeError):  # noqa: SLF001  # as script_runner does
        raise NonRecoverableError(str(ctx._return_value))  # noqa: SLF001
    if code == 0 or isinstance(ctx._return_value, ScriptException):  # noqa: SLF001
        return
    if code in for_good:
        raise NonRecoverableError(f"{what} ended with exit code {code}: {errors}")
    raise tasks.ProcessException(what, code, stderr=errors)
