"""An address of the loopback network for this test process alone, so that no two of them meet at a port."""

import os
import socket

_PID = os.getpid()
HOST = f"127.{1 + (_PID >> 16 & 0x7F)}.{_PID >> 8 & 0xFF}.{_PID & 0xFF}"
_next_port = 18000


def free_port(host=HOST):
    """A port nobody listens at. Checked without SO_REUSEPORT: a node would silently share such a port with another."""
    global _next_port
    for _ in range(2000):
        _next_port += 1
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, _next_port))
            except OSError:
                continue
            return _next_port
    raise AssertionError(f"no free port at {host}")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False
