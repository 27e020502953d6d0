"""Pseudo-terminals of this process alone, where it may have them.

A program that has lost its port opens it again by name. Where several test processes share the machine's terminals, the
number may by then be somebody else's, and root is not held off by exclusive use.
"""

from __future__ import annotations

import ctypes

_CLONE_NEWNS = 0x0002_0000
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000


def take_own_terminals() -> bool:
    """Give the calling thread and what it starts a /dev/pts of their own; False where the kernel does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        return False
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) and libc.mount(
        b"none", b"/dev", None, _MS_REC | _MS_PRIVATE, None
    ):  # in a chroot the root is no mount; what is mounted below it is
        return False
    return not libc.mount(b"devpts", b"/dev/pts", b"devpts", 0, b"newinstance,ptmxmode=0666,mode=620")
