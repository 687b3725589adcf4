"""TCP and UDP echo.

serve ADDRESS PORT            echo until killed
ask ADDRESS PORT SOURCE...    from the same 20 ports of every SOURCE, all at once; ends with 1 unless
                              each gets back what it sent
keep ADDRESS PORT SECONDS SOURCE...    ask by UDP from 20 ports of every SOURCE, again and again, from
                              which port that is seen; ends with 1 unless each question is answered,
                              one port is seen for each all the time, and no two have the same;
                              and something from a new port now and then, which is answered as well
"""
import selectors
import socket
import sys
import time

KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


def opened(kind, addr, port):
    s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    return s


def serve(addr, port):
    sel = selectors.DefaultSelector()
    for kind in KINDS:
        s = opened(kind, addr, port)
        if kind == socket.SOCK_STREAM:
            s.listen(256)
        sel.register(s, selectors.EVENT_READ, kind)
    while True:
        for key, _ in sel.select():
            s = key.fileobj
            if key.data == socket.SOCK_DGRAM:
                data, peer = s.recvfrom(65535)
                s.sendto(b"%s %d" % (data, peer[1]) if data.startswith(b"seen") else data, peer)
            elif key.data == socket.SOCK_STREAM:
                sel.register(s.accept()[0], selectors.EVENT_READ, None)
            else:
                data = s.recv(65535)
                if data:
                    s.sendall(data)
                else:
                    sel.unregister(s)
                    s.close()


def connected(kind, source, port, target):
    for _ in range(50):  # the server may still be starting
        s = opened(kind, source, port)
        s.settimeout(5)
        try:
            s.connect(target)
            return s
        except ConnectionRefusedError:
            s.close()
            time.sleep(0.1)
    raise SystemExit(f"{target}: nobody listens")


def ask(target, sources):
    asked = [(kind, source, port) for kind in KINDS for port in range(40000, 40020)
             for source in sources]
    socks = [connected(kind, source, port, target) for kind, source, port in asked]
    for s, who in zip(socks, asked):
        s.sendall(repr(who).encode())
    lost = 0
    for s, who in zip(socks, asked):
        try:
            got = s.recv(65535)
        except OSError as e:
            got = str(e).encode()
        if got != repr(who).encode():
            lost += 1
            print(f"{who} got {got}")
    return lost


def keep(target, seconds, sources):
    socks = {(source, port): connected(socket.SOCK_DGRAM, source, port, target)
             for source in sources for port in range(41000, 41020)}
    seen, wrong, n = {}, 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        n += 1
        for who, s in socks.items():
            s.settimeout(5)
            s.send(b"seen %d" % n)
            try:
                _, number, port = s.recv(65535).split()
            except OSError as e:
                wrong += 1
                print(f"question {n} of {who}: {e}")
                continue
            if int(number) != n or seen.setdefault(who, port) != port:
                wrong += 1
                print(f"question {n} of {who}: answer {number}, seen as {port} and {seen.get(who)}")
        with connected(socket.SOCK_DGRAM, sources[0], 42000 + n % 1000, target) as s:
            s.settimeout(5)
            s.send(b"new")
            try:
                s.recv(65535)
            except OSError as e:
                wrong += 1
                print(f"new flow {n}: {e}")
        time.sleep(0.02)
    print(f"{n * len(socks)} questions, {len(set(seen.values()))} ports")
    return wrong + len(socks) - len(set(seen.values()))


if sys.argv[1] == "keep":
    sys.exit(keep((sys.argv[2], int(sys.argv[3])), float(sys.argv[4]), sys.argv[5:]) > 0)
if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
sys.exit(ask((sys.argv[2], int(sys.argv[3])), sys.argv[4:]) > 0)
