"""What the demo draws: the story as it happens, what became of each order, an audit trail."""

from __future__ import annotations

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grevy.broker.demo.audit import Happening, happenings
from grevy.broker.demo.trail import is_about
from grevy.protocol.intents import (
    BpmnElementType,
    IncidentIntent,
    JobIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    TimerIntent,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    IncidentValue,
    JobValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    TimerValue,
)


class Order(msgspec.Struct, frozen=True):
    """An order of the story: its variables, and what there is to see about it."""

    id: str
    what: str
    total: int
    items: list[str]
    customer: dict[str, str]
    payment_due: str

    def variables(self) -> dict[str, object]:
        """What its process instance begins with."""
        return {
            "order_id": self.id,
            "total": self.total,
            "items": self.items,
            "customer": self.customer,
            "payment_due": self.payment_due,
        }


class Screen:
    """Draws on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_ms = 0
        self._orders: dict[int, str] = {}
        self._last_elements: dict[int, str] = {}

    def begin(self, text: str) -> None:
        """The story begins."""
        self._console.print(f"[bold]{text}[/bold]\n")

    def act(self, order_id: str, text: str) -> None:
        """Somebody outside of the broker does something."""
        self._line("", order_id, "→", text, "cyan")

    def hear(self, entry: Entry, record: Record) -> None:
        """A record was committed: a line for those that tell the story."""
        value = record.value
        match record.intent, value:
            case ProcessInstanceCreationIntent.CREATED, ProcessInstanceCreationValue():
                self._began_ms = self._began_ms or entry.timestamp
                ordered = msgspec.json.decode(value.variables)
                self._orders[value.process_instance_key] = ordered["order_id"]
                text = f"ordered: {', '.join(ordered['items'])} for {ordered['total']}"
                self._tell(entry, value.process_instance_key, "●", text, "bold")
            case JobIntent.COMPLETED, JobValue():
                text = f"worker did {value.type}: {value.variables.decode()}"
                self._tell(entry, value.process_instance_key, "✓", text, "")
            case JobIntent.ERROR_THROWN, JobValue():
                text = f"worker threw {value.error_code}: {value.error_message}"
                self._tell(entry, value.process_instance_key, "✗", text, "yellow")
            case ProcessMessageSubscriptionIntent.CORRELATED, ProcessMessageSubscriptionValue():
                text = f"message {value.message_name} correlated"
                self._tell(entry, value.process_instance_key, "✉", text, "")
            case TimerIntent.TRIGGERED, TimerValue():
                text = f"timer '{value.target_element_id}' fired"
                self._tell(entry, value.process_instance_key, "◷", text, "magenta")
            case IncidentIntent.CREATED, IncidentValue():
                text = f"incident at '{value.element_id}': {value.error_message}"
                self._tell(entry, value.process_instance_key, "!", text, "bold red")
            case IncidentIntent.RESOLVED, IncidentValue():
                self._tell(entry, value.process_instance_key, "✓", "incident resolved", "green")
            case ProcessInstanceIntent.ELEMENT_COMPLETED, ProcessInstanceValue():
                self._completed(entry, value)

    def _completed(self, entry: Entry, value: ProcessInstanceValue) -> None:
        key = value.process_instance_key
        if value.bpmn_element_type is BpmnElementType.PROCESS:
            self._tell(entry, key, "■", f"ended: {self._last_elements[key]}", "bold green")
        self._last_elements[key] = value.element_id

    def _tell(self, entry: Entry, instance: int, symbol: str, text: str, style: str) -> None:
        seconds = (entry.timestamp - self._began_ms) / 1000
        self._line(f"{seconds:.3f} s", self._orders[instance], symbol, text, style)

    def _line(self, time: str, order_id: str, symbol: str, text: str, style: str) -> None:
        self._console.print(
            Text.assemble((f"{time:>9}  ", "dim"), f"{order_id}  ", (f"{symbol} {text}", style))
        )

    def show_orders(
        self, orders: tuple[Order, ...], entries: list[Entry], instances: dict[str, int]
    ) -> None:
        """The way that each order took."""
        table = _table("What became of each order", "order", "what", "way", "s")
        table.columns[3].justify = "right"
        for order in orders:
            instance = instances[order.id]
            completed = [
                (entry.timestamp, record.value)
                for entry in entries
                for record in entry.records
                if record.intent is ProcessInstanceIntent.ELEMENT_COMPLETED
                and is_about(record, instance)
            ]
            values = [value for _, value in completed if isinstance(value, ProcessInstanceValue)]
            seconds = (completed[-1][0] - completed[0][0]) / 1000
            table.add_row(order.id, order.what, _way(values), f"{seconds:.3f}")
        self._console.print("", table)

    def show_trail(self, order_id: str, entries: list[Entry], instance: int) -> None:
        """All that the log says about one order."""
        title = f"The audit trail of {order_id}: each command, and what followed from it"
        table = _table(title, "position", "s", "element", "what happened")
        table.columns[0].justify = table.columns[1].justify = "right"
        first = 0
        for happening in happenings(entries, instance):
            first = first or happening.timestamp
            if happening.is_command:
                table.add_section()
            table.add_row(*_cells(happening, first))
        self._console.print("", table)


def _way(values: list[ProcessInstanceValue]) -> Text:
    """Completed elements with arrows between them; where it ended stands out."""
    elements = [v for v in values if v.bpmn_element_type is not BpmnElementType.PROCESS]
    text = Text()
    for number, value in enumerate(elements):
        is_last = number + 1 == len(elements)
        is_boundary = value.bpmn_element_type is BpmnElementType.BOUNDARY_EVENT
        style = "bold green" if is_last else "yellow" if is_boundary else ""
        text.append(value.element_id, style).append("" if is_last else " → ", "dim")
    return text


def _cells(happening: Happening, first_ms: int) -> tuple[Text, ...]:
    style = happening.style
    positions = f"{happening.first_position}"
    if happening.last_position > happening.first_position:
        positions += f"–{happening.last_position}"
    seconds = f"{(happening.timestamp - first_ms) / 1000:.3f}" if happening.is_command else ""
    what = Text(happening.what, style)
    return Text(positions, "dim"), Text(seconds, "dim"), Text(happening.element, style), what


def _table(title: str, *columns: str) -> Table:
    return Table(
        *columns,
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
