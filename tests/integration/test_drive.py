"""Drive delivery with the real google-api-python-client against the local service."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from services import drive
from services.google_auth import GoogleSession
from services.receipts import DuckDBReceipts
from services.retries import ServiceError
from tests.service.faults import EVERY_FAULT, Fault, Kind, fault_name
from tests.service.helpers import AS_OF, QUICK, receipts_in
from tests.service.server import Service

pytest_plugins = ["tests.service.fixtures"]
PARENT = "userfolder"


@pytest.fixture
def config(service: Service) -> drive.DriveConfig:
    service.drive.add_folder(PARENT, "Trends")
    return drive.DriveConfig(PARENT, endpoint=service.url, timeout_seconds=0.5, policy=QUICK)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Eleven files; bytes of every value, line ends of every kind."""
    folder = tmp_path / "output"
    folder.mkdir()
    found = []
    for number in range(11):
        path = folder / f"FILE_{number}_{AS_OF}.{'xlsx' if number else 'txt'}"
        path.write_bytes(bytes(range(256)) * (number + 1) + b"\r\n--\n\r" + str(number).encode())
        found.append(path)
    return found


def uploaded(service: Service) -> dict[str, str]:
    """Name to md5 of every file with content; fails if a name stands twice."""
    files = [file for file in service.drive.files.values() if "content" in file]
    assert len({file["name"] for file in files}) == len(files)
    for file in files:
        assert hashlib.md5(file["content"]).hexdigest() == file["md5Checksum"]
    return {file["name"]: file["md5Checksum"] for file in files}


def expected(paths: list[Path]) -> dict[str, str]:
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in paths}


def folders(service: Service) -> list[str]:
    return [file["name"] for file in service.drive.children(PARENT)]


def test_everything_arrives_once_and_a_repeat_changes_nothing(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    first = drive.deliver(config, google, receipts, AS_OF, paths)
    assert [file.outcome for file in first.files] == ["created"] * 11
    assert first.failed == ()
    assert uploaded(service) == expected(paths)
    assert folders(service) == [AS_OF.isoformat()]
    assert first.folder_link == f"https://drive.google.com/drive/folders/{first.folder_id}"
    versions = {key: file.get("version") for key, file in service.drive.files.items()}
    second = drive.deliver(config, google, receipts, AS_OF, paths)
    assert [file.outcome for file in second.files] == ["unchanged"] * 11
    assert {key: file.get("version") for key, file in service.drive.files.items()} == versions
    stored = [receipt for receipt in receipts.of_date(AS_OF) if receipt.effect == "drive_file"]
    assert {receipt.detail["name"]: receipt.digest for receipt in stored} == expected(paths)


def test_a_changed_file_is_updated_under_its_id(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    before = drive.deliver(config, google, receipts, AS_OF, paths[:2])
    paths[1].write_bytes(b"new content")
    after = drive.deliver(config, google, receipts, AS_OF, paths[:2])
    assert [file.outcome for file in after.files] == ["unchanged", "updated"]
    assert [file.file_id for file in after.files] == [file.file_id for file in before.files]
    assert uploaded(service) == expected(paths[:2])


def test_lost_receipts_are_found_again_in_the_folder(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    paths: list[Path],
) -> None:
    first = drive.deliver(config, google, receipts, AS_OF, paths)
    again = drive.deliver(config, google, receipts_in(":memory:"), AS_OF, paths)
    assert again.folder_id == first.folder_id
    assert [file.file_id for file in again.files] == [file.file_id for file in first.files]
    assert len(uploaded(service)) == 11


def test_a_listing_that_lags_makes_no_second_file(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    drive.deliver(config, google, receipts, AS_OF, paths)
    service.drive.lag = set(service.drive.files)
    assert {f.outcome for f in drive.deliver(config, google, receipts, AS_OF, paths).files} == {"unchanged"}
    assert len(uploaded(service)) == 11


@pytest.mark.parametrize("creation", [0, 1], ids=["folder", "file"])
def test_an_id_is_stored_before_it_is_used(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    paths: list[Path],
    creation: int,
) -> None:
    """The answer to a creation is lost, the run ends there, and listings don't show the new one yet."""
    service.faults.add("drive.files.create", Fault("drop_after", skip=creation))
    once = replace(config, policy=replace(QUICK, attempts=1))
    if creation == 0:
        with pytest.raises(ServiceError, match="unclear"):
            drive.deliver(once, google, receipts, AS_OF, paths[:1])
    else:
        assert len(drive.deliver(once, google, receipts, AS_OF, paths[:1]).failed) == 1
    service.drive.lag = set(service.drive.files)
    assert drive.deliver(config, google, receipts, AS_OF, paths[:1]).failed == ()
    assert uploaded(service) == expected(paths[:1])
    assert folders(service) == [AS_OF.isoformat()]


def test_a_file_changed_by_hand_is_kept(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    first = drive.deliver(config, google, receipts, AS_OF, paths[:1]).files[0]
    service.drive.set_content(first.file_id, b"the user's own notes")
    for run in range(2):
        second = drive.deliver(config, google, receipts, AS_OF, paths[:1])
        assert second.files[0].file_id != first.file_id
        assert len(second.notes) == (1 if run == 0 else 0)
    assert service.drive.files[first.file_id]["content"] == b"the user's own notes"
    assert len([file for file in service.drive.files.values() if "content" in file]) == 2


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_the_user_trashed_is_made_anew_and_stays_in_the_trash(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    paths: list[Path],
    what: str,
) -> None:
    first = drive.deliver(config, google, receipts, AS_OF, paths[:2])
    trashed = first.folder_id if what == "folder" else first.files[0].file_id
    service.drive.files[trashed]["trashed"] = True
    second = drive.deliver(config, google, receipts, AS_OF, paths[:2])
    assert second.failed == () and second.notes
    assert service.drive.files[trashed]["trashed"]
    alive = service.drive.children(second.folder_id)
    assert sorted(file["name"] for file in alive) == sorted(path.name for path in paths[:2])


def test_a_large_file_goes_up_in_parts_and_survives_lost_parts(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, tmp_path: Path
) -> None:
    path = tmp_path / "large.xlsx"
    path.write_bytes(bytes(range(256)) * 4096 + b"end")
    small_parts = replace(config, simple_upload_limit=1_000, chunk_bytes=256 * 1024)
    service.faults.add("drive.upload.part", Fault("drop_before", skip=1))
    service.faults.add("drive.upload.part", Fault("drop_after", skip=1))
    service.faults.add("drive.upload.part", Fault("status", 503, skip=1))
    delivery = drive.deliver(small_parts, google, receipts, AS_OF, [path])
    assert delivery.failed == ()
    assert uploaded(service) == expected([path])
    assert service.count("drive.upload.part") >= 7


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=fault_name)
def test_one_fault_on_the_only_part_of_a_large_file_leaves_one_file(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    tmp_path: Path,
    elapsed: Callable[[], float],
    fault: Fault,
) -> None:
    path = tmp_path / "large.xlsx"
    path.write_bytes(b"x" * 300_000)
    service.faults.add("drive.upload.part", replace(fault, times=1))
    delivery = drive.deliver(replace(config, simple_upload_limit=1_000), google, receipts, AS_OF, [path])
    assert [file.outcome for file in delivery.files] == ["created"]
    assert uploaded(service) == expected([path])
    assert service.faults.take("drive.upload.part") is None, "the fault never happened"
    assert elapsed() < 6


SLOW_DOWN = {"error": {"code": 403, "message": "slow", "errors": [{"reason": "userRateLimitExceeded"}]}}
ROUTES = ["drive.files.list", "drive.files.generateIds", "drive.files.create", "drive.files.update", "drive.files.get"]


@pytest.mark.parametrize("fault", [*EVERY_FAULT, Fault("status", 403, body=SLOW_DOWN)], ids=fault_name)
@pytest.mark.parametrize("route", ROUTES)
def test_one_fault_on_each_route_leaves_one_of_everything(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    paths: list[Path],
    elapsed: Callable[[], float],
    route: str,
    fault: Fault,
) -> None:
    if route in ("drive.files.update", "drive.files.get"):  # only a second run updates, or looks up unlisted ids
        drive.deliver(config, google, receipts, AS_OF, paths[:3])
        paths[1].write_bytes(b"changed")
        service.drive.lag = set(service.drive.files) if route == "drive.files.get" else set()
    service.faults.add(route, replace(fault, times=1))
    delivery = drive.deliver(config, google, receipts, AS_OF, paths[:3])
    assert delivery.failed == ()
    assert uploaded(service) == expected(paths[:3])
    assert folders(service) == [AS_OF.isoformat()]
    assert service.faults.take(route) is None, "the fault never happened"
    assert (1 if fault.headers else 0) <= elapsed() < 6


@pytest.mark.parametrize("kind", ["status", "html", "drop_before", "drop_after", "stall", "stall_after"])
def test_a_service_that_never_recovers_fails_in_bounded_time(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    paths: list[Path],
    elapsed: Callable[[], float],
    kind: Kind,
) -> None:
    drive.deliver(config, google, receipts, AS_OF, paths[:1])
    service.faults.add("drive.files.create", Fault(kind, 503, times=1_000))
    service.faults.add("drive.files.get", Fault("status", 503, times=1_000))
    delivery = drive.deliver(config, google, receipts, AS_OF, paths)
    assert len(delivery.files) == 1
    assert len(delivery.failed) == 10
    assert elapsed() < 15
    service.faults.clear()
    assert drive.deliver(config, google, receipts, AS_OF, paths).failed == ()
    assert uploaded(service) == expected(paths)


def test_a_wait_that_is_too_long_is_not_waited_for(
    service: Service,
    config: drive.DriveConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    elapsed: Callable[[], float],
) -> None:
    service.faults.add("drive.files.list", Fault("status", 429, {"Retry-After": "3600"}, times=10))
    with pytest.raises(ServiceError, match="throttled"):
        drive.deliver(config, google, receipts, AS_OF, [])
    assert elapsed() < 3
    assert service.count("drive.files.list") == 1


def test_no_storage_stops_at_once_and_says_what_to_do(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    service.drive.quota_exceeded = True
    delivery = drive.deliver(config, google, receipts, AS_OF, paths)
    assert delivery.files == ()
    assert len(delivery.failed) == 11
    assert "shared drive" in delivery.failed[0][1]
    uploads = [entry for entry in service.log if entry.route == "drive.files.create" and "uploadType" in entry.query]
    assert len(uploads) == 1


def test_a_damaged_upload_is_repaired(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    service.drive.damaged = 1
    assert drive.deliver(config, google, receipts, AS_OF, paths[:1]).failed == ()
    assert uploaded(service) == expected(paths[:1])
    service.drive.damaged = 2
    delivery = drive.deliver(config, google, receipts, AS_OF, paths[1:2])
    assert "damaged" in delivery.failed[0][1]


def test_an_unknown_folder_names_the_remedy(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    with pytest.raises(ServiceError, match="shared with the account"):
        drive.deliver(replace(config, parent_folder_id="nowhere"), google, receipts, AS_OF, [])


def test_an_expired_token_is_renewed(
    service: Service, config: drive.DriveConfig, google: GoogleSession, receipts: DuckDBReceipts, paths: list[Path]
) -> None:
    service.token.expire_all()
    assert drive.deliver(config, google, receipts, AS_OF, paths[:1]).failed == ()
    assert service.count("google.token") == 2


def test_checks(service: Service, config: drive.DriveConfig, google: GoogleSession) -> None:
    assert drive.check_access(config, google) == "Trends"
    drive.check_write(config, google)
    assert folders(service) == []
    with pytest.raises(ServiceError, match="shared with the account"):
        drive.check_access(replace(config, parent_folder_id="nowhere"), google)
