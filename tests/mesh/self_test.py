"""Shows that every verb of the field does what it says."""

import argparse
import sys
import tempfile
import time

import field
import servers

ECHO = """import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7))
while True: s.sendto(*s.recvfrom(2000))
"""
# Sends to an address and a port; prints how many of the datagrams came back.
ASK = """import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(float(sys.argv[3]))
back = 0
for _ in range(int(sys.argv[2])):
    s.sendto(b"x", (sys.argv[1], 7))
    try: back += len(s.recv(2000))
    except OSError: pass
print(back)
"""
# Everybody who listens to a group hears it: the mesh's discovery needs no more.
HEAR = """import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5399))
group = socket.inet_aton("224.0.0.251") + struct.pack("=ii", 0, socket.if_nametoindex("eth0"))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
s.settimeout(5)
print("listens", flush=True)
print(s.recv(99).decode(), flush=True)
"""
SAY = """import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=iii", 0, 0, socket.if_nametoindex("eth0")))
s.sendto(b"heard", ("224.0.0.251", 5399))
"""


def main():
    """Runs all of it; the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--logs", help="folder of the programs' logs")
    chosen = options.parse_args()
    try:
        field.enter()
    except field.Skip as why:
        print(f"NOT RUN: {why}")
        return 0
    with tempfile.TemporaryDirectory() as scratch, field.Field(chosen.logs or scratch) as f:
        verbs(f)
        routers(f)
        others(f)
    print("the field works")
    return 0


def check(what, holds):
    """Prints what holds; ends the run at the first thing that does not."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
    if not holds:
        raise SystemExit(1)


def echoed(host, address, count=1, seconds=1.0):
    """How many of so many datagrams an address sends back."""
    return int(host.run("python3", "-c", ASK, address, count, seconds))


def settles(condition, seconds=5):
    """Whether it comes true soon."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def verbs(f):
    """What is done to cables, switches and packets."""
    a, b, c = (f.host(name) for name in ("anna", "bert", "cleo"))
    check("each host has a name of its own", a.run("hostname").strip() == "anna")
    for address in (b.ipv4, b.ipv6, f"{b.link_local}%eth0"):
        check(f"anna reaches {address}", a.reaches(address))
    check("nobody reaches the internet", not a.reaches("192.0.2.1"))
    b.start("echo", ["python3", "-c", ECHO])
    check("UDP goes there and back", settles(lambda: echoed(a, b.ipv4)) and echoed(a, b.ipv6) == 1)
    ears = b.start("ears", ["python3", "-c", HEAR], stdout=-1)
    ears.stdout.readline()
    a.run("python3", "-c", SAY)
    check("multicast crosses the switch", ears.stdout.readline() == b"heard\n")

    f.cut(b)
    check("cut: bert is gone", not a.reaches(b.ipv4) and "NO-CARRIER" in b.run("ip", "link", "show", "eth0"))
    f.mend(b)
    check("mend: bert is back", settles(lambda: a.reaches(b.ipv4)) and settles(lambda: a.reaches(b.ipv6)))
    f.mute(b)
    check("mute: bert is gone, its link is up", not a.reaches(b.ipv4) and "LOWER_UP" in b.run("ip", "link", "show", "eth0"))
    f.mend(b)
    check("mend: bert is back", settles(lambda: a.reaches(b.ipv4)))
    f.partition([a], [b, c])
    check("partition: anna here, bert and cleo there", not a.reaches(b.ipv4) and c.reaches(b.ipv6))
    f.merge()
    check("merge: all together", settles(lambda: a.reaches(b.ipv4)) and a.reaches(c.ipv4))
    before = b.ipv4, b.ipv6, f"{b.link_local}%eth0"
    f.renumber(b)
    check("renumber: the old addresses are gone", not any(a.reaches(address) for address in before))
    check("renumber: the new ones are there", all(a.reaches(address) for address in (b.ipv4, b.ipv6)))

    f.drop_udp(b, keep=[9])
    check("drop_udp: no UDP, the rest goes", echoed(a, b.ipv4) == 0 and a.reaches(b.ipv4))
    f.allow_udp(b)
    check("allow_udp: UDP again", echoed(a, b.ipv4) == 1)
    f.lose(b, 30)
    back = echoed(a, b.ipv4, count=100, seconds=0.02)
    check(f"lose: {back} of 100 came back where about 49 should", 20 <= back <= 80)
    f.lose(b, 0)
    check("lose: none any more", echoed(a, b.ipv4, count=100) == 100)
    b.start("sink", ["python3", "-c", SINK])
    f.narrow(b, 10)
    slow = pour(a, b, 2_000_000)
    f.narrow(b, None)
    check(f"narrow: 2 MB took {slow:.1f} s at 10 Mbit/s, {pour(a, b, 2_000_000):.1f} s without", 1.4 < slow < 4)

    f.delay(b, 40)
    check(f"delay: {round_trip(a, b):.1f} ms where 80 should be", 75 < round_trip(a, b) < 120)
    print(f"ok   delay: 20 MB of TCP come through whole, in {pour(a, b, 20_000_000):.1f} s")
    f.cut(b)
    check("delay: a cut is a cut", not a.reaches(b.ipv4))
    f.mend(b)
    check("delay: mended", settles(lambda: a.reaches(b.ipv4)))
    f.delay(b, None)
    check(f"delay: {round_trip(a, b):.1f} ms, none any more", round_trip(a, b) < 20)


def round_trip(a, b):
    """The least round trip of a few, in milliseconds."""
    return float(a.run("ping", "-q", "-c", 5, "-i", "0.1", b.ipv4).split("=")[1].split("/")[0])


def pour(a, b, size):
    """Seconds until a host has so many bytes of another; they have to be as many as were sent."""
    began = time.monotonic()
    came = int(a.run("python3", "-c", POUR, b.ipv4, size))
    if came != size:
        check(f"{came} of {size} bytes came", False)
    return time.monotonic() - began


# Says to each who comes how much came.
SINK = """import socket
server = socket.create_server(("", 8))
while True:
    c, _ = server.accept()
    n = 0
    while data := c.recv(65536): n += len(data)
    c.send(str(n).encode()); c.close()
"""
POUR = """import socket, sys, time
for _ in range(50):
    try: s = socket.create_connection((sys.argv[1], 8)); break
    except ConnectionRefusedError: time.sleep(0.1)
s.sendall(bytes(int(sys.argv[2]))); s.shutdown(socket.SHUT_WR); print(s.recv(99).decode())
"""


def routers(f):
    """NAT of both kinds."""
    b = f.hosts["bert"]
    b.start("ports", ["python3", "-c", PORTS, str(f.logs / "ports")])
    for name, symmetric in (("dora", False), ("emil", True)):
        host = f.host(name)
        router = f.nat(host, symmetric)
        check(f"nat: {name} reaches bert", host.reaches(b.ipv4) and echoed(host, b.ipv4) == 1)
        check(f"nat: bert does not reach {name}", not b.reaches(f"192.168.{host.number}.2"))
        seen = host.run("python3", "-c", FROM_ONE_PORT, b.ipv4).split()
        mapped = all(s.startswith(router.ipv4) for s in seen) and (seen[0] != seen[1]) == symmetric
        check(f"nat: {name} is seen as {' and '.join(seen)}", mapped)
        f.cut(host)
        check(f"nat: {name} is cut off at its router", not host.reaches(b.ipv4))
        f.mend(host)
        check(f"nat: {name} is back", settles(lambda at=host: at.reaches(b.ipv4)))


# Says to everybody who asks, on two ports, whom it sees.
PORTS = """import socket, select
socks = []
for port in (3001, 3002):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", port)); socks.append(s)
while True:
    for s in select.select(socks, [], [])[0]:
        _, who = s.recvfrom(99); s.sendto(f"{who[0]}:{who[1]}".encode(), who)
"""
FROM_ONE_PORT = """import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 4000)); s.settimeout(2)
for port in (3001, 3002):
    s.sendto(b"who", (sys.argv[1], port)); print(s.recv(99).decode())
"""


def others(f):
    """Avahi on two hosts, and coturn."""
    a, c = f.hosts["anna"], f.hosts["cleo"]
    address, user, password = servers.coturn(c)
    relayed = a.run("turnutils_uclient", "-y", "-u", user, "-w", password, "-n", 5, "-c", address.split(":")[0])
    check("coturn: relays, and loses nothing", "Total lost packets 0 " in relayed)
    try:
        servers.avahi(a)
        servers.avahi(c)
    except field.Skip as why:
        print(f"NOT RUN: {why}")
        return
    a.start("publish", ["avahi-publish", "-s", "a token", "_echo-mesh._tcp", "4713", "v=1"])
    browse = ["avahi-browse", "--resolve", "--parsable", "--terminate", "_echo-mesh._tcp"]
    check("avahi: cleo sees what anna announces", settles(lambda: a.ipv4 in c.run(*browse)))


if __name__ == "__main__":
    sys.exit(main())
