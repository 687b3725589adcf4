"""A registration by a digest of RFC 7616 or 8760, on its own: register.py PROXY USER@DOMAIN PASSWORD CONTACT
ALGORITHM [EXPIRES]. Answers the challenge for that algorithm; prints the last status, and the contacts that
came with it."""
import hashlib
import os
import re
import socket
import sys

proxy, aor, password, contact, algorithm = sys.argv[1:6]
expires = sys.argv[6] if len(sys.argv) > 6 else "60"
user, domain = aor.split("@")
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# From where it is to be called: behind a NAT a binding leads back by the way that it came.
sock.bind(("", int(contact.rpartition(":")[2]) if contact[-1:].isdigit() else 0))
sock.connect((proxy, 5060))
sock.settimeout(5)
us = "%s:%d" % sock.getsockname()
call = os.urandom(8).hex()


def h(*parts):
    kind = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5
    return kind(":".join(parts).encode()).hexdigest()


def ask(cseq, more=""):
    sock.send(f"""REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/UDP {us};rport;branch=z9hG4bK{call}{cseq}
Max-Forwards: 70
From: <sip:{aor}>;tag={call}
To: <sip:{aor}>
Call-ID: {call}
CSeq: {cseq} REGISTER
Contact: <{contact}>
Expires: {expires}
{more}Content-Length: 0

""".replace("\n", "\r\n").encode())
    text = sock.recv(65535).decode()
    return int(text.split(" ")[1]), text


status, text = ask(1)
for line in re.findall(r"(?im)^WWW-Authenticate: *Digest +(.*)$", text):
    said = {k.lower(): q or v for k, q, v in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', line)}
    if said.get("algorithm", "MD5").upper() != algorithm:
        continue
    uri, cnonce, nc = "sip:" + domain, os.urandom(8).hex(), "00000001"
    response = h(h(user, said["realm"], password), said["nonce"], nc, cnonce, "auth",
                 h("REGISTER", uri))
    status, text = ask(2, f'Authorization: Digest username="{user}", realm="{said["realm"]}", '
                       f'nonce="{said["nonce"]}", uri="{uri}", response="{response}", '
                       f'algorithm={algorithm}, qop=auth, cnonce="{cnonce}", nc={nc}\n')
print(status, *re.findall(r"(?im)^Contact: *<([^>]*)>", text))
