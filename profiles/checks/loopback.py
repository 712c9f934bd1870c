"""Listen on several loopback addresses at one port, and be reached there."""

import socket
import sys

HOSTS = ("127.64.0.1", "127.127.77.7", "127.191.255.254")


def main() -> int:
    """Status 0 where each address can be listened on at the port that the first one got."""
    port, listeners = 0, []
    for host in HOSTS:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listeners.append(listener)
        listener.bind((host, port))
        listener.listen(1)
        port = listener.getsockname()[1]
        socket.create_connection((host, port), timeout=2.0).close()
        print(f"{host}:{port} listens and is reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
