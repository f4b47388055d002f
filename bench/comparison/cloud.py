"""The cloud stand-in that every peer relays to: rms-cloud-sim in its benchmark mode, fixed bytes over TLS, as large as the request asks for."""

from .process import Process, free_port


class Cloud:
    def __init__(self, bench, name, delay_ms, workers=1):
        c = bench.certificates
        self.port = free_port()
        command = [bench.program("rms-cloud-sim"), "--listen", f"127.0.0.1:{self.port}", "--tls-cert", c.cloud[0], "--tls-key", c.cloud[1],
                   "--workers", workers, "--bench-answer", 8192]
        if delay_ms:
            command += ["--delay-ms", delay_ms]
        self.process = Process(name, command, bench.new_folder(name))

    def start(self):
        self.process.start()
        self.process.wait_listening(self.port)
        return self

    def stop(self):
        self.process.stop()
