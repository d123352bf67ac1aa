"""The story: four orders. One is paid at once, one late, one is sold out, one has no address until
somebody adds it.

What is shown comes from the record subscription, as any exporter or audit would see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from grevy.client import Client, Job, JobError, Worker
from grevy.protocol.intents import (
    BpmnElementType,
    IncidentIntent,
    Intent,
    ProcessInstanceIntent,
    RecordType,
    TimerIntent,
)
from grevy.protocol.record import Record
from grevy.protocol.values import (
    IncidentValue,
    ProcessInstanceValue,
    TimerValue,
    Value,
    VariableValue,
)

ADDRESS = {"name": "Ada", "address": "1 Analytical Row"}


class Order(Struct, frozen=True):
    """An order of the story: its variables, and what there is to see about it."""

    id: str
    what: str
    total: int
    items: list[str]
    customer: dict[str, str]


ORDERS = (
    Order("o-1", "paid at once", 40, ["book"], ADDRESS),
    Order("o-2", "paid late, worth a gift", 250, ["lamp", "desk"], ADDRESS),
    Order("o-3", "sold out", 15, ["unicorn"], ADDRESS),
    Order("o-4", "has no address", 60, ["chair"], {"name": "Bob"}),
)


class Trail:
    """The audit trail so far, and who waits for something in it."""

    def __init__(self) -> None:
        self.records: list[tuple[int, Record]] = []
        self._changed = asyncio.Condition()

    async def follow(self, client: Client) -> None:
        """Reads the log from its beginning, for as long as the demo goes on."""
        async for batch in client.subscribe_records(partition_id=1, from_position=1):
            async with self._changed:
                for entry in batch.entries:
                    for place, record in enumerate(entry.records):
                        self.records.append((entry.first_position + place, record))
                self._changed.notify_all()

    async def wait(self, matches: Callable[[Record], bool]) -> Record:
        """The first record that matches, which may still have to come."""
        seen = 0
        async with self._changed:
            while True:
                for _, record in self.records[seen:]:
                    if matches(record):
                        return record
                seen = len(self.records)
                await self._changed.wait()


def happened(intent: Intent, instance: int, element: str = "") -> Callable[[Record], bool]:
    """Matches an event of a process instance, of an element if one is named."""

    def matches(record: Record) -> bool:
        value = record.value
        found = getattr(value, "element_id", "") or getattr(value, "target_element_id", "")
        return (
            record.record_type is RecordType.EVENT
            and record.intent is intent
            and getattr(value, "process_instance_key", -1) == instance
            and (not element or found == element)
        )

    return matches


def make_worker(client: Client, console: Console) -> Worker:
    """The worker of the demo: stock, reminders and shipping."""
    worker = Worker(client, name="demo")

    @worker.job("reserve-stock")
    async def reserve(job: Job) -> dict[str, object]:
        if job.variables["items"] == ["unicorn"]:
            raise JobError("SOLD_OUT", "there are no unicorns left")
        return {"reserved": True}

    @worker.job("remind")
    async def remind(job: Job) -> None:
        console.print(f"  worker: reminded the customer of {job.variables['order_id']} to pay")

    @worker.job("ship")
    async def ship(job: Job) -> dict[str, object]:
        if not job.variables["address"]:
            raise ValueError(f"order {job.variables['order_id']} has no address")
        return {"tracking": f"T-{job.key % 100_000}"}

    return worker


async def tell(client: Client, console: Console) -> None:
    """Plays the story and shows what became of each order, and the audit trail of one."""
    deployment = await client.deploy(
        ("order.bpmn", files(__package__).joinpath("order.bpmn").read_bytes())
    )
    process = deployment.processes[0]
    console.print(f"[bold]Deployed[/bold] {process.bpmn_process_id}, version {process.version}")
    trail = Trail()
    worker = make_worker(client, console)
    tasks = [asyncio.create_task(trail.follow(client)), asyncio.create_task(worker.run())]
    try:
        instances = await _create(client, console)
        await _play(client, console, trail, instances)
        _show_orders(console, trail, instances)
        _show_trail(console, trail, instances["o-4"])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _create(client: Client, console: Console) -> dict[str, int]:
    instances = {}
    for order in ORDERS:
        variables: dict[str, object] = {
            "order_id": order.id,
            "total": order.total,
            "items": order.items,
            "customer": order.customer,
            "payment_due": "PT0.5S" if order.id == "o-2" else "PT1H",
        }
        instance = await client.create_instance("order", variables=variables)
        instances[order.id] = instance.key
        console.print(f"[bold]Created[/bold] {order.id} ({order.what}): instance {instance.key}")
    return instances


async def _play(client: Client, console: Console, trail: Trail, instances: dict[str, int]) -> None:
    completed = ProcessInstanceIntent.ELEMENT_COMPLETED
    for order_id in ("o-1", "o-4"):
        await client.publish_message("payment-received", correlation_key=order_id, time_to_live=60)
        console.print(f"[bold]Published[/bold] the payment of {order_id}")
    await trail.wait(happened(TimerIntent.TRIGGERED, instances["o-2"], "late"))
    console.print("[bold]A timer fired[/bold]: o-2 is late")
    await trail.wait(happened(completed, instances["o-2"], "reminded"))
    await client.publish_message("payment-received", correlation_key="o-2", time_to_live=60)
    console.print("[bold]Published[/bold] the payment of o-2")
    incident = await trail.wait(happened(IncidentIntent.CREATED, instances["o-4"]))
    value = incident.value
    assert isinstance(value, IncidentValue)
    console.print(
        f"[bold red]An incident[/bold red] at '{value.element_id}': {value.error_message}"
    )
    await client.set_variables(value.element_instance_key, {"address": "2 Bobbin Lane"}, local=True)
    await client.update_job_retries(value.job_key, 1)
    await client.resolve_incident(incident.key)
    console.print("[bold]Resolved[/bold]: an address was added, the job may be tried again")
    for instance in instances.values():
        await trail.wait(happened(completed, instance, "order"))


def _show_orders(console: Console, trail: Trail, instances: dict[str, int]) -> None:
    table = Table(
        "order",
        "what",
        "way",
        "ended at",
        title="What happened to each order",
        title_justify="left",
    )
    for order in ORDERS:
        path = [
            value.element_id
            for _, record in trail.records
            if record.intent is ProcessInstanceIntent.ELEMENT_COMPLETED
            and isinstance(value := record.value, ProcessInstanceValue)
            and value.process_instance_key == instances[order.id]
            and value.bpmn_element_type is not BpmnElementType.PROCESS
        ]
        table.add_row(order.id, order.what, " → ".join(path[:-1]), path[-1])
    console.print()
    console.print(table)


def _show_trail(console: Console, trail: Trail, instance: int) -> None:
    table = Table(
        "position", "what", "event", "about", title="The audit trail of o-4", title_justify="left"
    )
    for position, record in trail.records:
        if getattr(record.value, "process_instance_key", -1) == instance:
            kind = record.record_type.name.lower().replace("_", " ")
            name = record.value_type.name.lower().replace("_", " ")
            shown = record.intent.name.lower().replace("_", " ")
            table.add_row(
                str(position),
                name,
                f"{shown} ({kind})" if kind != "event" else shown,
                _about(record.value),
            )
    console.print()
    console.print(table)


def _about(value: Value) -> str:
    match value:
        case VariableValue():
            return f"{value.name} = {value.value.decode()}"
        case IncidentValue():
            return f"{value.element_id}: {value.error_message}"
        case TimerValue():
            return value.target_element_id
    return str(getattr(value, "element_id", "") or getattr(value, "target_element_id", ""))
