"""Pseudonyms: stable in one data folder, different in another, with a secret that stays there."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from coefvq.errors import StoreError
from coefvq.export.pseudonyms import KEY_NAME, by_name, pseudonym, pseudonyms


def test_a_pseudonym_is_a_keyed_hash() -> None:
    expected = hmac.new(b"k" * 32, "anné".encode(), hashlib.sha256).hexdigest()[:8]
    assert pseudonym(b"k" * 32, "anné") == f"reviewer-{expected}"
    assert by_name("ann") == "ann"


def test_the_same_person_stays_the_same_in_one_folder(tmp_path: Path) -> None:
    names = ("ann", "bob", "Ann", "local")
    first = [pseudonyms(tmp_path)(name) for name in names]
    assert first == [pseudonyms(tmp_path)(name) for name in names]
    assert len(set(first)) == 4
    assert all(re.fullmatch(r"reviewer-[0-9a-f]{8}", made) for made in first)


def test_another_folder_has_other_pseudonyms(tmp_path: Path) -> None:
    assert pseudonyms(tmp_path / "one")("ann") != pseudonyms(tmp_path / "two")("ann")


def test_only_the_owner_reads_the_secret(tmp_path: Path) -> None:
    pseudonyms(tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == [KEY_NAME]
    assert (tmp_path / "home" / KEY_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", ["", "zz", "00" * 31, "\udce4".encode("utf-8", "surrogateescape")]
)
def test_a_damaged_secret_is_said_and_not_replaced(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / KEY_NAME
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StoreError, match=KEY_NAME):
        pseudonyms(tmp_path)
    assert path.stat().st_size == len(content)
