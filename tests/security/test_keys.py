"""Keys in files: who may read them, what is refused, and that secrets stay where they are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq.auth

from grevy.client import ClientKeys, ClientOptions
from grevy.protocol.curve_keys import KeyFileError, KeyPair, load_allowed_keys, load_key_pair
from grevy.protocol.limits import KEY_FILE_BYTES_MAX
from grevy.transport import AllowList, PortSecurity, new_key_pair


def test_a_pair_comes_back_from_its_file(tmp_path: Path) -> None:
    pair = new_key_pair()
    path = tmp_path / "broker.key_secret"
    pair.save(path)
    assert load_key_pair(path) == pair
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert zmq.auth.load_certificate(path) == (pair.public.encode(), pair.secret.encode())


def test_a_pair_is_not_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "key"
    new_key_pair().save(path)
    with pytest.raises(FileExistsError):
        new_key_pair().save(path)


def test_certificates_of_pyzmq_are_taken(tmp_path: Path) -> None:
    _, secret_file = zmq.auth.create_certificates(tmp_path, "broker")
    Path(secret_file).chmod(0o600)
    pair = load_key_pair(Path(secret_file))
    assert zmq.auth.load_certificate(secret_file) == (pair.public.encode(), pair.secret.encode())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o602, 0o610])
def test_a_pair_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    new_key_pair().save(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=r"key: others may read or write it; chmod 600 helps"):
        load_key_pair(path)


@pytest.mark.parametrize(
    "text",
    ["", "curve\n", 'public-key = "short"\nsecret-key = "short"\n', 'secret-key = "{secret}"\n'],
    ids=["empty", "no keys", "short keys", "no public key"],
)
def test_files_without_a_pair_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    pair = new_key_pair()
    path = tmp_path / "key"
    path.write_text(text.replace("{secret}", pair.secret))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="expected a public-key and a secret-key") as raised:
        load_key_pair(path)
    assert pair.secret not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for load in (load_key_pair, load_allowed_keys):
        with pytest.raises(KeyFileError, match=r"nowhere: No such file"):
            load(tmp_path / "nowhere")


def test_files_of_anything_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for data in (b"\xff\xfe", bytes(KEY_FILE_BYTES_MAX + 1)):
        path.write_bytes(data)
        path.chmod(0o600)
        for load in (load_key_pair, load_allowed_keys):
            with pytest.raises(KeyFileError):
                load(path)


def test_lists_name_keys(tmp_path: Path) -> None:
    one, two, other = new_key_pair(), new_key_pair(), new_key_pair()
    path = tmp_path / "allowed"
    path.write_text(f"# brokers\n\n1 {one.public}\n1\t{two.public}\n 2  {other.public} \n")
    allowed = AllowList.load(path)
    assert allowed.keys_of("1") == (one.public, two.public)
    assert allowed.name_of(other.public) == "2"
    assert allowed.name_of(one.secret) is None
    assert len(allowed.keys()) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n", "line 1: expected a name and a public key"),
        ("# a\n1 tooshort\n", "line 2: expected a name and a public key"),
        ("1 {key} more\n", "line 1: expected a name and a public key"),
        ("1 {key}\n2 {key}\n", "line 2: a key that is there already"),
    ],
    ids=["no key", "no Z85", "too much", "twice"],
)
def test_lists_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "allowed"
    path.write_text(text.replace("{key}", new_key_pair().public))
    with pytest.raises(KeyFileError, match=message):
        AllowList.load(path)


def test_secrets_are_shown_nowhere() -> None:
    pair = new_key_pair()
    keys = ClientKeys(own=pair, brokers=(new_key_pair().public,))
    shown = [pair, keys, ClientOptions(keys=keys), PortSecurity(pair, AllowList({}))]
    for item in shown:
        assert pair.secret not in repr(item) + str(item)
        assert pair.public in repr(item)
    with pytest.raises(KeyFileError) as raised:
        KeyPair(pair.public, pair.secret + "x")
    assert pair.secret not in str(raised.value)


def test_a_client_needs_a_broker_s_key() -> None:
    for brokers in ((), ("short",)):
        with pytest.raises(ValueError, match="brokers must be one key or more"):
            ClientKeys(own=new_key_pair(), brokers=brokers)
