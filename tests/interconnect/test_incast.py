import pytest

from nnjax.interconnect.incast import incast_loss, incast_queue, incast_time


def test_one_sender_needs_no_buffer():
    assert incast_queue(1, 64_000) == 0
    assert incast_loss(1, 64_000, 0) == 0


def test_what_the_buffer_holds_is_not_lost():
    assert incast_queue(9, 64_000) == 512_000
    assert incast_loss(9, 64_000, 512_000) == 0
    assert incast_loss(9, 64_000, 0) == pytest.approx(8 / 9)


def test_a_timeout_dwarfs_the_transfer():
    # 32 senders of 8 kB to a port of 1 Gb/s: 2 ms, and 202 ms after a timeout: the collapse of Phanishayee et al.
    assert incast_time(32, 8000, 1e9) == pytest.approx(2.048e-3)
    assert incast_time(32, 8000, 1e9, timeouts=1, timeout=0.2) == pytest.approx(0.202048)
