"""Frames that no honest host sends.

frames.py lies INTERFACE OWN-MAC PIPELINE-MAC    frames with one thing wrong each; prints, for each
                                                 reason to drop them, how many were sent
frames.py long INTERFACE OWN-MAC PIPELINE-MAC    frames longer than the MTU
frames.py noise INTERFACE OWN-MAC PIPELINE-MAC   20,000 frames of random bytes behind an honest start
"""
import collections
import os
import socket
import struct
import sys

CLIENT, PIPELINE, SERVER = (socket.inet_aton(a) for a in ("10.1.0.2", "10.1.0.1", "10.2.0.2"))
CLIENT6, SERVER6 = (socket.inet_pton(socket.AF_INET6, a) for a in ("fd00:1::2", "fd00:2::2"))
UDP, TCP, ICMP = 17, 6, 1


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ip4(payload, proto=UDP, src=CLIENT, dst=SERVER, options=b"", version=4, words=None, length=None,
        frag=0, ttl=64, spoil=0):
    header = struct.pack("!BBHHHBBH4s4s", version << 4 | (words or 5 + len(options) // 4), 0,
                         20 + len(options) + len(payload) if length is None else length,
                         7, frag, ttl, proto, 0, src, dst) + options
    return header[:10] + struct.pack("!H", checksum(header) ^ spoil) + header[12:] + payload


def ip6(payload, following=UDP, src=CLIENT6, dst=SERVER6, version=6, length=None, hops=64):
    return struct.pack("!IHBB16s16s", version << 28, len(payload) if length is None else length,
                       following, hops, src, dst) + payload


def udp(payload=bytes(8), length=None):
    return struct.pack("!HHHH", 4000, 9, 8 + len(payload) if length is None else length, 0) + payload


def tcp(words=5):
    return struct.pack("!HHIIBBHHH", 4000, 9, 1, 0, words << 4, 2, 1024, 0, 0)


def arp(length=28, **change):
    f = dict(hardware=1, protocol=0x800, hlen=6, plen=4, op=1) | change
    return (struct.pack("!HHBBH", f["hardware"], f["protocol"], f["hlen"], f["plen"], f["op"]) +
            OWN + CLIENT + bytes(6) + PIPELINE)[:length]


def table():
    """(reason, ethertype, bytes behind the Ethernet header)"""
    v4, v6 = 0x800, 0x86DD
    yield "runt", v4, b""
    yield "runt", v4, ip4(udp())[:19]
    yield "runt", v6, ip6(udp())[:39]
    yield "ethertype", 0x88B5, bytes(46)
    yield "ethertype", 0x8847, ip4(udp())
    yield "ethertype", 40, bytes(46)
    yield "ip-version", v4, ip4(udp(), version=6)
    yield "ip-version", v4, ip6(udp())
    yield "ip-version", v6, ip6(udp(), version=4)
    yield "ip-header-length", v4, ip4(udp(), words=4)
    yield "ip-header-length", v4, ip4(udp(), words=15, length=40)
    yield "ip-header-length", v4, ip4(udp(), length=19)
    yield "ip-length", v4, ip4(udp(), length=1000)
    yield "ip-length", v4, ip4(udp(), length=65535)
    yield "ip-length", v6, ip6(udp(), length=65535)
    yield "ip-checksum", v4, ip4(udp(), spoil=1)
    yield "ip-checksum", v4, ip4(udp(), spoil=0x8000)
    yield "ip-options", v4, ip4(udp(), options=bytes((131, 7, 4)) + SERVER + bytes(1))
    yield "ip-options", v4, ip4(udp(), options=bytes((137, 7, 4)) + SERVER + bytes(1))
    yield "ip-options", v4, ip4(udp(), options=bytes((7, 40, 4, 0)))
    yield "ip-options", v4, ip4(udp(), options=bytes((7, 0, 0, 0)))
    for src in "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255":
        yield "ip-address", v4, ip4(udp(), src=socket.inet_aton(src))
    yield "ip-address", v6, ip6(udp(), src=socket.inet_pton(socket.AF_INET6, "::1"))
    yield "ip-address", v6, ip6(udp(), src=socket.inet_pton(socket.AF_INET6, "ff02::1"))
    yield "ip6-extension", v6, ip6(bytes((UDP, 0, 0, 0)), following=0)
    yield "ip6-extension", v6, ip6(bytes((UDP, 255)) + bytes(30), following=60)
    yield "ip6-extension", v6, ip6(bytes((UDP, 0)) + bytes(6) + udp(), following=43)
    yield "ip6-extension", v6, ip6((bytes((60, 0)) + bytes(6)) * 12, following=60)
    # Of IPv4 the kernel puts fragments together before af_packet sees them (fanout with "defrag").
    yield "fragment", v6, ip6(bytes((UDP, 0, 0, 1)) + bytes(4) + udp(bytes(64)), following=44)
    yield "l4-truncated", v4, ip4(udp()[:7])
    yield "l4-truncated", v4, ip4(tcp()[:19], proto=TCP)
    yield "l4-truncated", v4, ip4(bytes((8, 0)), proto=ICMP)
    yield "l4-truncated", v6, ip6(udp()[:3])
    yield "udp-length", v4, ip4(udp(length=7))
    yield "udp-length", v4, ip4(udp(length=65535))
    yield "udp-length", v6, ip6(udp(length=400))
    yield "tcp-offset", v4, ip4(tcp(words=4), proto=TCP)
    yield "tcp-offset", v4, ip4(tcp(words=15), proto=TCP)
    yield "arp-malformed", 0x806, arp(length=20)
    yield "arp-malformed", 0x806, arp(hlen=255)
    yield "arp-malformed", 0x806, arp(hardware=7)
    yield "arp-malformed", 0x806, arp(op=99)
    yield "icmp-checksum", v4, ip4(struct.pack("!BBHHH", 8, 0, 0x1234, 1, 1), proto=ICMP, dst=PIPELINE)
    yield "spoofed", v4, ip4(udp(), src=PIPELINE)
    yield "spoofed", v4, ip4(udp(), src=socket.inet_aton("10.2.0.1"))
    yield "ttl", v4, ip4(udp(), ttl=1)
    yield "ttl", v4, ip4(udp(), ttl=0)
    yield "ttl", v6, ip6(udp(), hops=1)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def lies(send):
    sent = collections.Counter()
    for reason, ethertype, data in table():
        send(TO, ethertype, data)
        sent[reason] += 1
    for _ in range(3):
        send(mac("02:de:ca:fb:ad:00"), 0x800, ip4(udp()))
        sent["not-for-us"] += 1
    for reason, n in sorted(sent.items()):
        print(reason, n)


def long(send):
    for size in 1600, 2100, 8900:
        send(TO, 0x800, ip4(udp(bytes(size))))


def noise(send):
    for i in range(20000):
        send(TO, (0x800, 0x86DD, 0x806)[i % 3], os.urandom(i % 200))


OWN, TO = mac(sys.argv[3]), mac(sys.argv[4])
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((sys.argv[2], 0))
{"lies": lies, "long": long, "noise": noise}[sys.argv[1]](
    lambda to, ethertype, data: sender.send(to + OWN + struct.pack("!H", ethertype) + data))
