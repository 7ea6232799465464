"""One bare clone without trees: what it is asked for, and how it is fetched into. All methods run git, and may run at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ecs_release.commits_service import remote
from ecs_release.commits_service.git import LOCAL, Done, Git, GitError, Settings
from ecs_release.commits_service.names import branch_ref, commit_ref, is_full_hash
from ecs_release.domain.ports.commits import MOST_CANDIDATES, MOST_LISTED, Commit, UnknownReason

_LOG_FORMAT = "--format=%H%n%ct%n%an%n%s"
_LOG_BYTES = 8 * 1024 * 1024
_SUBJECT, _AUTHOR = 200, 100
_DISAMBIGUATED = 1000
_SIZE_INTERVAL_S = 0.5
_MANY_PACKS, _TOO_MANY_PACKS = 40, 400
_UPKEEP_S = 300.0
_FETCH = (
    "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
    "--no-show-forced-updates", "--filter=tree:0", "--end-of-options", "origin",
)  # fmt: skip

TooLarge = Callable[[int], str]
"""Tells by a clone's size why it is too large; empty if it is not."""


class FetchError(Exception):
    """A fetch that has brought nothing, with the reason and a message for people."""

    def __init__(self, reason: UnknownReason, message: str) -> None:
        """`message` goes to people as it is."""
        super().__init__(message)
        self.reason = reason
        self.message = message


class Clone:
    """A bare repository in a folder that may vanish at any time: then nothing is found in it, and it is made again."""

    def __init__(self, git: Git, folder: Path, query_s: float) -> None:
        """`query_s` bounds each answer."""
        self._git = git
        self._query_s = query_s
        self.folder = folder
        self.size = 0

    # Answers: none of these reaches the network.

    async def counts(self, a: str, b: str) -> tuple[int, int] | None:
        """Count the commits that only A has, and those that only B has; None if either is not here."""
        done = await self._ask("rev-list", "--left-right", "--count", "--stdin", stdin=f"{a}...{b}\n".encode())
        numbers = done.stdout.split()
        if done.code or len(numbers) != 2:
            return None
        return int(numbers[0]), int(numbers[1])

    async def present(self, hashes: Sequence[str]) -> set[str]:
        """Return which of some full hashes are commits that are here."""
        lines = "".join(f"{h}\n" for h in hashes).encode()
        done = await self._ask("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=lines)
        rows = (line.split() for line in done.stdout.decode(errors="replace").splitlines())
        return {row[0] for row in rows if row[1:] == ["commit"]}

    async def tip(self, branch: str) -> str | None:
        """Return the newest commit of a branch as it was fetched; None if it was not."""
        done = await self._query("rev-parse", "--verify", "--quiet", "--end-of-options", f"{branch_ref(branch)}^{{commit}}")
        text = done.stdout.decode(errors="replace").strip()
        return text if not done.code and is_full_hash(text) else None

    async def log(self, a: str, b: str) -> tuple[Commit, ...] | None:
        """List the newest commits that B has and A has not; None if either is not here."""
        arguments = ("log", "-z", _LOG_FORMAT, f"--max-count={MOST_LISTED}", "--no-color", "--no-decorate", "--no-notes", "--no-mailmap")
        done = await self._query(*arguments, "--end-of-options", f"{a}..{b}", "--", most_bytes=_LOG_BYTES)
        if done.code:
            return None
        return tuple(_commit(entry) for entry in done.stdout.decode(errors="replace").split("\0") if entry)

    async def beginning_with(self, abbreviated: str) -> list[str]:
        """List commits whose hash begins so, a few at most."""
        done = await self._query("rev-parse", f"--disambiguate={abbreviated}")
        found = [h for h in done.stdout.decode(errors="replace").split() if is_full_hash(h)]
        return sorted(await self.present(found[:_DISAMBIGUATED]))[: MOST_CANDIDATES + 1] if found else []

    async def _query(self, *arguments: str, most_bytes: int = 1024 * 1024) -> Done:
        return await self._git.run(arguments, folder=self.folder, deadline_s=self._query_s, most_bytes=most_bytes)

    async def _ask(self, *arguments: str, stdin: bytes) -> Done:
        return await self._git.ask(arguments, stdin, folder=self.folder, deadline_s=self._query_s)

    async def is_whole(self, tip: str, without: str = "", deadline_s: float = 0) -> bool:
        """Return whether a commit is here with all its ancestors, but for those of `without`: as objects, not by the commit-graph file."""
        excluded = [f"^{without}"] if without else []
        arguments = ["rev-list", "--count", "--end-of-options", tip, *excluded, "--"]
        settings = (*LOCAL, ("core.commitGraph", "false"))
        done = await self._git.run(arguments, folder=self.folder, deadline_s=deadline_s or self._query_s, settings=settings)
        return not done.code

    # Fetches: one at a time, which the caller sees to.

    async def exists(self) -> bool:
        """Return whether the clone is there: the folder may have been lost."""
        return await asyncio.to_thread((self.folder / "HEAD").is_file)

    async def create(self) -> None:
        """Make an empty repository. Raises FetchError."""
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        await asyncio.to_thread(self.folder.parent.mkdir, parents=True, exist_ok=True)
        done = await self._git.run(["init", "--quiet", "--bare", "--template=", "--object-format=sha1"], folder=self.folder, deadline_s=30)
        if done.code:
            raise FetchError(UnknownReason.UNREADABLE, f"cannot make a clone: {remote.message(done)}")

    async def delete(self) -> None:
        """Delete the folder."""
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        self.size = 0

    async def fetch_branch(self, branch: str, settings: Settings, deadline_s: float, too_large: TooLarge) -> str:
        """Fetch a branch, rewritten ones too; returns its newest commit, which is here with all its ancestors. Raises FetchError."""
        former = await self.tip(branch)
        await self._fetch(f"+refs/heads/{branch}:{branch_ref(branch)}", settings, deadline_s, too_large)
        tip = await self.tip(branch)
        # Git itself does not ask for that where trees may be missing.
        if tip is None or not await self.is_whole(tip, former or "", max(deadline_s, self._query_s)):
            await self.delete()
            raise FetchError(UnknownReason.UNREADABLE, "not all of its commits were sent: the repository may be shallow, or broken")
        return tip

    async def fetch_commit(self, commit: str, settings: Settings, deadline_s: float, too_large: TooLarge) -> None:
        """Fetch a commit by its full hash. Raises FetchError."""
        await self._fetch(f"+{commit}:{commit_ref(commit)}", settings, deadline_s, too_large)

    async def _fetch(self, refspec: str, settings: Settings, deadline_s: float, too_large: TooLarge) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                await self._watched([*_FETCH, refspec], settings, deadline_s, too_large)
        except (TimeoutError, GitError) as error:
            await self._tidy()
            text = str(error) or f"git fetch took longer than {deadline_s:g} s"
            raise FetchError(UnknownReason.UNREADABLE, text) from error
        except FetchError:
            await self._tidy()
            raise

    async def _watched(self, arguments: Sequence[str], settings: Settings, deadline_s: float, too_large: TooLarge) -> None:
        """Fetch, and look at the size meanwhile."""
        fetch = asyncio.create_task(self._checked(arguments, settings, deadline_s))
        try:
            while not fetch.done():
                await asyncio.wait([fetch], timeout=_SIZE_INTERVAL_S)
                self.size = await asyncio.to_thread(folder_size, self.folder)
                if why := too_large(self.size):
                    raise FetchError(UnknownReason.TOO_LARGE, why)
            fetch.result()
        finally:
            fetch.cancel()
            await asyncio.wait([fetch])

    async def _checked(self, arguments: Sequence[str], settings: Settings, deadline_s: float) -> None:
        """Fetch what is checked as it comes, or else afterwards."""
        done = await self._git.run(arguments, folder=self.folder, deadline_s=deadline_s, settings=settings)
        if done.code and remote.is_unchecked(done):
            # Of a partial clone git refuses old faults, too, whatever the settings: fetched without, the whole clone is checked.
            unchecked = tuple((name, "false" if name == "transfer.fsckObjects" else value) for name, value in settings)
            done = await self._git.run(arguments, folder=self.folder, deadline_s=deadline_s, settings=unchecked)
            if not done.code:
                checking = ["fsck", "--no-dangling", "--no-progress", "--no-reflogs"]
                done = await self._git.run(checking, folder=self.folder, deadline_s=deadline_s, settings=remote.OLD_FAULTS_CHECKED)
                if done.code:
                    await self.delete()
        if done.code:
            is_branch = arguments[-1].startswith("+refs/heads/")
            raise FetchError(remote.fault(done, is_branch=is_branch), remote.message(done))

    async def maintain(self, too_large: TooLarge) -> None:
        """Write the commit-graph file, and pack anew what has become many packs. What fails here only makes answers slower."""
        packs = await asyncio.to_thread(lambda: len(list((self.folder / "objects" / "pack").glob("*.pack"))))
        try:
            if packs > _MANY_PACKS:
                await self._repack(packs, too_large)
            await self._git.run(["commit-graph", "write", "--reachable", "--no-progress"], folder=self.folder, deadline_s=_UPKEEP_S)
        finally:
            await self._tidy()

    async def _repack(self, packs: int, too_large: TooLarge) -> None:
        """Pack anew, if there is room for the old packs beside the new one; without it, far too many are deleted, and fetched as one."""
        if not too_large(2 * self.size):
            await self._git.run(["repack", "-a", "-d", "-q"], folder=self.folder, deadline_s=_UPKEEP_S)
        elif packs > _TOO_MANY_PACKS:
            await self.delete()

    async def _tidy(self) -> None:
        """Delete what a fetch or a repack that was ended has left behind."""
        await asyncio.to_thread(_delete_temporary, self.folder)
        self.size = await asyncio.to_thread(folder_size, self.folder)


def folder_size(folder: Path) -> int:
    """Add up the sizes of all files in a folder; those that vanish meanwhile have none."""
    total = 0
    for above, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                its = (Path(above) / name).lstat()
                total += max(its.st_size, its.st_blocks * 512)
    return total


def _delete_temporary(folder: Path) -> None:
    for path in (*folder.glob("objects/pack/tmp_*"), *folder.glob("objects/tmp_*"), *folder.glob("**/*.lock")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _commit(entry: str) -> Commit:
    commit, seconds, author, subject = (*entry.split("\n", 3), "", "", "")[:4]
    return Commit(commit, remote.printable(subject, _SUBJECT), remote.printable(author, _AUTHOR), _time(seconds))


def _time(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
