"""Small discrete-event simulations, packet by packet and failure by failure, that share no line with the formulas."""

import math
import random

import simpy
from scipy import stats


def interval(values, confidence=0.99):
    """The mean of independent simulations, and half of its confidence interval (Student's t)."""
    mean = sum(values) / len(values)
    error = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    return mean, error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)


def sliding_window(seed, *, loss, packets, delay, selective):
    """Sends packets over a link that takes a slot for each and `delay` slots in each direction; returns packets a slot.

    A receiver answers a gap when the next packet arrives. Go-back-N then begins again at the missing packet; selective repeat
    sends that one only. Answers are never lost.
    """
    draw = random.Random(seed)
    env = simpy.Environment()
    state = {"next": 0, "turn": 0, "expected": 0, "refused": -1, "again": [], "arrived": set()}
    done = env.event()

    def flight(number, turn, lost):
        yield env.timeout(delay)
        if lost:
            # The gap is seen when the packet behind it arrives, a slot later.
            yield env.timeout(1)
            if selective:
                env.process(answer(number, turn))
            elif turn > state["refused"]:
                state["refused"] = turn
                env.process(answer(number, turn))
        elif selective or (number == state["expected"] and turn > state["refused"]):
            state["arrived"].add(number)
            state["expected"] += 1
            if len(state["arrived"]) == packets:
                done.succeed()

    def answer(number, turn):
        yield env.timeout(delay)
        if selective:
            state["again"].append(number)
        else:
            state["next"], state["turn"] = number, turn + 1

    def sender():
        while not done.triggered:
            if state["again"]:
                number = state["again"].pop(0)
            else:
                number, state["next"] = state["next"], state["next"] + 1
            turn = state["turn"]
            yield env.timeout(1)
            env.process(flight(number, turn, draw.random() < loss))

    env.process(sender())
    env.run(until=done)
    return packets / (env.now - delay)


def whole_messages(seed, *, loss, packets, messages):
    """Sends messages that begin anew with each loss, which the sender learns of at once; returns the share that counts."""
    draw = random.Random(seed)
    env = simpy.Environment()

    def sender():
        for _ in range(messages):
            arrived = 0
            while arrived < packets:
                yield env.timeout(1)
                arrived = 0 if draw.random() < loss else arrived + 1

    env.run(until=env.process(sender()))
    return messages * packets / env.now


def reno(seed, *, loss, rounds):
    """TCP's congestion avoidance: a packet more each second round trip (delayed acknowledgements), half after a loss.

    Returns packets a round trip. A loss takes the rest of its window with it, as PFTK has it; timeouts are left out.
    """
    draw = random.Random(seed)
    env = simpy.Environment()
    state = {"window": 10.0, "delivered": 0}

    def sender():
        while env.now < rounds:
            sent = max(1, int(state["window"]))
            first_lost = next((index for index in range(sent) if draw.random() < loss), None)
            state["delivered"] += sent if first_lost is None else first_lost
            state["window"] = max(1.0, state["window"] / 2) if first_lost is not None else state["window"] + 0.5
            yield env.timeout(1)

    env.run(until=env.process(sender()))
    return state["delivered"] / rounds


def barrier(seed, *, draw_time, devices, steps):
    """Steps that begin when the slowest of all devices has ended the one before; returns the mean time of a step."""
    draw = random.Random(seed)
    env = simpy.Environment()

    def training():
        for _ in range(steps):
            yield env.all_of([env.timeout(draw_time(draw)) for _ in range(devices)])

    env.run(until=env.process(training()))
    return env.now / steps


def failing_run(seed, *, devices, device_mean, interval, checkpoint, restart, intervals):
    """A job of several devices that fail independently and at any time; returns (share of the time that counts, failures)."""
    draw = random.Random(seed)
    env = simpy.Environment()
    state = {"failures": 0, "job": None}

    def device():
        while True:
            yield env.timeout(draw.expovariate(1 / device_mean))
            state["failures"] += 1
            if state["job"].is_alive:
                state["job"].interrupt()

    def job():
        done = 0
        recovering = False
        while done < intervals:
            try:
                if recovering:
                    yield env.timeout(restart)
                    recovering = False
                yield env.timeout(interval + checkpoint)
                done += 1
            except simpy.Interrupt:
                recovering = True

    state["job"] = env.process(job())
    for _ in range(devices):
        env.process(device())
    env.run(until=state["job"])
    return intervals * interval / env.now, state["failures"] / env.now


def burst(*, senders, window, buffer):
    """Senders that each send a window, packet by packet, to one port; returns the longest queue and the dropped share."""
    env = simpy.Environment()
    state = {"queue": 0, "longest": 0, "dropped": 0}

    def sender():
        for _ in range(window):
            yield env.timeout(1)
            if state["queue"] < buffer + 1:  # the packet that leaves is not in the buffer
                state["queue"] += 1
                state["longest"] = max(state["longest"], state["queue"])
            else:
                state["dropped"] += 1

    def port():
        yield env.timeout(0.5)
        for _ in range(window):
            yield env.timeout(1)
            state["queue"] -= 1 if state["queue"] else 0

    for _ in range(senders):
        env.process(sender())
    env.process(port())
    env.run()
    return state["longest"], state["dropped"] / (senders * window)
