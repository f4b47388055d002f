"""Many callers that each made one request and stay connected."""

from . import soap


class IdleCallers:
    def __init__(self, peer):
        self.peer, self.callers = peer, []
        self.request = soap.body(1024)

    def __enter__(self):
        return self

    def open(self, count):
        for _ in range(count):
            caller = soap.Connection(self.peer.port, self.peer.ca_file)
            self.callers.append(caller)
            caller.post(self.request, 1024)

    def __exit__(self, *_):
        for caller in self.callers:
            caller.close()
