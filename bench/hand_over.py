#!/usr/bin/env python3
"""What handing requests to calmer shards could gain (docs/design/010-hand-over.md): a queue a shard, requests over kept
connections that the kernel has spread by hash, one after the other. Computes; starts nothing. `python3 bench/hand_over.py`"""

import heapq
import random

SERVICE = 100e-6  # Seconds of CPU a request, exponentially distributed.
CROSSING = 15e-6  # What it costs both shards to move one, together: a wake-up, and the body by a channel.
REQUESTS = 200_000


def run(shards, connections, load, policy, late=0.0, seed=1):
    dice = random.Random(seed)
    if policy == "connections":
        home = [n % shards for n in range(connections)]
    else:
        home = [dice.randrange(shards) for _ in range(connections)]
    rate = load * shards / SERVICE / connections
    due = [(dice.expovariate(rate), n) for n in range(connections)]
    heapq.heapify(due)
    free = [0.0] * shards
    waits = []
    moved = 0
    for _ in range(REQUESTS):
        now, connection = heapq.heappop(due)
        heapq.heappush(due, (now + dice.expovariate(rate), connection))
        shard = home[connection]
        work = dice.expovariate(1 / SERVICE)
        if policy == "requests" and free[shard] - now > late:
            calm = min(range(shards), key=free.__getitem__)
            if free[calm] + CROSSING < free[shard]:
                # Its own shard pays half, when it comes to it.
                free[shard] += CROSSING / 2
                shard, work, moved = calm, work + CROSSING / 2, moved + 1
        begin = max(now, free[shard])
        free[shard] = begin + work
        waits.append(begin - now)
    waits.sort()
    p99 = waits[int(0.99 * len(waits))] * 1e3
    return p99 if p99 < 500 else float("inf"), 100 * moved / REQUESTS


def main():
    print("shards connections load | p99 of waiting, ms: stay, requests moved when 1 ms late (share), connections placed")
    for shards, connections in [(1, 32), (2, 32), (8, 32), (8, 256), (64, 128), (64, 1024)]:
        for load in (0.3, 0.6):
            stay, _ = run(shards, connections, load, "stay")
            moved, share = run(shards, connections, load, "requests", late=1e-3)
            placed, _ = run(shards, connections, load, "connections")
            print(f"{shards:6} {connections:11} {load:4} | {stay:8.2f} {moved:8.2f} ({share:4.1f} %) {placed:8.2f}")


if __name__ == "__main__":
    main()
