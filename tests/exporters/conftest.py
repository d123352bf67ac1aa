"""A real OpenSearch for the tests of this folder, from Maven artifacts; see `opensearch/`."""

from __future__ import annotations

import fcntl
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from elastic_transport import NodeConfig, Transport, TransportError

HERE = Path(__file__).parent / "opensearch"
CACHE = Path.home() / ".cache" / "grevy-tests" / "opensearch-2.19.1"
JAVA_MIN = 17
START_SECONDS_MAX = 120


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running OpenSearch, which ends with the session."""
    _skip_without_tools()
    _fetch_jars()
    home = tmp_path_factory.mktemp("opensearch")
    port = _free_port()
    command = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{CACHE}/lib/*"]
    with (home / "log").open("wb") as log:
        java = subprocess.Popen(
            [*command, str(HERE / "Run.java"), str(port), str(home)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home,
        )
        try:
            _wait_started(java, port, home / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            java.kill()
            java.communicate()


def _skip_without_tools() -> None:
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: no OpenSearch to test against")
    text = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', text)
    if version is None or int(version[1]) < JAVA_MIN:
        pytest.skip(f"OpenSearch needs a JDK of at least {JAVA_MIN}: {text}")


def _fetch_jars() -> None:
    """Fetches the jars once for all sessions; those that run at the same time wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (CACHE / "complete").exists():
            return
        fetch = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        subprocess.run([*fetch, f"-DoutputDirectory={CACHE / 'lib'}"], check=True, cwd=CACHE)
        (CACHE / "complete").touch()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_started(java: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and java.poll() is None:
        if _is_healthy(port):
            return
        time.sleep(0.2)
    pytest.fail(f"OpenSearch did not start: {log.read_text()[-2000:]}")


def _is_healthy(port: int) -> bool:
    transport = Transport([NodeConfig("http", "127.0.0.1", port)], max_retries=0)
    try:
        answer = transport.perform_request("GET", "/_cluster/health?wait_for_status=green")
    except TransportError:
        return False
    else:
        return answer.meta.status == 200
    finally:
        transport.close()
