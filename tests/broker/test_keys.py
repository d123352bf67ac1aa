"""A broker whose ports take keys: who has one gets in, by the command line and as an exporter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.broker.processes import BrokerProcess, wait_until

from grevy.broker.config import BrokerConfig, ConfigError


@pytest.mark.parametrize(("hosts", "is_listed"), [(1, True), (2, True), (2, False)])
def test_only_who_has_a_key_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: int, is_listed: bool
) -> None:
    """Hosts of a broker know each other by its key, even where no broker's keys are listed."""
    lines = tmp_path / "lines"
    broker = BrokerProcess(tmp_path, [("lines", "json-lines", {"path": str(lines)})])
    public = {
        name: str(broker.rows("keys", str(tmp_path / name))[0]["public"])
        for name in ("broker", "client", "stranger")
    }
    (tmp_path / "brokers").write_text(f"1 {public['broker']}\n")
    (tmp_path / "clients").write_text(f"1 {public['broker']}\nshop {public['client']}\n")
    paths = {"keys": "broker", "broker_keys": "brokers", "client_keys": "clients"}
    if not is_listed:
        del paths["broker_keys"]
    settings = f"hosts = {hosts}\npartitions = 2\n"
    settings += "".join(f'{name} = "{tmp_path / path}"\n' for name, path in paths.items())
    broker.config.write_text(settings + broker.config.read_text())
    broker.start()
    try:
        monkeypatch.setenv("GREVY_BROKER_KEYS", str(tmp_path / "brokers"))
        monkeypatch.setenv("GREVY_KEYS", str(tmp_path / "client"))
        assert broker.rows("status")[0]["endpoint"] == broker.address
        assert broker.rows("publish", "paid", "--ttl", "60")
        assert "all is well" in broker.grevy("cluster", "status").stdout
        wait_until(lambda: lines.exists() and any(lines.iterdir()))  # the exporter has come in too
        for pair in ("stranger", ""):
            monkeypatch.setenv("GREVY_KEYS", str(tmp_path / pair) if pair else "")
            assert "no broker answers" in str(broker.error("status")["error"])
    finally:
        broker.stop()
    assert "secret" not in broker.log.read_text()
    secret = (tmp_path / "broker").read_text().rpartition("secret-key = ")[2].strip().strip('"')
    assert secret not in broker.log.read_text()
    assert os.stat(tmp_path / "broker").st_mode & 0o077 == 0


def test_other_machines_need_keys() -> None:
    with pytest.raises(ConfigError, match=r"cluster_host: .* is not loopback"):
        BrokerConfig(cluster_host="10.0.0.1").validate()
    with pytest.raises(ConfigError, match="keys: expected this broker's key pair"):
        BrokerConfig(client_keys=Path("clients")).validate()
    with pytest.raises(ConfigError, match="broker_keys, client_keys: expected a list"):
        BrokerConfig(keys=Path("own")).validate()  # it would go on unencrypted
    BrokerConfig(
        host="10.0.0.1", cluster_host="10.0.0.1",
        keys=Path("own"), broker_keys=Path("brokers"), client_keys=Path("clients"),
    ).validate()  # fmt: skip
