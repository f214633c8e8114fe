"""What the face landmarker saw before it smoothed."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.video.face.unsmooth import BETA, MIN_CUTOFF_HZ, SPEED_CUTOFF_HZ, Unsmoother

SIZE = 120.0  # pixels


def one_euro(times, seen):
    """The filter as its authors give it, one coordinate; speeds in sizes of the face."""
    smooth, speed, found = seen[0], 0.0, [seen[0]]
    for i in range(1, len(seen)):
        rate = 1 / (times[i] - times[i - 1])

        def share(cutoff, rate=rate):
            return 1 / (1 + rate / (2 * np.pi * cutoff))

        now = (seen[i] - seen[i - 1]) * rate / SIZE
        speed += share(SPEED_CUTOFF_HZ) * (now - speed)
        smooth += share(MIN_CUTOFF_HZ + BETA * abs(speed)) * (seen[i] - smooth)
        found.append(smooth)
    return np.array(found)


@pytest.mark.parametrize("rate", [25, 30, 60])
def test_what_the_filter_took_in_comes_out_again(rate):
    times = np.arange(4 * rate) / rate
    part = np.clip((times - 1) / 1.2, 0, 1)
    nod = 9 * np.sin(4 * np.pi * part) * np.sin(np.pi * np.clip(np.minimum(part, 1 - part) / 0.2, 0, 0.5)) ** 2
    seen = 50 + nod + 0.05 * np.random.default_rng(3).normal(size=len(times))
    smooth = one_euro(times, seen)
    back = Unsmoother()
    found = np.array([back.undo(t, np.array([x]), size=SIZE)[0] for t, x in zip(times, smooth, strict=True)])
    assert np.mean(np.abs(smooth - seen) > 0.2) > 0.2  # it lags
    assert np.mean(np.abs(found - seen) > 0.2) < 0.05  # at a turn two answers may be near what was expected
