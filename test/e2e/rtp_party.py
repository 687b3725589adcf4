"""One side of a call with sound: rtp_party.py caller|callee ADDRESS SIP-PORT RTP-PORT [PROXY CALLEE-PORT CALLEE].
Sends 100 RTP packets to where the other one's SDP says and counts what comes; goes on for a second after
the BYE. With APART in the environment it sends from another port than it listens at, so that no packet
is an answer to another. Prints {"heard": packets during the call, "late": after it, "to": where they were sent}."""
import json
import os
import re
import select
import socket
import sys
import time

PACKETS, EVERY = 100, 0.01


def headers(message, name):
    return re.findall(r"(?im)^%s\s*:\s*(.*?)\r$" % name, message)


class Party:
    def __init__(self, address, sip, rtp):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.kind = "IP6" if ":" in address else "IP4"
        self.address, self.sip_port, self.rtp_port = address, sip, rtp
        self.host = "[%s]" % address if ":" in address else address
        self.sip, self.rtp, apart = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(3))
        self.mouth = apart if "APART" in os.environ else self.rtp
        self.sip.bind((address, sip))
        self.rtp.bind((address, rtp))
        self.heard = [0, 0]
        self.over = False
        self.to = None
        self.left, self.next = 0, 0

    def sdp(self):
        return ("v=0\r\no=- 1 1 IN {0} {1}\r\ns=-\r\nc=IN {0} {1}\r\nt=0 0\r\nm=audio {2} RTP/AVP 0\r\n"
                "a=rtpmap:0 PCMU/8000\r\n").format(self.kind, self.address, self.rtp_port)

    def media_of(self, message):
        body = message.split("\r\n\r\n", 1)[1]
        self.to = (re.search(r"(?m)^c=IN IP[46] (\S+)", body).group(1),
                   int(re.search(r"(?m)^m=audio (\d+)", body).group(1)))

    def talk(self):
        self.left, self.next = PACKETS, time.monotonic()

    def turn(self, until):
        """Send what is due and count what comes; a SIP message, or None at that time."""
        while True:
            now = time.monotonic()
            if self.left > 0 and now >= self.next:
                header = b"\x80\x00" + (PACKETS - self.left).to_bytes(2, "big") + bytes(4) + b"talk"
                self.mouth.sendto(header + bytes(160), self.to)
                self.left -= 1
                self.next += EVERY
            if now >= until:
                return None
            wait = min(until, self.next if self.left > 0 else until) - now
            ready = select.select([self.sip, self.rtp], [], [], max(wait, 0))[0]
            if self.rtp in ready:
                self.rtp.recv(2048)
                self.heard[self.over] += 1
            if self.sip in ready:
                message, source = self.sip.recvfrom(65535)
                return message.decode(), source

    def tell(self):
        print(json.dumps({"heard": self.heard[0], "late": self.heard[1], "to": "%s:%d" % self.to}))


def callee(p):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        got = p.turn(end)
        if got is None:
            break
        message, source = got
        method = message.split(" ", 1)[0]
        if method == "ACK" or method.startswith("SIP"):
            continue
        reply = ["SIP/2.0 200 OK"]
        reply += ["%s: %s" % (n, v) for n in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")
                  for v in headers(message, n)]
        reply = [l + ";tag=callee" if l.startswith("To:") and "tag=" not in l else l for l in reply]
        body = ""
        if method == "INVITE":
            p.media_of(message)
            body = p.sdp()
            reply += ["Contact: <sip:callee@%s:%d>" % (p.host, p.sip_port), "Content-Type: application/sdp"]
        reply += ["Content-Length: %d" % len(body), "", body]
        p.sip.sendto("\r\n".join(reply).encode(), source)
        if method == "INVITE":
            p.talk()
        if method == "BYE":
            p.over = True
            p.talk()
            end = time.monotonic() + PACKETS * EVERY + 0.5
    p.tell()


def caller(p, proxy, callee_port, callee_host):
    route = []

    def request(method, uri, number, to, body=""):
        lines = ["%s %s SIP/2.0" % (method, uri),
                 "Via: SIP/2.0/UDP %s:%d;branch=z9hG4bKrtp%d%s%d;rport" % (p.host, p.sip_port, p.rtp_port, method, number)]
        lines += ["Route: " + r for r in route]
        lines += ["Max-Forwards: 70", "From: <sip:caller@%s>;tag=caller" % p.host, "To: " + to,
                  "Call-ID: rtp-%d" % p.rtp_port, "CSeq: %d %s" % (number, method),
                  "Contact: <sip:caller@%s:%d>" % (p.host, p.sip_port)]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += ["Content-Length: %d" % len(body), "", body]
        p.sip.sendto("\r\n".join(lines).encode(), (proxy, 5060))

    def final(number):
        end = time.monotonic() + 10
        while True:
            got = p.turn(end)
            if got is None:
                sys.exit("no answer")
            status = int(got[0].split(" ")[1])
            if status >= 200 and headers(got[0], "CSeq")[0].startswith("%d " % number):
                return status, got[0]

    uri = "sip:callee@%s:%s" % (callee_host, callee_port)
    request("INVITE", uri, 1, "<%s>" % uri, p.sdp())
    status, message = final(1)
    if status != 200:
        sys.exit("the call fails: %d" % status)
    to, target = headers(message, "To")[0], headers(message, "Contact")[0].strip("<>")
    route = [r.strip() for h in headers(message, "Record-Route") for r in h.split(",")][::-1]
    p.media_of(message)
    request("ACK", target, 1, to)
    p.talk()
    while p.turn(time.monotonic() + PACKETS * EVERY + 0.7) is not None:
        pass
    request("BYE", target, 2, to)
    status, message = final(2)
    p.over = True
    p.talk()
    p.turn(time.monotonic() + PACKETS * EVERY + 0.3)
    p.tell()


party = Party(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
print("ready", file=sys.stderr, flush=True)
if sys.argv[1] == "callee":
    callee(party)
else:
    caller(party, *sys.argv[5:8])
