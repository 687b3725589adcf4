"""A SIP callee that misbehaves: sip_peer.py KIND ADDRESS [PORT]. Of garbage, it answers with bytes that are
no SIP, and with answers that are nearly some; late: with a 200 after two seconds; never: not at all;
busy: with 486; other: with a 200 of a call that there is not; echo: with the request itself."""
import socket
import sys
import time


def answer(request, status):
    """The headers that an answer copies, with a tag of our own."""
    keep = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
    lines = [l for l in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:] if l.lower().startswith(keep)]
    lines = [l + b";tag=peer" if l.lower().startswith(b"to:") and b"tag=" not in l else l for l in lines]
    return b"\r\n".join([b"SIP/2.0 " + status] + lines + [b"Content-Length: 0", b"", b""])


def answers(kind, request):
    ok = answer(request, b"200 OK")
    if kind == "garbage":
        yield b"\xff\x00" * 30
        yield b"SIP/2.0 999999 \r\n\r\n"
        yield ok.replace(b"Call-ID:", b"X-Call-ID:")
        yield ok.replace(b"CSeq: ", b"CSeq: x")
        yield b"A" * 1400
    elif kind == "busy" and not request.startswith(b"ACK"):
        yield answer(request, b"486 Busy Here")
    elif kind == "other":
        yield ok.replace(b"Call-ID: ", b"Call-ID: another-")
    elif kind == "echo":
        yield request
    elif kind == "late" and not request.startswith(b"ACK"):
        time.sleep(2)
        yield ok


def main():
    kind, address = sys.argv[1:3]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, int(sys.argv[3]) if len(sys.argv) > 3 else 5060))
    print("ready", flush=True)
    while True:
        request, source = s.recvfrom(65535)
        for reply in answers(kind, request):
            s.sendto(reply, source)


main()
