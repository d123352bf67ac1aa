"""The room of sockets: what clients say comes in, what brokers answer goes out; and what brokers
say to each other.

Nothing else in a broker imports zmq.
"""

from grevy.transport.cluster import ClusterLinks
from grevy.transport.cluster_options import ClusterHandler, ClusterOptions, ClusterStatistics
from grevy.transport.curve import AllowList, PortSecurity, new_key_pair
from grevy.transport.peer import Handler, Peer, ServerOptions, ServerStatistics
from grevy.transport.port import InsecurePort
from grevy.transport.server import Server

__all__ = [
    "AllowList",
    "ClusterHandler",
    "ClusterLinks",
    "ClusterOptions",
    "ClusterStatistics",
    "Handler",
    "InsecurePort",
    "Peer",
    "PortSecurity",
    "Server",
    "ServerOptions",
    "ServerStatistics",
    "new_key_pair",
]
