"""A bad cable: impair.py SEED LEFT RIGHT RULE… carries frames between two interfaces, and of the datagrams
from or to a UDP port those that its rule chooses worse.

  RULE: PORT,loss=PERCENT,delay=MS,jitter=MS,twice=PERCENT      by IPv4 or IPv6, in both directions

What happens to a SIP message depends on the seed, its start line, Call-ID, CSeq, direction, and on how
often it has come: not on when it comes. So a run can be had again. On SIGTERM or SIGINT it prints what it
has done to the datagrams of each port, as JSON.
"""
import hashlib
import heapq
import json
import selectors
import signal
import socket
import sys
import time

ETH_P_ALL = 3
OUTGOING = 4  # PACKET_OUTGOING


class Rule:
    def __init__(self, text):
        port, *rest = text.split(",")
        self.port = int(port)
        self.p = dict.fromkeys(("loss", "delay", "jitter", "twice"), 0.0)
        self.p.update((k, float(v)) for k, v in (x.split("=") for x in rest))
        self.count = dict.fromkeys(("seen", "lost", "twice", "overtaken"), 0)
        self.last = [0.0, 0.0]  # when the latest datagram of either direction is due


def udp(frame):
    """Both ports and the payload, or None."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 17:
        at = 14 + (frame[14] & 15) * 4
    elif kind == b"\x86\xdd" and frame[20] == 17:
        at = 54
    else:
        return None
    return int.from_bytes(frame[at:at + 2], "big"), int.from_bytes(frame[at + 2:at + 4], "big"), \
        frame[at + 8:]


def identity(payload):
    lines = payload.split(b"\r\n\r\n")[0].split(b"\r\n")
    return lines[0].split(b" SIP/2.0")[0] + b"".join(
        line for line in lines if line.lower().startswith((b"call-id:", b"cseq:")))


class Cable:
    def __init__(self, seed, names, rules):
        self.seed, self.rules = seed, {r.port: r for r in rules}
        self.ends = []
        for name in names:
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            s.bind((name, 0))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.ends.append(s)
        self.waiting, self.serial, self.times = [], 0, {}

    def draw(self, direction, payload):
        """Four numbers from 0 to 1."""
        key = bytes([direction]) + identity(payload)
        nth = self.times[key] = self.times.get(key, 0) + 1
        h = hashlib.sha256(f"{self.seed},{nth},".encode() + key).digest()
        return [int.from_bytes(h[i:i + 4], "big") / 2**32 for i in (0, 4, 8, 12)]

    def carry(self, end, frame, now):
        u = udp(frame)
        rule = u and (self.rules.get(u[0]) or self.rules.get(u[1]))
        if not rule:
            self.ends[1 - end].send(frame)
            return
        draw, p = self.draw(end, u[2]), rule.p
        rule.count["seen"] += 1
        if 100 * draw[0] < p["loss"]:
            rule.count["lost"] += 1
            return
        due = now + (p["delay"] + (2 * draw[1] - 1) * p["jitter"]) / 1000
        rule.count["overtaken"] += due < rule.last[end]
        rule.last[end] = max(due, rule.last[end])
        twice = 100 * draw[2] < p["twice"]
        rule.count["twice"] += twice
        for _ in range(1 + twice):
            self.serial += 1
            heapq.heappush(self.waiting, (due, self.serial, 1 - end, frame))

    def run(self):
        sel = selectors.DefaultSelector()
        for i, s in enumerate(self.ends):
            sel.register(s, selectors.EVENT_READ, i)
        while True:
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, end, frame = heapq.heappop(self.waiting)
                self.ends[end].send(frame)
            left = self.waiting[0][0] - now if self.waiting else None
            for key, _ in sel.select(left):
                frame, addr = key.fileobj.recvfrom(65535)
                if addr[2] != OUTGOING:
                    self.carry(key.data, frame, time.monotonic())


def main():
    cable = Cable(sys.argv[1], sys.argv[2:4], [Rule(r) for r in sys.argv[4:]])

    def end(*_):
        print(json.dumps({port: r.count for port, r in cable.rules.items()}))
        sys.exit(0)

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, end)
    cable.run()


main()
