"""Rounds: every target in turn, again and again, so that a machine that drifts slows them all."""
import statistics
import time

from loadgen import load

FIRST = 1000  # requests of the first try, which tells how many a round takes


def choose_count(target, seconds):
    """How many requests take about so long; this warms up the server too."""
    count = max(FIRST, 2 * target.case.connections)
    _, taken = load(target, count)
    while taken < seconds / 4:
        count *= 4
        _, taken = load(target, count)
    target.count = max(int(count * seconds / taken), 2 * target.case.connections)


def measure(target):
    """First one request on each connection, then the load: what differs is the requests' cost."""
    connections = target.case.connections
    opening, _ = load(target, connections)
    cpu, seconds = load(target, target.count)
    return {
        "cpu_us_per_request": max(cpu - opening, 0) / (target.count - connections) * 1e6,
        "requests_per_second": target.count / seconds,
        "core_busy": cpu / seconds,
    }


def one_round(targets, number, reference_of):
    """Measures each once, beginning with another each time, so that none is favoured."""
    keys = list(targets)
    shift = number * (len(keys) // 5 + 1) % len(keys)
    taken = {key: measure(targets[key]) for key in keys[shift:] + keys[:shift]}
    for key in keys:
        base = taken.get(reference_of(key))
        if base:
            cost = taken[key]["cpu_us_per_request"]
            taken[key]["ratio"] = cost / base["cpu_us_per_request"]
    return taken


def run_rounds(targets, seconds, least, reference_of):
    """Rounds until the time is over; a list of {key: {quantity: value}}."""
    start = time.monotonic()
    rounds = []
    while True:
        rounds.append(one_round(targets, len(rounds), reference_of))
        spent = time.monotonic() - start
        if len(rounds) >= least and spent + spent / len(rounds) > seconds:
            return rounds


def summary(values):
    """The median and the spread of one quantity."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    spread = {"median": middle, "q1": low, "q3": high, "min": min(values), "max": max(values)}
    return {key: round(value, 3) for key, value in spread.items()}


def summarize(rounds):
    """{key: {quantity: summary, with the value of every round}}"""
    return {
        key: {
            quantity: {**summary([taken[key][quantity] for taken in rounds]),
                       "rounds": [round(taken[key][quantity], 3) for taken in rounds]}
            for quantity in rounds[0][key]
        }
        for key in rounds[0]
    }
