"""The learning rate: warm-up from the first step, and never up again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import read_config
from napari_anyir.training.run.schedule import Position, Schedule


def test_the_papers_schedule_rises_from_the_first_step_and_never_again():
    """The public codes idle at zero for two epochs and rise again after the cosine."""
    config = read_config("3deg")
    items, batch = 142_431, 32
    schedule = Schedule(config, items)
    steps = range(0, 120 * items // batch, 97)
    rates = [schedule.rate(Position(step=s, seen=s * batch)) for s in steps]
    assert schedule.rate(Position()) == pytest.approx(2e-4 * batch / (15 * items))
    warm = 15 * items // batch // 97
    assert all(b > a for a, b in pairwise(rates[: warm + 1]))
    assert all(b <= a for a, b in pairwise(rates[warm + 1 :]))
    assert max(rates) == pytest.approx(2e-4, rel=1e-3)
    assert rates[-1] < 1e-9
    assert schedule.rate(Position(seen=120 * items)) == 0
    half = Position(step=1, seen=round((15 + 105 / 2) * items))
    assert schedule.rate(half) == pytest.approx(1e-4, rel=1e-3)  # half of the cosine


def test_counted_steps():
    schedule = Schedule(TrainingConfig(steps=1000, warm_up_steps=100))
    rates = [schedule.rate(Position(step=s)) for s in range(1001)]
    assert rates[0] == pytest.approx(2e-6)
    assert rates[99] == pytest.approx(2e-4)
    assert all(b > a for a, b in pairwise(rates[:100]))
    assert all(b <= a for a, b in pairwise(rates[99:]))
    assert rates[1000] == 0


def test_a_run_by_the_clock_reaches_zero_when_the_time_is_over_however_slow_it_is():
    schedule = Schedule(TrainingConfig(minutes=2, warm_up_steps=10))
    for seconds_per_step in (0.1, 1.0, 30.0):
        steps = int(120 / seconds_per_step)
        rates = [
            schedule.rate(Position(step=s, seconds=s * seconds_per_step)) for s in range(steps + 1)
        ]
        assert rates[0] == pytest.approx(2e-5)
        assert all(b <= a for a, b in pairwise(rates[10:]))
        assert rates[-1] == 0


def test_the_warm_up_of_a_run_by_the_clock_ends_after_a_tenth_of_it():
    """Five minutes on a processor are fewer steps than the warm-up of hours on a card."""
    schedule = Schedule(TrainingConfig(minutes=5, warm_up_steps=300))
    rates = [schedule.rate(Position(step=s, seconds=s)) for s in range(301)]
    assert rates[0] == pytest.approx(2e-4 / 300)
    assert rates.index(max(rates)) == 30
    assert max(rates) > 0.97 * 2e-4
    assert all(b <= a for a, b in pairwise(rates[30:]))


@pytest.mark.parametrize("length", [{"minutes": 60.0}, {"steps": 1000}])
def test_a_protocol_of_another_length_warms_up_for_the_same_share(length):
    config = read_config("3deg", **length)
    assert config.warm_up_share == 15 / 120
    schedule = Schedule(config, 142_431)
    rates = [schedule.rate(Position(step=s, seconds=3.6 * s)) for s in range(1001)]
    assert rates[0] > 0
    assert all(b > a for a, b in pairwise(rates[:125]))
    assert all(b <= a for a, b in pairwise(rates[125:]))
    assert rates[125] == pytest.approx(2e-4)
    assert rates[1000] == 0


def test_a_fresh_optimiser_warms_up_again():
    for schedule in (
        Schedule(TrainingConfig(steps=1000, warm_up_steps=100)),
        Schedule(read_config("3deg", steps=1000), 142_431),
        Schedule(TrainingConfig(steps=1000)),
    ):
        peak = 2e-4
        assert schedule.rate(Position(step=500, restart=500)) == pytest.approx(peak / 200, rel=0.6)
        assert schedule.rate(Position(step=700, restart=500)) == schedule.rate(Position(step=700))
        rates = [schedule.rate(Position(step=s, restart=500)) for s in range(500, 600)]
        assert all(b > a for a, b in pairwise(rates))


def test_phases_follow_the_progress():
    config = read_config("bundled-nano", minutes=10.0)
    schedule = Schedule(config)
    crops = [schedule.phase(Position(seconds=60 * m)).crop for m in (0, 4.4, 4.6, 10)]
    assert crops == [192, 192, 256, 256]


def test_time_left():
    schedule = Schedule(TrainingConfig(steps=100))
    began = Position(step=10, seconds=5)
    assert schedule.seconds_left(began, began) is None
    assert schedule.seconds_left(Position(step=20, seconds=15), began) == pytest.approx(80)
    clocked = Schedule(TrainingConfig(minutes=1))
    assert clocked.seconds_left(Position(seconds=45), Position()) == 15


def test_epochs_need_a_length():
    with pytest.raises(ValueError, match="no epochs"):
        Schedule(read_config("3deg"))
