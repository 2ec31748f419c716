"""The copy of a warehouse in the local Drive: made once, replaced in place, never over something newer."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ingest import facts
from orchestration.backup import COPY_NAME
from services import drive
from services.drive import DriveConfig
from services.google_auth import GoogleSession
from services.receipts import DuckDBReceipts, FileReceipts, Receipt
from tests.service.faults import Fault
from tests.service.helpers import QUICK
from tests.service.server import Service, environment
from tests.support import land_folder, trends, video, write_feed
from warehouse import copies
from warehouse.copies import BackupError, put_back, state_of, write_copy
from warehouse.store import Store

pytest_plugins = ["tests.service.fixtures"]
PARENT = "parent"


@pytest.fixture(autouse=True)
def configured(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings lead to the service, with the user's folder and a file of the user's own in it."""
    service.drive.add_folder(PARENT, "Trends")
    service.drive.files["mine"] = {
        "id": "mine", "name": COPY_NAME, "mimeType": "application/zip", "parents": [PARENT], "trashed": False,
        "appProperties": {},
    }  # fmt: skip
    service.drive.set_content("mine", b"the user's own")
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRIVE_FOLDER_ID", PARENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "feeds"


def land(store: Store, folder: Path, day: int) -> None:
    """Lands one more day's feed."""
    write_feed(folder, f"2026-01-{day:02}T08:00", [video(plays=1000 * day)])
    land_folder(store, folder, f"2026-01-{day:02}T09:00")


def in_drive(service: Service) -> list[dict[str, object]]:
    """The files with the copy's name that are not the user's."""
    return [file for file in service.drive.children(PARENT) if file["name"] == COPY_NAME and file["id"] != "mine"]


def loads(store: Store) -> list[tuple[object, ...]]:
    with store.facts_writer() as connection:
        return connection.execute("select load_id, landed_at, content_hash from raw.loads order by 1").fetchall()


def test_a_copy_is_made_once_and_replaced_in_place(service: Service, store: Store, folder: Path) -> None:
    land(store, folder, 5)
    first = trends("backup", "--home", store.home)
    assert first.code == 0, first.err
    assert first.out.startswith(f"backup created: {COPY_NAME} in Drive")
    (copy,) = in_drive(service)
    again = trends("backup", "--home", store.home)
    assert again.out.startswith("backup unchanged")
    land(store, folder, 6)
    assert trends("backup", "--home", store.home).out.startswith("backup updated")
    (replaced,) = in_drive(service)
    assert replaced["id"] == copy["id"]
    assert replaced["version"] == "2"
    assert service.drive.files["mine"]["content"] == b"the user's own"


def test_a_lost_home_comes_back_whole(service: Service, store: Store, folder: Path) -> None:
    """Raw rows, receipts and the revenue cache; the ledger of the copy is lost too and found by looking."""
    land(store, folder, 5)
    cache = store.data / "revenue_cache.json"
    cache.parent.mkdir(parents=True)
    cache.write_text('{"rows": []}')
    ledger = DuckDBReceipts(partial(facts.writer, store), lambda: datetime(2026, 1, 5, 9, tzinfo=UTC))
    ledger.save(Receipt("k", "e", "t", "id", "d"))
    before = hashlib.md5(store.facts_path.read_bytes()).hexdigest()
    assert trends("backup", "--home", store.home).code == 0
    new = Store(store.home.with_name("new"))
    outcome = trends("restore", "--home", new.home)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(f"restored {new.facts_path} from Drive: 1 loads")
    assert hashlib.md5(new.facts_path.read_bytes()).hexdigest() == before
    assert (new.data / "revenue_cache.json").read_text() == '{"rows": []}'
    assert sorted(path.name for path in new.warehouse.iterdir()) == ["build.holder", "build.lock", "facts.duckdb"]
    # The restored home goes on with the same file.
    assert trends("backup", "--home", new.home).out.startswith("backup unchanged")
    land(new, folder, 6)
    assert trends("backup", "--home", new.home).out.startswith("backup updated")
    assert len(in_drive(service)) == 1


def test_an_older_warehouse_is_brought_forward_and_a_newer_one_stays(store: Store, folder: Path) -> None:
    land(store, folder, 5)
    older = Store(store.home.with_name("older"))
    land(older, folder, 5)
    land(store, folder, 6)
    assert trends("backup", "--home", store.home).code == 0
    for _ in range(2):  # the second time there is nothing to do
        assert trends("restore", "--if-newer", "--home", older.home).code == 0
        assert loads(older) == loads(store)
    land(older, folder, 7)
    kept = trends("restore", "--if-newer", "--home", older.home)
    assert (kept.code, kept.out[:12]) == (0, "not restored")
    assert len(loads(older)) == 3
    refused = trends("restore", "--home", older.home)
    assert refused.code == 1
    assert "3 loads" in refused.err
    assert "`trends restore --force`" in refused.err
    assert len(loads(older)) == 3
    forced = trends("restore", "--force", "--home", older.home)
    assert forced.code == 0, forced.err
    assert loads(older) == loads(store)
    (aside,) = older.warehouse.glob("facts.replaced-*.duckdb")
    assert str(aside) in forced.out


def test_warehouses_that_went_apart_are_never_replaced_unasked(service: Service, store: Store, folder: Path) -> None:
    """A home that began anew must not bury the copy of the full one, nor be buried by it."""
    land(store, folder, 5)
    assert trends("backup", "--home", store.home).code == 0
    (copy,) = in_drive(service)
    md5 = copy["md5Checksum"]
    anew = Store(store.home.with_name("anew"))
    write_feed(folder, "2026-01-08T08:00", [video(plays=9)], market="uk")
    land_folder(anew, folder, "2026-01-08T09:00")
    for command in (["backup"], ["restore"], ["restore", "--if-newer"]):
        outcome = trends(*command, "--home", anew.home)
        assert outcome.code == 1, command
        assert f"`trends {command[0]} --force`" in outcome.err
    assert in_drive(service)[0]["md5Checksum"] == md5
    assert len(loads(anew)) == 2
    assert trends("backup", "--force", "--home", anew.home).out.startswith("backup updated")


def test_what_is_not_configured_or_not_there_is_named(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = trends("backup", "--home", store.home)
    assert (nothing.code, "Run `trends run` first" in nothing.err) == (1, True)
    absent = trends("restore", "--home", store.home)
    assert (absent.code, "nothing was backed up there yet" in absent.err) == (1, True)
    assert trends("restore", "--if-newer", "--home", store.home).code == 0
    land(store, folder, 5)
    monkeypatch.delenv("DRIVE_FOLDER_ID")
    for command, flag in (("backup", "--if-configured"), ("restore", "--if-newer")):
        refused = trends(command, "--home", store.home)
        assert (refused.code, "set DRIVE_FOLDER_ID" in refused.err) == (1, True)
        told = trends(command, flag, "--home", store.home)
        assert (told.code, "set DRIVE_FOLDER_ID" in told.out) == (0, True)


def test_the_sample_is_not_copied(service: Service, store: Store, folder: Path) -> None:
    land(store, folder, 5)
    with store.facts_writer() as connection:
        connection.execute("update raw.loads set source = 'sample'")
    outcome = trends("backup", "--home", store.home)
    assert (outcome.code, "DELIVER_SAMPLE" in outcome.err) == (1, True)
    assert in_drive(service) == []


def damage_download(service: Service, store: Store) -> None:
    service.drive.damaged = 1


def replace_by_hand(service: Service, store: Store) -> None:
    service.drive.set_content(str(in_drive(service)[0]["id"]), b"something else")


@pytest.mark.parametrize(("harm", "told"), [(damage_download, "md5 differs"), (replace_by_hand, "replaced by hand")])
def test_a_damaged_copy_replaces_nothing(
    service: Service, store: Store, folder: Path, harm: Callable[[Service, Store], None], told: str
) -> None:
    land(store, folder, 5)
    land(store, folder, 6)
    assert trends("backup", "--home", store.home).code == 0
    older = Store(store.home.with_name("older"))
    harm(service, store)
    outcome = trends("restore", "--home", older.home)
    assert outcome.code == 1
    assert told in outcome.err
    assert not older.has_facts


def test_a_copy_that_somebody_replaced_by_hand_is_kept_beside_the_new_one(
    service: Service, store: Store, folder: Path
) -> None:
    land(store, folder, 5)
    assert trends("backup", "--home", store.home).code == 0
    (first,) = in_drive(service)
    service.drive.set_content(str(first["id"]), b"something else")
    assert trends("backup", "--home", store.home).out.startswith("backup created")
    assert sorted(file["content"] == b"something else" for file in in_drive(service)) == [False, True]


@pytest.mark.parametrize("cut", [1, 1000, -40])
def test_a_cut_or_changed_file_is_no_copy(store: Store, folder: Path, tmp_path: Path, cut: int) -> None:
    land(store, folder, 5)
    path = tmp_path / COPY_NAME
    write_copy(store, path, {})
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    new = Store(tmp_path / "new")
    with pytest.raises(BackupError, match="trends backup"):
        put_back(new, path, {}, force=False)
    assert not new.has_facts


@pytest.mark.parametrize("name", ["../elsewhere", "/elsewhere", "further.duckdb", "facts.duckdb.wal"])
def test_a_member_that_no_copy_has_is_refused(tmp_path: Path, name: str) -> None:
    with copies._writing(tmp_path / "odd.tar.zst") as archive:
        copies._add(archive, name, io.BytesIO(b"x"), 1)
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(BackupError, match=f"unexpected member {re.escape(name)}"):
        copies._unpack(tmp_path / "odd.tar.zst", inside)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inside", "odd.tar.zst"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    with copies._writing(tmp_path / "odd.tar.zst") as archive:
        member = tarfile.TarInfo("facts.duckdb")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(BackupError, match="unexpected member facts"):
        copies._unpack(tmp_path / "odd.tar.zst", inside)
    assert list(inside.iterdir()) == []


def test_a_copy_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_FREE_EXPANSION_BYTES", 1 << 20)
    with copies._writing(tmp_path / "bomb.tar.zst") as archive:
        copies._add(archive, "facts.duckdb", io.BytesIO(bytes(64 << 20)), 64 << 20)
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(BackupError, match="unpacks to more"):
        copies._unpack(tmp_path / "bomb.tar.zst", inside)
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("create view raw.v as select * from read_text('/etc/hostname')", "view raw.v"),
        ("create view raw.v as select * from '/etc/hostname.csv'", "view raw.v"),
        ("create macro raw.m() as 1", "macro raw.m"),
        ("create table raw.t (i integer default (1 + 1))", "default of raw.t.i"),
        ("create table raw.t (i integer check (i > 0))", "constraint of raw.t"),
    ],
)
def test_a_copy_whose_files_hold_code_is_refused(
    store: Store, folder: Path, tmp_path: Path, code: str, named: str
) -> None:
    land(store, folder, 5)
    with store.facts_writer() as connection:
        if code.startswith("create view"):
            # The file has to be there while the view is made.
            connection.execute(code.replace("/etc/hostname.csv", f"{_small_csv(tmp_path)}"))
        else:
            connection.execute(code)
    path = tmp_path / COPY_NAME
    write_copy(store, path, {})
    new = Store(tmp_path / "new")
    with pytest.raises(BackupError, match=rf"{re.escape(named)} would run somebody's code"):
        put_back(new, path, {}, force=False)
    assert not new.has_facts


def _small_csv(directory: Path) -> Path:
    path = directory / "small.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    return path


def test_the_log_of_a_killed_process_is_not_replayed_onto_the_copy(store: Store, folder: Path, tmp_path: Path) -> None:
    land(store, folder, 5)
    path = tmp_path / COPY_NAME
    state = write_copy(store, path, {})
    new = Store(tmp_path / "new")
    new.warehouse.mkdir(parents=True)
    new.facts_path.with_name("facts.duckdb.wal").write_bytes(b"left behind")
    assert put_back(new, path, {}, force=False) == (state, None)
    assert state_of(new) == state


def test_parts_that_fail_are_sent_and_asked_for_again(service: Service, google: GoogleSession, tmp_path: Path) -> None:
    """A file of several parts; answers are lost on the way up and on the way down."""
    config = DriveConfig(PARENT, service.url, 2.0, simple_upload_limit=1000, chunk_bytes=256 * 1024, policy=QUICK)
    ledger = FileReceipts(tmp_path / "ledger.json", lambda: datetime(2026, 1, 5, tzinfo=UTC))
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    service.faults.add("drive.upload.part", Fault("drop_before", skip=1))
    service.faults.add("drive.upload.part", Fault("status_after", status=503, skip=1))
    done = drive.keep(config, google, ledger, "k", path, {"note": "1"})
    assert done.outcome == "created"
    stored = ledger.find("drive:parent:kept:k")
    assert stored is not None
    assert (stored.remote_id, stored.digest, stored.created_at) == (
        done.file_id,
        done.md5,
        datetime(2026, 1, 5, tzinfo=UTC),
    )
    found = drive.find_kept(config, google, ledger, "k")
    assert found is not None
    assert (found.properties, found.is_changed_by_hand) == ({"note": "1"}, False)
    for kind in ("drop_before", "drop_after", "stall"):
        service.faults.add("drive.files.get", Fault(kind, skip=1))
    drive.fetch(config, google, found, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == path.read_bytes()
