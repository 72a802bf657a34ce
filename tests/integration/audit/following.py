"""An operator who runs the commands of a runbook."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import Finished, Infra, Stack
from harness.processes import plain_terminal, run, run_program
from plumbline import dsn
from plumbline.doctor.target import SERVICE_URLS
from plumbline.services import SERVICES

RUNBOOKS = Path(__file__).parents[3] / "deploy/runbooks"
_PROGRAMS = {"plumbline": "plumbline", **{service.name: service.package for service in SERVICES}}
_OF_THE_SHELL = re.compile(r"[|&;<>()$`*?\[\]{}~#\\\n]")


class Operator:
    """Runs the commands of a page, section by section, in a shell with the commands of this installation.

    Args:
        runbook: name of the page.
        stack: the stack whose addresses the commands get.
        infra: the servers of the stack.
        folder: working directory of the shell.
        words: values for the page's placeholders in capitals.
    """

    def __init__(
        self, runbook: str, stack: Stack, infra: Infra, folder: Path, words: Mapping[str, str] | None = None
    ) -> None:
        self._page = (RUNBOOKS / runbook).read_text(encoding="utf-8")
        self._folder = folder
        self._words = dict(words or {})
        own = stack.environment()
        self._environment = {
            **plain_terminal(own),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}",
            dsn.ADMIN_VARIABLE: infra.admin_dsn("postgres"),
            **{variable: stack.url(name) for name, variable in SERVICE_URLS.items() if stack.services(name)},
            "PLUMBLINE_STATE": str(folder / "no-stack-here"),
        }

    async def follow(self, heading: str) -> Sequence[Finished]:
        """Run the commands below a heading and return their results."""
        section = self._page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        commands = "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)).splitlines()
        assert commands, heading
        return [await self._do(command) for command in commands]

    async def _do(self, command: str) -> Finished:
        for word, value in self._words.items():
            command = re.sub(rf"\b{word}\b", lambda _, text=value: text, command)
        done = await self._run(command)
        assert "\x1b" not in done.stdout + done.stderr, "a pipe gets no colours"
        return done

    async def _run(self, command: str) -> Finished:
        """Run a command in a shell. A program of ours on its own is forked, in a tenth of the CPU time."""
        program, *arguments = shlex.split(command)
        if program not in _PROGRAMS or _OF_THE_SHELL.search(command):
            return await run(["bash", "-c", f"cd {self._folder} && {command}"], self._environment)
        # A forked process has no language already.
        environment = {name: value for name, value in self._environment.items() if name != "LANG"}
        return await run_program(_PROGRAMS[program], arguments, environment, directory=self._folder)
