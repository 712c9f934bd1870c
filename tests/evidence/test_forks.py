"""Hooks on forks that can be taken back, in children of a process of their own."""

import os
import subprocess
import sys

PROGRAM = """
import gc, os, weakref
from pytest_spiral.evidence.forks import at_fork

class Session:
    def told(self):
        told.append(os.getpid())

def fork():
    child = os.fork()
    if not child:
        os._exit(len(told))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

told, session = [], Session()
kept = weakref.ref(session)
let_go = {register}(before=session.told, after_in_parent=session.told, after_in_child=session.told)
print(fork(), len(told))
if let_go is not None:
    let_go()
    let_go()
del session
gc.collect()
print(fork(), len(told), kept() is None)
"""


def _said(register: str) -> list[str]:
    program = PROGRAM.format(register=register)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_hooks_are_called_until_they_are_let_go_and_are_held_no_longer() -> None:
    """Before and in the child make two in the child, before and in the parent two in the parent."""
    assert _said("at_fork") == ["2 2", "2 2 True"]


def test_pythons_own_registration_holds_them_for_ever() -> None:
    """The control: what has to be let go."""
    assert _said("os.register_at_fork") == ["2 2", "4 4 False"]
