"""Appliers of deployments."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.protocol.keys import partition_of
from grevy.protocol.values import DeploymentValue, ProcessValue, ResourceDeletionValue


def apply_process_created(stores: Stores, _key: int, value: ProcessValue) -> None:
    """A process definition is there."""
    stores.processes.put(value)


def apply_process_deleting(stores: Stores, _key: int, value: ProcessValue) -> None:
    """A process definition goes; while instances of it live, only they know it."""
    if stores.processes.has_running_instances(value.process_definition_key):
        stores.processes.retire(value)


def apply_process_deleted(stores: Stores, _key: int, value: ProcessValue) -> None:
    """A process definition is gone."""
    stores.processes.remove(value)


def apply_deployment_created(stores: Stores, key: int, _value: DeploymentValue) -> None:
    """A deployment is there: another partition's was distributed."""
    _receive(stores, key)


def apply_resource_deleted(stores: Stores, key: int, _value: ResourceDeletionValue) -> None:
    """A resource is gone: another partition's deletion was distributed."""
    _receive(stores, key)


def _receive(stores: Stores, key: int) -> None:
    if partition_of(key) != stores.partition_id:
        stores.distributions.receive(key)
