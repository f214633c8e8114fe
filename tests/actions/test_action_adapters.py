"""Temporal adapters: identity at the start, small, looking along time and not across tokens."""

from __future__ import annotations

import pytest
import torch

from cueflow.tasks.actions.adapters.tpu import Adapter, Unit


def tokens(batch=2, steps=9, count=3, width=32):
    torch.manual_seed(0)
    return torch.randn(batch, steps, count, width)


@pytest.mark.parametrize("unit", list(Unit))
def test_every_adapter_starts_as_identity(unit):
    x, flow = tokens(), torch.randn(2, 9, 3)
    assert torch.equal(Adapter(32, unit)(x, flow), x)


def woken(unit):
    torch.manual_seed(1)
    adapter = Adapter(32, unit).eval()
    for p in adapter.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return adapter


@pytest.mark.parametrize("unit", [u for u in Unit if u is not Unit.NONE])
def test_a_unit_looks_along_the_time_of_one_token(unit):
    adapter, x = woken(unit), tokens()
    other = x.clone()
    other[0, 4, 1, ::2] += 1.0  # not the same to all channels: the norm would take that out
    changed = (adapter(x) - adapter(other)).detach().abs().amax(-1) > 1e-6
    assert changed[0, 3:6, 1].all()  # the step itself and its neighbours
    assert not changed[:, :, [0, 2]].any()  # no other token
    assert not changed[1].any()  # no other recording


def test_without_a_unit_a_step_sees_only_itself():
    adapter, x = woken(Unit.NONE), tokens()
    other = x.clone()
    other[0, 4, 1, ::2] += 1.0  # not the same to all channels: the norm would take that out
    changed = (adapter(x) - adapter(other)).detach().abs().amax(-1) > 1e-6
    assert changed.nonzero().tolist() == [[0, 4, 1]]


def test_what_moves_speaks_louder():
    adapter, x = woken(Unit.NONE), tokens()
    assert not torch.allclose(adapter(x, torch.zeros(2, 9, 3)), adapter(x, torch.ones(2, 9, 3)))
    assert torch.allclose(adapter(x, torch.zeros(2, 9, 3)), adapter(x))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("unit", list(Unit))
def test_recordings_shorter_than_the_look(unit, steps):
    assert woken(unit)(tokens(steps=steps)).shape == (2, steps, 3, 32)


def test_twelve_of_them_are_less_than_five_in_a_hundred_of_a_small_vit():
    one = sum(p.numel() for p in Adapter(384, Unit.CONV).parameters())
    assert 12 * one < 0.05 * 22_056_576
