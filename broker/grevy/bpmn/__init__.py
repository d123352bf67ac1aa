"""BPMN files: read with suspicion, validated as a whole, compiled into what the engine runs.

    processes = compile_processes("order.bpmn", data)   # raises InvalidModel: all faults at once

Bytes become a small tree (room `xml`); the tree becomes elements by a table of readers (`elements`,
with `events` and `tasks`; what Zeebe adds in `extensions`); these are connected (`flows`) and
checked (`validation`, `loops`). `cron` and `cycle` read what a timer repeats by, for the engine
too. To support another element, write its reader and add its line in `elements`.
"""

from grevy.bpmn.compiler import compile_processes
from grevy.bpmn.cron import Cron, parse_cron
from grevy.bpmn.cycle import FOREVER, Cycle, parse_cycle
from grevy.bpmn.errors import InvalidModel
from grevy.xml import Fault

__all__ = [
    "FOREVER",
    "Cron",
    "Cycle",
    "Fault",
    "InvalidModel",
    "compile_processes",
    "parse_cron",
    "parse_cycle",
]
