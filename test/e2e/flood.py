"""A flood: flood.py KIND ADDRESS PORT SECONDS. As fast as it goes, each datagram another transaction: invite,
options, long (an INVITE that fills its packet), bye (in dialogs that there are not), response (to what was
never asked), noise. Prints how many were sent."""
import os
import socket
import sys
import time

kind, address, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((address, port))
us = "%s:%d" % s.getsockname()

REQUEST = """{method} sip:nobody@10.2.0.2:5999 SIP/2.0
Via: SIP/2.0/UDP {us};rport;branch=z9hG4bKflood{n}
Max-Forwards: 70
From: <sip:flood@example.net>;tag={n}
To: <sip:nobody@example.net>{to}
Call-ID: flood{n}
CSeq: 1 {method}
Contact: <sip:flood@{us}>
{more}Content-Length: 0

"""
RESPONSE = """SIP/2.0 200 OK
Via: SIP/2.0/UDP {proxy};branch=z9hG4bKnft{n:08x}{n:08x}{n:08x}{n:016x}
Via: SIP/2.0/UDP {us};branch=z9hG4bK{n}
From: <sip:flood@example.net>;tag={n}
To: <sip:nobody@example.net>;tag=x
Call-ID: flood{n}
CSeq: 1 INVITE
Content-Length: 0

"""


def datagram(n):
    if kind == "noise":
        return os.urandom(600)
    if kind == "response":
        text = RESPONSE.format(n=n, us=us, proxy="%s:%d" % (address, port))
    else:
        method = {"long": "INVITE"}.get(kind, kind.upper())
        text = REQUEST.format(n=n, us=us, method=method, to=";tag=x" if kind == "bye" else "",
                              more="Subject: " + "x" * 1000 + "\n" if kind == "long" else "")
    return text.replace("\n", "\r\n").encode()


end, n = time.monotonic() + seconds, 0
while time.monotonic() < end:
    for _ in range(64):
        n += 1
        try:
            s.send(datagram(n))
        except OSError:
            pass  # what an ICMP error or a full queue makes of it
print(n)
