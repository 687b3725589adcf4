#!/usr/bin/env python3
"""A SIPp scenario of the caller or the callee, made of the ladder of messages that both go down.

  ladder.py caller|callee '>INVITE <180 <200 >ACK .500 >BYE <200' [VIAS]

> is from the caller, < from the callee. .500: who sends the next step waits for so many ms first. =500:
who has sent the last step is there for so long to send it again. <180?: who receives it goes on without.
Before a response to an INVITE there may be a 100; as a step it must come, and is the next hop's.

The first request is for [service]@[domain] (-key domain ...), and reaches the callee with VIAS (2) Vias. Those
inside its dialog go along the route that it recorded, which has to be there. Tags are made of the Call-ID, so
that either side knows both; it has to be a token (-cid_str %u-%p).
"""
import re
import sys

SDP = """v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000"""
BODY = {
    "INVITE": ("application/sdp", SDP),
    "UPDATE": ("application/sdp", SDP),
    "MESSAGE": ("text/plain", "Are you there?"),
    "INFO": ("application/dtmf-relay", "Signal=1"),
}
MORE = {
    "PRACK": "RAck: 1 1 INVITE\n",
    "SUBSCRIBE": "Event: presence\n",
    "PUBLISH": "Event: presence\n",
    "NOTIFY": "Event: presence\nSubscription-State: active\n",
    "REFER": "Refer-To: <sip:other@example.net>\n",
    "183": "Require: 100rel\nRSeq: 1\n",
}
DIALOG = ("INVITE", "SUBSCRIBE", "REFER")
ELSEWHERE = "sip:elsewhere@example.net"


class Side:
    def __init__(self, caller, vias):
        self.vias = vias
        self.us, self.them = ("a", "b") if caller else ("b", "a")
        self.out = []
        self.first = None    # the first request, which the dialog is made by
        self.cseq = 0        # of the last request sent that is no ACK or CANCEL
        self.invite = 0, 0, False # the last INVITE sent: CSeq, step, whether inside the dialog
        self.waiting = []    # requests sent that have no final response
        self.asked = []      # received that have none
        self.txn = {}        # of requests sent: the number of their step
        self.refused = False # the last response received
        self.routed = False  # the route is known

    def add(self, step):
        self.out.append(step)

    def send(self, head, body, again, txn=""):
        more = f"Content-Type: {body[0]}\nContent-Length: [len]\n\n{body[1]}\n" if body else \
            "Content-Length: 0\n\n"
        again = ' retrans="500"' if again else ""
        self.add(f"<send{again}{txn}>"
                 f"<![CDATA[\n\n{head}\n{more}\n]]></send>")

    def send_request(self, name):
        inside, here = self.first is not None, len(self.out)
        hop = name == "CANCEL" or (name == "ACK" and self.refused)  # along the way of the INVITE
        if name not in ("ACK", "CANCEL"):
            self.cseq += 1
        if name == "INVITE":
            self.invite = self.cseq, here, inside
        number = self.invite[0] if name in ("ACK", "CANCEL") else self.cseq
        branch = f"[branch-{here - self.invite[1]}]" if hop else "[branch]"
        uri, routes = ("[next_url]", "[routes]\n") if (self.invite[2] if hop else inside) else \
            ("sip:[service]@[domain]", "")
        to = "[last_To:]" if name == "ACK" else f"To: <sip:{self.them}@example.net>" + \
            (f";tag={self.them}[call_id]" if inside and name != "CANCEL" else "")
        self.send(f"{name} {uri} SIP/2.0\n"
                  f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n"
                  f"{routes}From: <sip:{self.us}@example.net>;tag={self.us}[call_id]\n{to}\n"
                  f"Call-ID: [call_id]\nCSeq: {number} {name}\n"
                  f"Contact: <sip:{self.us}@[local_ip]:[local_port]>\n"
                  f"{MORE.get(name, '')}Max-Forwards: 70", BODY.get(name), name != "ACK",
                  f' ack_txn="t{self.invite[1]}"' if name == "ACK" else f' start_txn="t{here}"')
        if name != "ACK":
            self.txn[name] = here
        self.first = self.first or name
        if name != "ACK":
            self.waiting.append(name)

    def receive_request(self, name, when):
        action = ""
        if self.first is None:
            self.first = name
            action = ' rrs="true"><action>' + "".join(
                f'<ereg regexp=".+" search_in="hdr" header="Via:" occurrence="{i}" '
                f'assign_to="via{i}"/>' for i in range(1, self.vias + 1)) + "</action"
        self.add(f'<recv request="{name}"{when}{action}></recv>')
        self.last = name
        if name != "ACK":
            self.asked.append(name)

    def send_response(self, status):
        name = self.asked[0 if status == "487" else -1]
        final = status >= "200"
        # Something else has been received since, which goes back another way.
        way = "[last_Via:]\n" if self.last == name else "".join(
            f"Via:[$via{i}]\n" for i in range(1, self.vias + 1))
        cseq = "[last_CSeq:]" if self.last == name else f"CSeq: 1 {name}"
        to = f"To: <sip:{self.us}@example.net>;tag={self.us}[call_id]" if name == self.first and \
            self.cseq == 0 and len(self.asked) <= 2 else "[last_To:]"
        route = "[last_Record-Route:]\n" if name in DIALOG and self.last == name else ""
        where = ELSEWHERE if status[0] == "3" else f"sip:{self.us}@[local_ip]:[local_port]"
        self.send(f"SIP/2.0 {status} -\n{way}[last_From:]\n{to}\n[last_Call-ID:]\n{cseq}\n"
                  f"{route}{MORE.get(status, '')}Contact: <{where}>",
                  BODY["INVITE"] if status == "200" and name in ("INVITE", "UPDATE") else None,
                  final and name == "INVITE")
        if final:
            self.asked.remove(name)

    def receive_response(self, status, when):
        name = self.waiting[0 if status == "487" else -1]
        if status == "100":
            self.add(f'<recv response="100" response_txn="t{self.txn[name]}"></recv>')
            return
        check = None
        rrs = ""
        self.refused = status >= "300"
        if name == "INVITE":
            self.add(f'<recv response="100" response_txn="t{self.txn[name]}" optional="true"></recv>')
        if name in DIALOG and not self.routed and "180" < status < "300":
            check, rrs, self.routed = ("Record-Route:", "sip:"), ' rrs="true"', True
        elif status[0] == "3":
            check = ("Contact:", ELSEWHERE)
        action = f'<action><ereg regexp="{check[1]}" search_in="hdr" header="{check[0]}" ' \
            'check_it="true" assign_to="seen"/></action>' if check else ""
        self.add(f'<recv response="{status}" response_txn="t{self.txn[name]}"{when}{rrs}>{action}</recv>')
        if status >= "200":
            self.waiting.remove(name)


def main():
    role, ladder, *vias = sys.argv[1:]
    side = Side(role == "caller", int(vias[0]) if vias else 2)
    words = ladder.split()
    for i, word in enumerate(words):
        m = re.fullmatch(r"([<>])([A-Z]+|[1-6][0-9][0-9])([?]?)|([.=])([0-9]+)", word)
        if m is None:
            sys.exit(f"ladder.py: '{word}' is no step")
        mine = ">" if role == "caller" else "<"
        when = ' optional="true"' if m[3] else ""
        if m[4] == ".":
            if words[i + 1][0] == mine:
                side.add(f'<pause milliseconds="{m[5]}"/>')
        elif m[4] == "=":
            if words[i - 1][0] == mine:
                side.add(f'<timewait milliseconds="{m[5]}"/>')
        elif m[1] == mine and m[2] != "100":
            (side.send_response if m[2].isdigit() else side.send_request)(m[2])
        elif m[1] != mine:
            (side.receive_response if m[2].isdigit() else side.receive_request)(m[2], when)
    names = sorted(set(re.findall(r'assign_to="(\w+)"', "".join(side.out))))
    if names:
        side.out.append(f'<Reference variables="{",".join(names)}"/>')
    print('<?xml version="1.0"?>', '<scenario name="ladder">', *side.out, "</scenario>", sep="\n")


main()
