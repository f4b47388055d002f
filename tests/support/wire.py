"""A length of wire between two parties that breaks where it is told: after N bytes of one direction, by a reset, an end, a halt, or noise."""

import selectors
import socket
import threading
import time

FORWARD, BACK = "forward", "back"  # towards the target, and from it
ACTIONS = ("reset", "end", "stall", "noise")


class Wire:
    """plan(index) gives (direction, offset, action) for the index-th connection, or None for a sound wire. longest: bytes seen per direction.

    arm(plan) breaks whichever connection is open now: its offset counts from that moment. cut() ends all that are open, and waits until they are."""

    def __init__(self, host, port, plan=lambda index: None):
        self.target, self.plan = (host, port), plan
        self.count = self.broken = 0
        self.longest = {FORWARD: 0, BACK: 0}
        self.armed, self.cuts, self.open, self.lock = None, 0, 0, threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.listening.settimeout(0.1)
        self.host, self.port = self.listening.getsockname()
        self.stopping = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"https://{self.host}:{self.port}"

    def stop(self):
        self.stopping = True
        self.thread.join(2)
        self.listening.close()

    def arm(self, plan):
        self.armed = plan

    def cut(self, seconds=5.0):
        self.cuts += 1
        end = time.monotonic() + seconds
        while self.open and time.monotonic() < end:
            time.sleep(0.001)
        assert not self.open, "a connection that was cut did not end"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _accept(self):
        while not self.stopping:
            try:
                near, _ = self.listening.accept()
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return
            plan = self.plan(self.count)
            self.count += 1
            threading.Thread(target=self._carry, args=(near, plan), daemon=True).start()

    def _carry(self, near, plan):
        with self.lock:
            self.open += 1
        try:
            self._connect(near, plan)
        finally:
            with self.lock:
                self.open -= 1

    def _connect(self, near, plan):
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            near.close()
            return
        with near, far:
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(5)
            try:
                self._pass_on(near, far, plan)
            except OSError:
                pass

    def _pass_on(self, near, far, plan):
        passed, cuts, armed = {FORWARD: 0, BACK: 0}, self.cuts, self.armed
        with selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, (FORWARD, far))
            ready.register(far, selectors.EVENT_READ, (BACK, near))
            while not self.stopping and ready.get_map():
                if cuts != self.cuts:  # our end goes; what the node still says is not heard
                    cuts = self.cuts
                    for sock in (near, far):
                        sock.shutdown(socket.SHUT_WR)
                for key, _ in ready.select(0.02):
                    direction, into = key.data
                    got = key.fileobj.recv(65536)
                    if armed is not self.armed:
                        armed = self.armed
                        plan = armed and (armed[0], passed[armed[0]] + armed[1], armed[2])
                    if not got:
                        ready.unregister(key.fileobj)
                        into.shutdown(socket.SHUT_WR)
                        continue
                    if plan and direction == plan[0] and passed[direction] + len(got) > plan[1]:
                        self._break(near, far, into, got[:plan[1] - passed[direction]], plan[2])
                        return
                    passed[direction] += len(got)
                    self.longest[direction] = max(self.longest[direction], passed[direction])
                    into.sendall(got)

    def _break(self, near, far, into, rest, action):
        self.broken += 1
        if rest:
            into.sendall(rest)
        if action == "noise":
            into.sendall(b"\x55" * 64)
        if action == "reset":
            for sock in (near, far):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if action in ("stall", "noise"):  # nothing moves any more until one side gives up
            with selectors.DefaultSelector() as ready:
                for sock in (near, far):
                    ready.register(sock, selectors.EVENT_READ)
                while not self.stopping:
                    for key, _ in ready.select(0.2):
                        if not key.fileobj.recv(65536):
                            return
