"""SIP messages longer than a frame, of Linux's own making.

serve ADDRESS PORT                answer each request with 200 and the request's body, until killed
ask PROXY FROM TARGET PORT N...   OPTIONS with bodies of N bytes from FROM through PROXY to TARGET; ends
                                  with 1 unless each comes back with its body
"""
import random
import socket
import sys


def opened(addr, port):
    s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind((addr, port))
    return s


def url(addr, port):
    return f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"


def serve(addr, port):
    s = opened(addr, port)
    print("ready", flush=True)
    keep = ("via:", "from:", "to:", "call-id:", "cseq:", "record-route:")
    while True:
        data, peer = s.recvfrom(65535)
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [l for l in head.decode().split("\r\n")[1:] if l.lower().startswith(keep)]
        lines = [l + ";tag=far" if l.lower().startswith("to:") else l for l in lines]
        s.sendto("\r\n".join(["SIP/2.0 200 OK"] + lines + [f"Content-Length: {len(body)}", "", ""])
                 .encode() + body, peer)


def ask(proxy, source, target, port, sizes):
    s = opened(source, 5062)
    s.settimeout(1)
    for n in sizes:
        body = random.randbytes(n)
        request = (f"OPTIONS sip:far@{url(target, port)} SIP/2.0\r\n"
                   f"Via: SIP/2.0/UDP {url(source, 5062)};branch=z9hG4bK-{n}-{random.random()}\r\n"
                   "Max-Forwards: 70\r\nFrom: <sip:near@example.org>;tag=near\r\n"
                   f"To: <sip:far@example.org>\r\nCall-ID: {random.random()}\r\n"
                   f"CSeq: 1 OPTIONS\r\nContent-Length: {n}\r\n\r\n").encode() + body
        for _ in range(5):  # a long one does not wait until its next hop is known
            s.sendto(request, (proxy, 5060))
            try:
                answer = s.recv(65535)
            except socket.timeout:
                continue
            break
        else:
            raise SystemExit(f"{n} bytes: no answer")
        if not answer.startswith(b"SIP/2.0 200 ") or answer.partition(b"\r\n\r\n")[2] != body:
            raise SystemExit(f"{n} bytes: {len(answer)} came back, {answer[:300]}")
        print(n, "bytes and back:", len(answer))


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
ask(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), [int(n) for n in sys.argv[6:]])
