"""Where a trace comes from: written into every file, so that it can be run again years later."""

from __future__ import annotations

import hashlib
import platform
import shutil
from pathlib import Path

import msgspec

DISTRIBUTION = "leeze"
_GIT_DEADLINE_S = 5


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What made a trace.

    `version` of the distribution, e.g. ``"0.1.0"``; `revision` of its checkout, None where it runs from no checkout;
    `dirty` if files of the checkout were changed. `boards` and `sites`: name -> digest of the file. `period_ns`: the
    scan period, 0 if nothing was scanned. `created_utc`: ISO 8601, empty if nobody knew. `base_ns`: MCAP log time minus
    monotonic time, so that viewers show wall time; 0 where it was not known.
    """

    version: str = ""
    revision: str | None = None
    dirty: bool = False
    python: str = ""
    boards: dict[str, str] = {}
    sites: dict[str, str] = {}
    configuration_digest: str = ""
    period_ns: int = 0
    created_utc: str = ""
    base_ns: int = 0

    def to_metadata(self) -> dict[str, str]:
        """As MCAP metadata: text to text, tables as ``boards/NAME``; what is not known is left out."""
        flat: dict[str, str] = {}
        for key, value in msgspec.to_builtins(self).items():
            if isinstance(value, dict):
                flat.update({f"{key}/{name}": digest for name, digest in value.items()})
            elif isinstance(value, bool):
                flat[key] = "true" if value else "false"
            elif value is not None:
                flat[key] = str(value)
        return flat

    @classmethod
    def from_metadata(cls, flat: dict[str, str]) -> Provenance:
        """Back from MCAP metadata; unknown keys are passed over. Raises msgspec.ValidationError."""
        built: dict[str, object] = {}
        for key, text in flat.items():
            table, slash, name = key.partition("/")
            if slash:
                inner = built.setdefault(table, {})
                assert isinstance(inner, dict)
                inner[name] = text
            else:
                built[key] = text
        return msgspec.convert(built, cls, strict=False)


def collect(
    *,
    boards: dict[str, str] | None = None,
    sites: dict[str, str] | None = None,
    configuration_digest: str = "",
    period_ns: int = 0,
    utc_ns: int | None = None,
    now_ns: int = 0,
) -> Provenance:
    """Provenance of a run that starts now. `utc_ns` is the wall time at monotonic `now_ns`, None if not known."""
    import importlib.metadata

    try:
        version = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    revision, dirty = git_state(Path(__file__))
    return Provenance(
        version=version,
        revision=revision,
        dirty=dirty,
        python=platform.python_version(),
        boards=boards or {},
        sites=sites or {},
        configuration_digest=configuration_digest,
        period_ns=period_ns,
        created_utc="" if utc_ns is None else _iso(utc_ns),
        base_ns=0 if utc_ns is None else max(0, utc_ns - now_ns),
    )


def file_digest(path: Path) -> str:
    """sha256 of a file as hex, e.g. of a board file. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git_state(source: Path) -> tuple[str | None, bool]:
    """(revision, changed?) of the checkout that tracks `source`; (None, False) where there is none."""
    tracked = _git(source, "ls-files", "--error-unmatch", source.name)
    revision = _git(source, "rev-parse", "HEAD") if tracked is not None else None
    if revision is None:
        return None, False
    return revision, bool(_git(source, "status", "--porcelain", "--untracked-files=no"))


def _git(source: Path, *words: str) -> str | None:
    import subprocess

    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            [git, "--no-optional-locks", "-C", str(source.parent), *words],
            capture_output=True,
            timeout=_GIT_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _iso(utc_ns: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC).isoformat()
