"""Servers of others that a field needs, each in a host: Avahi with a bus of its own, and coturn."""

import time
from pathlib import Path

from field import Failed, Skip

READY_TIMEOUT_S = 10

# The system's own configuration would have the bus give up root, and there may be no other user in a field.
BUS = """<busconfig><type>custom</type><auth>EXTERNAL</auth>
<listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_type="method_return"/><allow send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/>
<allow receive_type="error"/></policy></busconfig>
"""
AVAHI = "[server]\nuse-ipv4=yes\nuse-ipv6=yes\ndeny-interfaces=lo\n[publish]\npublish-workstation=no\n[rlimits]\n"

TURN_PORT = 3478
TURN_USER, TURN_PASSWORD, TURN_REALM = "echo", "field", "echo.test"


def avahi(host):
    """Starts avahi-daemon; after it `avahi-browse` and `avahi-publish` work in the host. Raises `Skip` without root."""
    if Path("/proc/self/uid_map").read_text().split()[2] == "1":
        raise Skip("avahi-daemon wants to give a folder to its own user: run the field as root")
    host.run("sh", "-c", "mkdir -p /run/dbus /run/avahi-daemon && cat > /run/bus.conf", input=BUS)
    host.run("sh", "-c", "cat > /run/avahi.conf", input=AVAHI)
    host.start("dbus", ["dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile"])
    _until(host, "the bus", ["test", "-S", "/run/dbus/system_bus_socket"])
    host.start("avahi", ["avahi-daemon", "--file=/run/avahi.conf", "--no-drop-root", "--no-chroot", "--no-rlimits"])
    _until(host, "avahi-daemon", ["avahi-daemon", "--check"])
    _until(host, "avahi-daemon", ["avahi-browse", "--all", "--terminate"])


def coturn(host):
    """Starts a TURN and STUN server on UDP and TCP; returns its address, user and password."""
    host.start("coturn", [
        "turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", f"--user={TURN_USER}:{TURN_PASSWORD}",
        f"--realm={TURN_REALM}", f"--listening-ip={host.ipv4}", f"--relay-ip={host.ipv4}", f"--listening-port={TURN_PORT}",
        "--log-file=stdout", "--simple-log", "--pidfile=/run/turnserver.pid", "--userdb=/run/turndb",
    ])  # fmt: skip
    probe = f"import socket; socket.create_connection(('{host.ipv4}', {TURN_PORT}), 1)"
    _until(host, "coturn", ["python3", "-c", probe])
    return f"{host.ipv4}:{TURN_PORT}", TURN_USER, TURN_PASSWORD


def _until(host, what, command):
    until = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            host.run(*command, timeout=READY_TIMEOUT_S)
            return
        except Failed as error:
            if time.monotonic() > until:
                raise Failed(f"{what} does not start on {host.name}: {error}") from error
        time.sleep(0.05)
