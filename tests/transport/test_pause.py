"""A process that was stopped, or was busy, for so long that the others have given it up goes on:
libzmq aborts there when it has heartbeats to send (see `grevy.transport.sockets`).
"""

from __future__ import annotations

import subprocess
import sys

import zmq

BUSY_LISTENER = """
import sys, time, zmq
from grevy.transport.sockets import SocketLimits, bind, router

limits = SocketLimits(
    message_bytes_max=1024, high_water_mark=4, link_timeout_ms=200, handshake_timeout_ms=1000
)
socket = router(zmq.Context(), limits)
print(bind(socket, "tcp://127.0.0.1:0"), flush=True)
sys.stdin.readline()
time.sleep(0.5)  # more than the link's time-out: whatever libzmq does by itself, it has done
heard = 0
while socket.poll(500):
    heard += len(socket.recv_multipart()) - 1
print(heard, flush=True)
"""


def test_a_full_queue_whose_sender_is_gone_is_read_afterwards() -> None:
    command = [sys.executable, "-c", BUSY_LISTENER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdin is not None
        assert listener.stdout is not None
        dealer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        dealer.connect(listener.stdout.readline().strip())
        for number in range(200):
            dealer.send(bytes([number]))
        dealer.close(linger=1_000)
        zmq.Context.instance().term()  # all is in the kernel's hands, and the connection is closed
        listener.stdin.write("go on\n")
        listener.stdin.flush()
        assert int(listener.stdout.readline()) >= 4
    assert listener.returncode == 0
