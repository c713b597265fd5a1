"""napari's bar of a run: one, whose text names the plane, and whose button stops the run."""

from __future__ import annotations

import pytest
from napari.utils.progress import progress

from napari_anyir.widgets.kit import activity
from napari_anyir.widgets.kit.activity import Activity


@pytest.fixture
def at_once(monkeypatch) -> None:
    monkeypatch.setattr(activity, "MOVE_EVERY", 0.0)


def test_one_bar_names_the_plane(at_once) -> None:
    before = set(progress._all_instances)
    activity = Activity("Restoring 'cells'", 3, lambda: None)
    (bar,) = set(progress._all_instances) - before
    seen = [(bar.desc, bar.n)]
    for done in (0, 4, 9, 12):
        activity.show(done, 12)
        seen.append((bar.desc.removesuffix(": "), bar.n))
    activity.close()
    activity.show(12, 12)
    assert seen == [
        ("Restoring 'cells', plane 1 of 3", 0),
        ("Restoring 'cells', plane 1 of 3", 0),
        ("Restoring 'cells', plane 2 of 3", 4),
        ("Restoring 'cells', plane 3 of 3", 9),
        ("Restoring 'cells', plane 3 of 3", 12),
    ]
    assert set(progress._all_instances) == before


def test_its_button_cancels(at_once) -> None:
    before, stopped = set(progress._all_instances), []
    activity = Activity("Restoring 'cells'", 1, lambda: stopped.append(True))
    (bar,) = set(progress._all_instances) - before
    bar.cancel()  # what napari's button calls
    activity.close()
    assert stopped == [True]
