"""Commands on the machine of an agent, over SSH. Each of them can be repeated."""

from __future__ import annotations

import json
import shlex
import shutil
from typing import IO, Any

import paramiko
from cloudify.exceptions import NonRecoverableError, RecoverableError

from manager.agents.packing import Platform

COMMAND_S = 120.0
CARRY_S = 300.0
PIECE = 256 * 1024

FIND_PYTHON = """
for python in {wanted} python3; do
    if command -v "$python" >/dev/null 2>&1; then
        "$python" -c 'import json, platform, ssl, sqlite3, sys
print(json.dumps([sys.executable, "%d.%d" % sys.version_info[:2], platform.machine()]))' && exit 0
    fi
done
exit 1
"""
CARRY = """
set -e; umask 077; mkdir -p {home}; rm -rf {home}/lib.new; mkdir {home}/lib.new
tar -xzf - -C {home}/lib.new; echo {digest} > {home}/lib.new/digest
rm -rf {home}/lib.old; if [ -d {home}/lib ]; then mv {home}/lib {home}/lib.old; fi
mv {home}/lib.new {home}/lib; rm -rf {home}/lib.old
"""
WRITE = (
    "set -e; umask 077; mkdir -p {folder}; cat > {path}.new; chmod {mode} {path}.new; mv {path}.new {path}"
)


class Machine:
    """A machine that is connected. Raises ``RecoverableError`` when a command fails there."""

    def __init__(self, connection: paramiko.SSHClient, folder: str) -> None:
        """``folder``: where the agent lives; what is relative begins at the user's home."""
        transport = connection.get_transport()
        if transport is None:
            raise RecoverableError("The connection is closed already.")
        self._transport = transport
        self.home = folder if folder.startswith("/") else f"{self.say('cd && pwd').strip()}/{folder}"

    def say(self, command: str, content: IO[bytes] | bytes = b"", within_s: float = COMMAND_S) -> str:
        """What a command prints; ``content`` is its input."""
        code, output, errors = self.ask(command, content, within_s)
        if code != 0:
            raise RecoverableError(f"The machine refused '{command.strip()}' ({code}): {errors}{output}")
        return output

    def ask(
        self, command: str, content: IO[bytes] | bytes = b"", within_s: float = COMMAND_S
    ) -> tuple[int, str, str]:
        """The exit code of a command, and what it printed."""
        channel = self._transport.open_session(timeout=COMMAND_S)
        try:
            channel.settimeout(within_s)
            channel.exec_command(f"sh -c {shlex.quote(command)}")
            if isinstance(content, bytes):
                channel.sendall(content)
            else:
                with channel.makefile_stdin("wb") as target:
                    shutil.copyfileobj(content, target, PIECE)
            channel.shutdown_write()
            output = channel.makefile().read()
            errors = channel.makefile_stderr().read()
            return channel.recv_exit_status(), _text(output), _text(errors)
        except TimeoutError as error:
            raise RecoverableError(f"The machine does not end '{command.strip()}'.") from error
        finally:
            channel.close()

    def python(self, wanted: Platform) -> str:
        """The Python there that runs our code. Raises ``NonRecoverableError``: there is none."""
        code, output, errors = self.ask(FIND_PYTHON.format(wanted=f"python{wanted.python}"))
        if code != 0:
            raise NonRecoverableError(
                f"An agent needs {wanted}, with the modules ssl and sqlite3. The machine has none: {errors}"
            )
        path, version, machine = json.loads(output)
        if Platform(version, machine) != wanted:
            raise NonRecoverableError(
                f"The machine has Python {version} on {machine}, and an agent needs {wanted}. "
                f"Install python{wanted.python} there, or install an agent by hand."
            )
        return str(path)

    def carry(self, package: IO[bytes], digest: str) -> None:
        """Have the code there, all of it or what was there before."""
        home = shlex.quote(self.home)
        self.say(CARRY.format(home=home, digest=digest), package, CARRY_S)

    def carried(self) -> str:
        """The digest of the code that is there; empty: there is none."""
        return self.ask(f"cat {shlex.quote(self.home)}/lib/digest")[1].strip()

    def write(self, name: str, text: str, mode: str = "600") -> None:
        """Have a file with this content."""
        path = f"{self.home}/{name}"
        folder = path.rpartition("/")[0]
        command = WRITE.format(folder=shlex.quote(folder), path=shlex.quote(path), mode=mode)
        self.say(command, text.encode())

    def agent(self, command: str) -> str:
        """A command of ``cfy_agent``."""
        return self.say(f"{shlex.quote(self.home)}/bin/cfy_agent {command}")

    def remove(self) -> None:
        """Stop the agent, if there is one, and remove all of it."""
        program = f"{shlex.quote(self.home)}/bin/cfy_agent"
        self.say(f"if [ -x {program} ]; then {program} stop || exit 1; fi; rm -rf {shlex.quote(self.home)}")


def _text(content: Any) -> str:
    return str(content, errors="replace")
