"""The ports: what the rooms inside may know of the world outside.

A room takes these by constructor and never asks the operating system itself, so that the same code
runs in a broker (`grevy.broker.system`) and in a simulated world with virtual time and hurtful
disks (`tests/sim`).
"""

from grevy.ports.clock import Clock
from grevy.ports.disk import Disk, File
from grevy.ports.entropy import Entropy

__all__ = ["Clock", "Disk", "Entropy", "File"]
