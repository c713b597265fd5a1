"""A new user's path with a real mouse and a real keyboard: open, restore, compare, save.

    python hands.py --folder shots --size 1366x768 --theme dark

starts a screen (Xvfb), a window manager (openbox) and napari, and does with xdotool what a person
does who opens a 16-bit stack for the first time, with a picture of the screen after each step.
Nothing is called in napari: `eyes` only says where things stand. Prints the clicks and keys that
each step took; the exit status is 0 if the saved file holds the restored stack.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tifffile
from images import _cells

HERE = Path(__file__).parent
NEEDED = ("Xvfb", "openbox", "xdotool", "import")
PATIENCE = 90.0

Thing = dict[str, Any]


class Screen:
    """A screen with a window manager, as long as the ``with`` lasts.

    Parameters
    ----------
    size : str
        Such as ``"1366x768"``.
    """

    def __init__(self, size: str) -> None:
        self.size = size
        self._running: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> dict[str, str]:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{self.size}x24"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._running.append(subprocess.Popen(command, pass_fds=[write], **quiet))
        os.close(write)
        with os.fdopen(read) as lines:
            number = lines.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{number}", "OMP_NUM_THREADS": "1"}
        self._running.append(subprocess.Popen(["openbox"], env=environment, **quiet))
        return environment

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait()


class Person:
    """Sees by `eyes`, acts by xdotool, and counts what it costs.

    Parameters
    ----------
    environment : dict
        With the display.
    sight : Path
        What `eyes` writes.
    folder : Path
        Of the pictures.
    """

    def __init__(self, environment: dict[str, str], sight: Path, folder: Path) -> None:
        self.environment, self.sight, self.folder = environment, sight, folder
        self.clicks = self.keys = self.pictures = 0
        self.log: list[str] = []

    def look(self) -> list[Thing]:
        """Return what is on the screen now."""
        try:
            view = json.loads(self.sight.read_text())
        except (OSError, ValueError):
            return []
        if view["errors"]:
            raise AssertionError(f"napari told an error: {view['errors']}")
        things: list[Thing] = view["seen"]
        return things

    def wait(self, until: Callable[[list[Thing]], Any], what: str) -> Any:
        """Wait until something is seen, and return it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := until(self.look()):
                return found
            time.sleep(0.2)
        self.picture("in-vain")
        print(*(f"{thing['kind']}: {thing['text']!r}" for thing in self.look()), sep="\n")
        raise AssertionError(f"waited in vain for {what}")

    def find(self, text: str, *kinds: str) -> Thing:
        """Wait for a thing with these words that can be used."""

        def there(things: list[Thing]) -> Thing | None:
            return next(
                (
                    thing
                    for thing in things
                    if _says(thing, text)
                    and thing["enabled"]
                    and (not kinds or thing["kind"] in kinds)
                ),
                None,
            )

        found: Thing = self.wait(there, f"{text!r} {kinds}")
        return found

    def click(self, text: str, *kinds: str) -> None:
        """Click a thing in its middle; whatever hides it or moves it off the screen is a fault."""
        self.find(text, *kinds)
        time.sleep(0.6)  # until all has come to rest
        x, y, width, height = self.find(text, *kinds)["place"]
        self._act("mousemove", str(x + min(width // 2, 60)), str(y + height // 2))
        time.sleep(0.2)
        self._act("click", "1")
        self.clicks += 1

    def double_click(self, x: int, y: int) -> None:
        """Click twice at a place of the screen."""
        self._act("mousemove", str(x), str(y), "click", "--repeat", "2", "--delay", "80", "1")
        self.clicks += 1

    def drag(self, text: str, kind: str, share: float) -> None:
        """Drag a slider's handle from its middle to a share of its length."""
        x, y, width, height = self.find(text, kind)["place"]
        middle = str(y + height // 2)
        self._act("mousemove", str(x + width // 2), middle, "mousedown", "1")
        for step in range(1, 9):
            place = x + width * (0.5 + (share - 0.5) * step / 8)
            self._act("mousemove", str(round(place)), middle)
            time.sleep(0.05)
        self._act("mouseup", "1")
        self.clicks += 1

    def press(self, *keys: str) -> None:
        """Press keys, such as ``ctrl+o``."""
        for key in keys:
            self._act("key", key)
            self.keys += 1
            time.sleep(0.2)

    def write(self, text: str) -> None:
        """Type a text."""
        self._act("type", "--delay", "12", text)
        self.keys += 1

    def picture(self, name: str) -> None:
        """Take a picture of the whole screen."""
        time.sleep(1.0)
        self.pictures += 1
        path = self.folder / f"{self.pictures}-{name}.png"
        command = ["import", "-window", "root", str(path)]
        subprocess.run(command, env=self.environment, check=True)

    def done(self, step: str) -> None:
        """End a step: say what it took."""
        self.log.append(f"{step}: {self.clicks} clicks, {self.keys} keys or texts")
        print(self.log[-1], flush=True)
        self.clicks = self.keys = 0
        self.picture(step)

    def _act(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self.environment, check=True)


def path_of_a_new_user(person: Person, source: Path, saved: Path) -> None:
    """Open, restore, compare, save."""
    x, y, *_ = person.find("File", "QMenuBar")["place"]
    person.double_click(x + 300, y - 11)  # the title of the window: fill the screen
    person.done("start")

    person.press("ctrl+o")
    person.find("Look in:", "QLabel")
    person.write(str(source))
    person.press("Return")
    person.find(source.stem, "item")
    person.done("open")

    person.click("Plugins", "QMenuBar")
    person.click("AnyIR", "QMenu")
    person.picture("menu")
    person.click("Restore image", "QMenu")
    person.find("denoise, because the image has one channel", "QLabel")
    person.find("Needs about", "QLabel")
    person.done("dock")

    person.click("Restore", "QAbstractButton")
    person.find(f"{source.stem} (denoise)", "item")
    person.find("Mean", "QLabel")
    person.done("restore")

    person.click("Plugins", "QMenuBar")
    person.click("AnyIR", "QMenu")
    person.click("Compare layers", "QMenu")
    person.click("Wipe", "QAbstractButton")
    person.drag("Where", "QSlider", 0.3)
    person.done("compare")

    person.click("Wipe", "QAbstractButton")
    person.wait(lambda seen: not any(thing["text"] == "AnyIR wipe" for thing in seen), "no wipe")
    person.click(f"{source.stem} (denoise)", "item")
    person.press("ctrl+s")
    person.find("Look in:", "QLabel")
    person.press("ctrl+a")
    person.write(str(saved))
    person.press("Return")
    end = time.monotonic() + PATIENCE
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.2)
    person.done("save")


def _says(thing: Thing, text: str) -> bool:
    found: str = thing["text"]
    return text in found if thing["kind"] == "QLabel" else found.startswith(text)


def main() -> int:
    """Walk the path once; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("shots"))
    parser.add_argument("--size", default="1366x768")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, Screen(options.size) as environment:
        room = Path(place)
        source, saved, sight = room / "cells.tif", room / "restored.tif", room / "sight.json"
        stack = _cells(3, 160, 200)
        tifffile.imwrite(source, stack, imagej=True, metadata={"axes": "ZYX"})
        settings = room / "settings.yaml"
        settings.write_text(f"appearance:\n  theme: {options.theme}\n")
        environment = {**environment, "NAPARI_CONFIG": str(settings)}
        command = [sys.executable, str(HERE / "eyes.py"), str(sight)]
        heard = (options.folder / "napari.log").open("w")
        napari = subprocess.Popen(
            command, env=environment, cwd=room, stdout=heard, stderr=subprocess.STDOUT
        )
        try:
            path_of_a_new_user(Person(environment, sight, options.folder), source, saved)
            assert napari.poll() is None, "napari has ended"
        finally:
            napari.terminate()
            napari.wait()
            heard.close()
        result = tifffile.imread(saved)
        assert (result.shape, result.dtype) == (stack.shape, stack.dtype), result.shape
        moved = abs(result.mean() / stack.mean() - 1)
        assert moved < 0.02, f"the mean moved by {moved:.1%}"
        assert result.std() < stack.std(), "less noise"
    return 0


if __name__ == "__main__":
    sys.exit(main())
