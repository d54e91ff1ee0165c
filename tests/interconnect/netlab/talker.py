"""A process in the lab that answers, or asks and prints seconds: `talker.py serve`, `talker.py ask HOST BYTES TIMES`."""

import socket
import sys
import time

PORT = 5000


def receive(connection, count):
    got = bytearray()
    while len(got) < count:
        part = connection.recv(min(1 << 20, count - len(got)))
        if not part:
            return None
        got += part
    return bytes(got)


def serve():
    with socket.create_server(("", PORT)) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (head := receive(connection, 8)) is not None:
                receive(connection, int.from_bytes(head, "big"))
                connection.sendall(b"!")


def ask(host, count, times):
    connection = socket.create_connection((host, PORT), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(times):
        began = time.perf_counter()
        connection.sendall(count.to_bytes(8, "big") + bytes(count))
        receive(connection, 1)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
