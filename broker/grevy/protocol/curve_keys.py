"""The keys of CURVE, as they lie in files: who one is, and whom one lets in.

A key is 40 characters of Z85. A pair lies in a file of the form that pyzmq's `create_certificates`
writes; a list of those who may come in has a name and a public key on each line:

    # brokers, by node id
    1  Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID
    2  rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7

Secrets are shown nowhere: not in a representation, an error or a log.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from grevy.protocol.errors import GrevyError
from grevy.protocol.limits import KEY_FILE_BYTES_MAX

__all__ = ["KeyFileError", "KeyPair", "is_key", "load_allowed_keys", "load_key_pair"]

_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_LINE: Final = re.compile(r'\s*(public-key|secret-key)\s*=\s*"([^"]*)"\s*')
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyFileError(GrevyError):
    """A file of keys that cannot be used; the text names it and says why, and shows no key."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Who one is: both keys in Z85. Raises `KeyFileError` for what is no key."""

    public: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_key(self.public) or not is_key(self.secret):
            raise KeyFileError("expected keys of 40 characters of Z85")

    def save(self, path: Path) -> None:
        """Write the pair where nobody else can read it; a file that is there is left alone.

        Raises `OSError`.
        """
        text = f'metadata\ncurve\n    public-key = "{self.public}"\n'
        text += f'    secret-key = "{self.secret}"\n'
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(number, "w", encoding="ascii") as file:
            file.write(text)


def is_key(text: str) -> bool:
    """Whether this is a key in Z85."""
    return _KEY.fullmatch(text) is not None


def load_key_pair(path: Path) -> KeyPair:
    """The pair in a file that only its owner may read; raises `KeyFileError`."""
    matches = [_LINE.fullmatch(line) for line in _lines(path, is_secret=True)]
    found = {match[1]: match[2] for match in matches if match}
    try:
        return KeyPair(found["public-key"], found["secret-key"])
    except (KeyError, KeyFileError):
        raise KeyFileError(f"{path}: expected a public-key and a secret-key in Z85") from None


def load_allowed_keys(path: Path) -> Mapping[str, str]:
    """Names by public keys, as a file lists them; raises `KeyFileError`. A name may have several
    keys, so that one can be replaced.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(_lines(path), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or not is_key(words[1]):
            raise KeyFileError(f"{path}, line {number}: expected a name and a public key in Z85")
        if words[1] in names:
            raise KeyFileError(f"{path}, line {number}: a key that is there already")
        names[words[1]] = words[0]
    return names


def _lines(path: Path, *, is_secret: bool = False) -> list[str]:
    try:
        with path.open("rb") as file:
            if is_secret and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise KeyFileError(f"{path}: others may read or write it; chmod 600 helps")
            data = file.read(KEY_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    if len(data) > KEY_FILE_BYTES_MAX:
        raise KeyFileError(f"{path}: more than {KEY_FILE_BYTES_MAX} bytes")
    try:
        return data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise KeyFileError(f"{path}: expected text") from None
