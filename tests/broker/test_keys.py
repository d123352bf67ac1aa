"""A broker whose ports take keys: who has one gets in, by the command line and as an exporter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.broker.processes import BrokerProcess, wait_until

from grevy.broker.cluster import links_security_of
from grevy.broker.config import BrokerConfig, ConfigError, load_config
from grevy.broker.hosts import WHOLE
from grevy.transport import new_key_pair


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
        refusals = {
            "stranger": "does not let this client in: its client_keys do not have the public key "
            + public["stranger"],
            "": "wants keys (GREVY_KEYS, GREVY_BROKER_KEYS), or is no broker",
        }
        for pair, why in refusals.items():
            monkeypatch.setenv("GREVY_KEYS", str(tmp_path / pair) if pair else "")
            assert broker.error("status")["error"] == f"{broker.address} {why}"
        monkeypatch.setenv("GREVY_KEYS", str(tmp_path / "client"))
        ports = broker.rows("status")[0]["ports"]
        assert isinstance(ports, list)
        assert any(port["denied"] for port in ports if port["port"] == "clients")
        assert any(port["port"] == "brokers" for port in ports) == (hosts > 1)
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


def test_keys_of_the_command_line_are_not_a_broker_s_that_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """README sets both variables for the command line, and brokers are started in such shells."""
    for name in ("CLIENT_KEYS", "CLUSTER_SIZE"):
        monkeypatch.delenv(f"GREVY_{name}", raising=False)
    monkeypatch.setenv("GREVY_KEYS", "of-the-client")
    monkeypatch.setenv("GREVY_BROKER_KEYS", "that-the-client-knows")
    monkeypatch.setenv("GREVY_PORT", "1234")
    file = tmp_path / "grevy.toml"
    file.write_text('keys = "own"\nclient_keys = "clients"\nport = 1\n')
    config = load_config(file, {})
    assert (config.keys, config.client_keys) == (Path("own"), Path("clients"))
    assert config.broker_keys == Path("that-the-client-knows"), "the file does not say any"
    assert config.port == 1234, "otherwise the environment comes before the file"
    assert load_config(file, {"keys": Path("given")}).keys == Path("given")
    file.write_text("")
    assert load_config(file, {}).keys == Path("of-the-client"), "containers set nothing else"


@pytest.mark.parametrize(
    ("listed", "owner"),
    [("2 {own}", "that of broker 2"), ("1 {other}", "that of nobody"), ("1 {own}", "")],
)
def test_a_broker_that_its_own_list_knows_otherwise_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, listed: str, owner: str
) -> None:
    own, other = new_key_pair(), new_key_pair()
    own.save(tmp_path / "own")
    keys, brokers = tmp_path / "own", tmp_path / "brokers"
    brokers.write_text(listed.format(own=own.public, other=other.public) + "\n")
    assert links_security_of(BrokerConfig(keys=keys, broker_keys=brokers), WHOLE) is not None
    expected = (
        f"other brokers will not let this one in: {keys} is to have the keys of broker 1, but "
        f"{brokers} lists its public key as {owner}"
    )
    assert caplog.messages == ([expected] if owner else [])
