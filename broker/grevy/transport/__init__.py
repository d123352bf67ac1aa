"""The room of sockets: what clients say comes in, what brokers answer goes out.

Nothing else in a broker imports zmq.
"""

from grevy.transport.peer import Handler, Peer, ServerOptions, ServerStatistics
from grevy.transport.server import Server

__all__ = ["Handler", "Peer", "Server", "ServerOptions", "ServerStatistics"]
