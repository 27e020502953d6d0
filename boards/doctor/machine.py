"""The computer as `leeze-boards doctor` reads it: files of Linux below a root folder, which a test can make itself."""

from __future__ import annotations

import grp
import os
import pwd
import re
from pathlib import Path

BOOT_FOLDERS = ("boot/firmware", "boot")
"""Where config.txt lies: Raspberry Pi OS bookworm and later, and before."""

MODEL_WORDS = {
    "raspberry-pi-3": re.compile(r"Raspberry Pi 3"),
    "raspberry-pi-4": re.compile(r"Raspberry Pi (?:4|Compute Module 4)"),
    "raspberry-pi-5": re.compile(r"Raspberry Pi (?:5|Compute Module 5)"),
    "raspberry-pi-zero-2-w": re.compile(r"Raspberry Pi Zero 2"),
}
"""What /proc/device-tree/model says."""


class Machine:
    """One computer.

    Args:
        root: ``/``; another folder in tests.
        user: whose rights count, None: who runs this.
    """

    def __init__(self, root: Path = Path("/"), user: str | None = None) -> None:
        self.root = root
        self.user = user or pwd.getpwuid(os.getuid()).pw_name

    def text(self, path: str) -> str | None:
        """A file's text without trailing zeros and blanks; None where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").rstrip("\0 \n")
        except OSError:
            return None

    def there(self, path: str) -> bool:
        """True where a file, folder or device exists."""
        return (self.root / path.lstrip("/")).exists()

    def glob(self, pattern: str) -> list[Path]:
        """What matches below the root, sorted."""
        return sorted(self.root.glob(pattern))

    def resolved(self, device: str) -> str:
        """A device behind its symlinks: ``"/dev/leeze/radar-1"`` -> ``"/dev/ttyUSB0"``."""
        found = (self.root / device.lstrip("/")).resolve()
        return (
            "/" + found.relative_to(self.root.resolve()).as_posix() if found.is_relative_to(self.root) else str(found)
        )

    @property
    def model(self) -> str:
        """What the device tree says it is; empty on anything but a Raspberry Pi."""
        return self.text("proc/device-tree/model") or ""

    @property
    def is_raspberry(self) -> bool:
        """True on a Raspberry Pi."""
        return "Raspberry Pi" in self.model

    @property
    def boot_folder(self) -> str:
        """Where config.txt and cmdline.txt lie, without the leading slash."""
        return next((folder for folder in BOOT_FOLDERS if self.there(f"{folder}/config.txt")), BOOT_FOLDERS[0])

    def config_lines(self) -> set[str]:
        """Lines of config.txt that are in force on every model, without comments and blanks.

        Sections for other models ([pi4] and the like) are left out; [all] begins again.
        """
        lines, inside = set(), True
        for raw in (self.text(f"{self.boot_folder}/config.txt") or "").splitlines():
            line = raw.partition("#")[0].strip()
            if line.startswith("["):
                inside = line in ("[all]", f"[{self._section}]")
            elif line and inside:
                lines.add(line.replace(" ", ""))
        return lines

    @property
    def _section(self) -> str:
        return next((f"pi{m[1]}" for m in [re.search(r"Raspberry Pi (\d)", self.model)] if m), "pi02")

    def kernel_line(self) -> str:
        """The kernel's command line, as it will be at the next boot."""
        return self.text(f"{self.boot_folder}/cmdline.txt") or self.text("proc/cmdline") or ""

    def groups(self) -> set[str]:
        """Names of the groups that the user is in, by /etc/group."""
        found = set()
        for line in (self.text("etc/group") or "").splitlines():
            name, _, rest = line.partition(":")
            members = rest.rpartition(":")[2].split(",")
            if self.user in members:
                found.add(name)
        if self.root == Path("/"):
            found |= {grp.getgrgid(group).gr_name for group in os.getgroups() if _known(group)}
        return found

    def is_root(self) -> bool:
        """True where the user may do everything."""
        return self.user == "root"

    def holders(self, device: str) -> list[str]:
        """Programs that have a device open, as far as this user may see: ``["ModemManager (812)"]``."""
        wanted = self.resolved(device)
        found = []
        for process in self.glob("proc/[0-9]*"):
            try:
                open_files = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
            except OSError:
                continue
            if wanted in open_files and int(process.name) != os.getpid():
                name = (self.text(f"proc/{process.name}/comm")) or "?"
                found.append(f"{name} ({process.name})")
        return found

    def latency_timer_ms(self, device: str) -> int | None:
        """An FTDI adapter's latency timer; None for other adapters."""
        name = self.resolved(device).rpartition("/")[2]
        text = self.text(f"sys/bus/usb-serial/devices/{name}/latency_timer")
        return int(text) if text is not None and text.isdigit() else None


def _known(group: int) -> bool:
    try:
        grp.getgrgid(group)
    except KeyError:
        return False
    return True
