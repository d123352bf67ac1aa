"""The story: four orders. One is paid at once, one late, one is sold out, one has no address until
somebody adds it.

What is shown comes from the record subscription, as any exporter or audit would see it.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files

from rich.console import Console

from grevy.broker.demo.screen import Order, Screen
from grevy.broker.demo.trail import Trail
from grevy.client import Client, Job, JobError, JobFailed, Worker
from grevy.protocol.intents import IncidentIntent, ProcessInstanceIntent, TimerIntent
from grevy.protocol.values import IncidentValue

ADDRESS = {"name": "Ada", "address": "1 Analytical Row"}

ORDERS = (
    Order("o-1", "paid at once", 40, ["book"], ADDRESS, "PT1H"),
    Order("o-2", "paid late, worth a gift", 250, ["lamp", "desk"], ADDRESS, "PT0.5S"),
    Order("o-3", "sold out", 15, ["unicorn"], ADDRESS, "PT1H"),
    Order("o-4", "has no address", 60, ["chair"], {"name": "Bob"}, "PT1H"),
)


def make_worker(client: Client) -> Worker:
    """The worker of the demo: stock, reminders and shipping."""
    worker = Worker(client, name="demo")

    @worker.job("reserve-stock")
    async def reserve(job: Job) -> dict[str, object]:
        if job.variables["items"] == ["unicorn"]:
            raise JobError("SOLD_OUT", "there are no unicorns left")
        return {"reserved": True}

    @worker.job("remind")
    async def remind(job: Job) -> dict[str, object]:
        return {"reminded": job.variables["order_id"]}

    @worker.job("ship")
    async def ship(job: Job) -> dict[str, object]:
        if not job.variables["address"]:
            raise JobFailed("where to? the order has no address")
        return {"tracking": f"T-{job.key % 100_000}"}

    return worker


async def tell(client: Client, console: Console) -> None:
    """Plays the story and shows what became of each order, and the audit trail of one."""
    model = files(__package__).joinpath("order.bpmn").read_bytes()
    (process,) = (await client.deploy(("order.bpmn", model))).processes
    screen = Screen(console)
    screen.begin(f"process {process.bpmn_process_id}, version {process.version}, is deployed")
    trail = Trail(screen.hear)
    worker = make_worker(client)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(trail.follow(client))
        working = group.create_task(worker.run())
        instances = await _play(client, screen, trail)
        following.cancel()
        working.cancel()
    screen.show_orders(ORDERS, trail.entries, instances)
    screen.show_trail("o-4", trail.entries, instances["o-4"])


async def _play(client: Client, screen: Screen, trail: Trail) -> dict[str, int]:
    """The whole story; the process instances of the orders."""
    completed = ProcessInstanceIntent.ELEMENT_COMPLETED
    instances = {}
    for order in ORDERS:
        created = await client.create_instance("order", variables=order.variables())
        instances[order.id] = created.key
        await trail.wait(completed, created.key, "ordered")

    await _pay(client, screen, "o-1")
    await _pay(client, screen, "o-4")
    await trail.wait(TimerIntent.TRIGGERED, instances["o-2"], "late")
    await trail.wait(completed, instances["o-2"], "reminded")
    await _pay(client, screen, "o-2")

    incident = await trail.wait(IncidentIntent.CREATED, instances["o-4"])
    assert isinstance(incident.value, IncidentValue)
    stuck = incident.value
    screen.act("o-4", "we add an address, give the job another try and resolve the incident")
    await client.set_variables(stuck.element_instance_key, {"address": "2 Bobbin Lane"}, local=True)
    await client.update_job_retries(stuck.job_key, 1)
    await client.resolve_incident(incident.key)

    for instance in instances.values():
        await trail.wait(completed, instance, "order")
    return instances


async def _pay(client: Client, screen: Screen, order_id: str) -> None:
    screen.act(order_id, "we publish the message payment-received")
    await client.publish_message("payment-received", correlation_key=order_id, time_to_live=60)
