"""Qt's signals under one name for type checkers, which do not find it in qtpy."""

from __future__ import annotations

from typing import Any

from qtpy import QtCore

Signal: Any = vars(QtCore)["Signal"]
