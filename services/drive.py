"""Uploads the files of a day into one dated Google Drive folder, exactly once, and keeps one file up to date.

Belongs here: finding or making the folder, uploading, updating, verifying and fetching files. Must not be here:
which files there are, and what is in them.

How "once" is kept. Drive allows many files of one name, and its search by name lags by minutes. So every file
and folder gets an id from ``files.generateIds``, the id goes into a receipt BEFORE the file is created with it,
and a repeat of the creation is answered with 409. If the receipts are lost, files are recognised in a listing
by parent id through ``appProperties``, compared here. A file with equal md5 is left alone, a changed one is
updated under its id, and a file whose content somebody else changed is never overwritten: ours is created
beside it.
"""

import datetime as dt
import hashlib
import json
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import googleapiclient.discovery
import googleapiclient.discovery_cache
import googleapiclient.http

from services.failures import Guard
from services.google_auth import GoogleSession, Httplib2Adapter
from services.receipts import Receipt, Receipts
from services.retries import Effect, Failure, Policy, ServiceError, call

_SERVICE = "Google Drive"
_FOLDER_TYPE = "application/vnd.google-apps.folder"
_FILE_FIELDS = "id,name,mimeType,md5Checksum,parents,trashed,appProperties,webViewLink"
# Each property may have 124 bytes, key included: so the key of ours is a digest.
_KEY_PROPERTY = "trends_key"
_MD5_PROPERTY = "trends_md5"
_ACCOUNT_WIDE = frozenset({"storageQuotaExceeded", "insufficientPermissions", "authError", "invalid_grant"})

Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class DriveConfig:
    """Where and how to upload.

    Attributes:
        parent_folder_id: The user's folder; the dated folder is made in it.
        endpoint: Root address of the service.
        timeout_seconds: For connecting and for each read.
        simple_upload_limit: Bytes up to which a file goes up in one request (the service allows 5 MB).
        chunk_bytes: Size of a part of a larger upload, a multiple of 256 KiB.
        policy: How long to insist.
    """

    parent_folder_id: str
    endpoint: str = "https://www.googleapis.com/"
    timeout_seconds: float = 120.0
    simple_upload_limit: int = 5_000_000
    chunk_bytes: int = 8 * 1024 * 1024
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class DriveFile:
    """One file as it is in Drive now.

    Attributes:
        name: File name.
        file_id: Drive's id.
        link: Address for people.
        md5: Checksum, verified after upload.
        outcome: What was done.
    """

    name: str
    file_id: str
    link: str
    md5: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class DriveDelivery:
    """What is in Drive after a delivery.

    Attributes:
        folder_id: Id of the dated folder.
        folder_link: Its address for people.
        files: Files that are there, in the given order.
        failed: Names of files that are not, each with its reason.
        notes: Things to tell the user, for example that a file changed by hand was kept.
    """

    folder_id: str
    folder_link: str
    files: tuple[DriveFile, ...]
    failed: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is replaced in place, as it is in Drive now.

    Attributes:
        name: File name.
        file_id: Drive's id.
        link: Address for people.
        md5: Checksum of its content.
        properties: What was noted about this content when it was uploaded.
        is_changed_by_hand: Whether somebody else replaced the content since.
    """

    name: str
    file_id: str
    link: str
    md5: str
    properties: Mapping[str, str]
    is_changed_by_hand: bool


def deliver(
    config: DriveConfig,
    session: GoogleSession,
    receipts: Receipts,
    as_of_date: dt.date,
    paths: Sequence[Path],
) -> DriveDelivery:
    """Brings the files of a day into its folder; a repeat changes nothing that is already right.

    Args:
        config: Where and how.
        session: Signed in with the Drive scope.
        receipts: The ledger of ids.
        as_of_date: The day; its ISO form is the folder's name.
        paths: Files, names unique.

    Returns:
        What is in Drive now. A file that can't be uploaded is in ``failed``, the others go on.

    Raises:
        ServiceError: The folder can't be found or made.
    """
    parent = _Folder(config, session, receipts, as_of_date)
    folder = parent.of_day()
    children = parent.children(folder["id"])
    files: list[DriveFile] = []
    failed: list[tuple[str, str]] = []
    patience = 2  # files whose retries may run out before the rest isn't tried: it bounds the time
    for position, path in enumerate(paths):
        try:
            files.append(parent.file(path, folder["id"], children))
        except ServiceError as error:
            failed.append((path.name, str(error)))
            patience -= error.failure is not Failure.REFUSED
            if error.code in _ACCOUNT_WIDE or patience == 0:
                failed.extend((later.name, "not tried after the failure above") for later in paths[position + 1 :])
                break
    return DriveDelivery(folder["id"], folder.get("webViewLink", ""), tuple(files), tuple(failed), tuple(parent.notes))


def find_kept(config: DriveConfig, session: GoogleSession, receipts: Receipts, key: str) -> KeptFile | None:
    """Looks for the file that ``keep`` made under a key, also where its receipt is lost.

    Args:
        config: Where.
        session: Signed in with the Drive scope.
        receipts: The ledger of ids.
        key: Names the file in the configured folder.

    Returns:
        The file, or ``None`` if there is none.

    Raises:
        ServiceError: Drive can't be asked.
    """
    known = _Folder(config, session, receipts, None).kept(key)
    if known is None or "md5Checksum" not in known:
        return None
    properties = {
        name: value
        for name, value in known.get("appProperties", {}).items()
        if name not in (_KEY_PROPERTY, _MD5_PROPERTY)
    }
    link = str(known.get("webViewLink", ""))
    return KeptFile(known["name"], known["id"], link, known["md5Checksum"], properties, _changed_by_hand(known))


def keep(
    config: DriveConfig,
    session: GoogleSession,
    receipts: Receipts,
    key: str,
    path: Path,
    properties: Mapping[str, str],
) -> DriveFile:
    """Brings a file into the configured folder and replaces its content there from then on.

    Args:
        config: Where.
        session: Signed in with the Drive scope.
        receipts: The ledger of ids.
        key: Names the file in the configured folder, whatever it is called.
        path: The content; it is read in parts.
        properties: Noted with the content in one request; name and value of each have at most 124 bytes.

    Returns:
        The file as it is in Drive now.

    Raises:
        ServiceError: It can't be uploaded.
    """
    return _Folder(config, session, receipts, None).keep(key, path, properties)


def fetch(config: DriveConfig, session: GoogleSession, file: KeptFile, target: Path) -> None:
    """Downloads a file in parts; a part that fails is asked for again.

    Args:
        config: Where.
        session: Signed in with the Drive scope.
        file: What ``find_kept`` found.
        target: Where its content goes.

    Raises:
        ServiceError: It can't be downloaded, or arrives damaged.
    """
    guard = _guard(config, session)
    request = _files(config, session).get_media(fileId=file.file_id, supportsAllDrives=True)
    action = f"download {file.name}"
    with target.open("wb") as stream:
        download = googleapiclient.http.MediaIoBaseDownload(stream, request, chunksize=config.chunk_bytes)
        done = False
        while not done:
            _, done = guard.run(action, download.next_chunk)
    if _md5_of(target) != file.md5:
        problem = "the file arrived damaged, or was replaced meanwhile (md5 differs)"
        raise ServiceError(_SERVICE, action, Failure.REFUSED, problem, remedy="Run the command again")


def check_access(config: DriveConfig, session: GoogleSession) -> str:
    """Looks whether files can be made in the configured folder, without making one.

    Args:
        config: Where.
        session: Signed in with the Drive scope.

    Returns:
        The folder's name.

    Raises:
        ServiceError: It can't be reached, isn't a folder, or nothing may be added; with the remedy.
    """
    files = _files(config, session)
    request = files.get(
        fileId=config.parent_folder_id,
        fields="id,name,mimeType,trashed,capabilities(canAddChildren)",
        supportsAllDrives=True,
    )
    found = _guard(config, session).run("open the folder", request.execute)
    problem = ""
    if found["mimeType"] != _FOLDER_TYPE:
        problem = "DRIVE_FOLDER_ID is not a folder"
    elif found.get("trashed"):
        problem = "the folder is in the trash"
    elif not found.get("capabilities", {}).get("canAddChildren", False):
        problem = f"{session.account} may not add files to the folder"
    if problem:
        raise ServiceError(
            _SERVICE, "open the folder", Failure.REFUSED, problem, remedy="Choose or share another folder"
        )
    return str(found["name"])


def check_write(config: DriveConfig, session: GoogleSession) -> None:
    """Makes a scratch file under an id of ours, makes it again (must be refused), and deletes it.

    Args:
        config: Where.
        session: Signed in with the Drive scope.

    Raises:
        ServiceError: Something doesn't work as the delivery relies on; with the remedy.
    """
    files = _files(config, session)
    guard = _guard(config, session)
    reserve = files.generateIds(count=1, space="drive", type="files")
    file_id = guard.run("reserve ids", reserve.execute)["ids"][0]
    body = {"id": file_id, "name": "trends doctor (scratch)", "parents": [config.parent_folder_id]}
    repeat_refused = False
    try:
        for _ in range(2):
            scratch = googleapiclient.http.MediaInMemoryUpload(b"scratch", "text/plain")
            request = files.create(body=body, media_body=scratch, fields="id", supportsAllDrives=True)
            try:
                guard.once("create a scratch file", request.execute)
            except ServiceError as error:
                if error.status != 409:
                    raise
                repeat_refused = True
    finally:
        delete = files.delete(fileId=file_id, supportsAllDrives=True)
        guard.run("delete the scratch file", delete.execute)
    if not repeat_refused:
        raise ServiceError(
            _SERVICE, "create a scratch file", Failure.REFUSED, "a repeated creation was not answered with 409"
        )


class _Folder:
    """The user's folder during one delivery: the client, the ledger, and what to tell the user."""

    def __init__(
        self, config: DriveConfig, session: GoogleSession, receipts: Receipts, as_of_date: dt.date | None
    ) -> None:
        self._config = config
        self._receipts = receipts
        self._date = as_of_date
        self._files = _files(config, session)
        self._guard = _guard(config, session)
        self.notes: list[str] = []

    def of_day(self) -> dict[str, Any]:
        """Finds the day's folder or makes it."""
        parent = self._config.parent_folder_id
        receipt = Receipt(f"drive:{parent}:{self._date}:folder", "drive_folder", parent, as_of_date=self._date)
        known = self._known(receipt, parent, self.children(parent, folders=True))
        if known is not None:
            return known
        body = {
            "name": str(self._date),
            "mimeType": _FOLDER_TYPE,
            "parents": [parent],
            "appProperties": {_KEY_PROPERTY: _property_key(receipt.idempotency_key)},
        }
        made = self._create(receipt, body, None)
        self._receipts.save(
            replace(receipt, remote_id=made["id"], digest="folder", detail={"link": made.get("webViewLink", "")})
        )
        return made

    def file(self, path: Path, folder_id: str, children: Sequence[Mapping[str, Any]]) -> DriveFile:
        """Brings one file into the folder."""
        # The folder's id is no part of the key: a day has one folder, and if the user trashes it, the files in
        # it are replaced as well.
        key = f"drive:{self._config.parent_folder_id}:{self._date}:file:{path.name}"
        return self._bring(Receipt(key, "drive_file", folder_id, as_of_date=self._date), path, children, {})

    def kept(self, key: str) -> dict[str, Any] | None:
        """The file of a key in the user's folder."""
        parent = self._config.parent_folder_id
        return self._known(self._kept_receipt(key), parent, self.children(parent))

    def keep(self, key: str, path: Path, properties: Mapping[str, str]) -> DriveFile:
        """Brings one file into the user's folder."""
        receipt = self._kept_receipt(key)
        return self._bring(receipt, path, self.children(receipt.target), properties)

    def _kept_receipt(self, key: str) -> Receipt:
        parent = self._config.parent_folder_id
        return Receipt(f"drive:{parent}:kept:{key}", "drive_file", parent)

    def _bring(
        self, receipt: Receipt, path: Path, siblings: Sequence[Mapping[str, Any]], properties: Mapping[str, str]
    ) -> DriveFile:
        """Brings one file into the folder that the receipt names as its target."""
        folder_id = receipt.target
        content = _Content(path, self._config.simple_upload_limit, self._config.chunk_bytes)
        md5 = _md5_of(path)
        known = self._known(receipt, folder_id, siblings)
        outcome: Outcome = "unchanged"
        if known is not None and known.get("md5Checksum") != md5 and _changed_by_hand(known):
            self.notes.append(f"{path.name} was changed by hand in Drive: kept, the new one is beside it")
            self._receipts.save(replace(receipt, remote_id=None))
            known = None
        if known is None:
            mark = _property_key(receipt.idempotency_key)
            body = {
                "name": path.name,
                "parents": [folder_id],
                "appProperties": {_KEY_PROPERTY: mark, _MD5_PROPERTY: md5, **properties},
            }
            known, outcome = self._create(receipt, body, content), "created"
        if known.get("md5Checksum") != md5:
            outcome = "updated" if outcome == "unchanged" else outcome
            known = self._update(known["id"], path.name, content, {_MD5_PROPERTY: md5, **properties})
        if known.get("md5Checksum") != md5:
            raise ServiceError(
                _SERVICE, f"upload {path.name}", Failure.REFUSED, "the file arrived damaged (md5 differs) twice"
            )
        link = str(known.get("webViewLink", ""))
        detail = {"name": path.name, "link": link, "bytes": content.size()}
        self._receipts.save(replace(receipt, remote_id=known["id"], digest=md5, detail=detail))
        return DriveFile(path.name, known["id"], link, md5, outcome)

    def children(self, parent_id: str, folders: bool = False) -> list[dict[str, Any]]:
        """Lists what is in a folder, trash excluded; a listing by parent is not subject to the search lag."""
        query = f"'{parent_id}' in parents and trashed = false"
        if folders:
            query += f" and mimeType = '{_FOLDER_TYPE}'"
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            request = self._files.list(
                q=query,
                pageSize=1000,
                pageToken=token,
                fields=f"nextPageToken,files({_FILE_FIELDS})",
                supportsAllDrives=True,
                includeItemsFromAllDrives=True,
            )
            page = self._guard.run("list the folder", request.execute)
            found.extend(page.get("files", []))
            token = page.get("nextPageToken")
            if token is None:
                return found

    def _known(self, receipt: Receipt, parent_id: str, siblings: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """The file or folder of a key, if it exists where it should be."""
        stored = self._receipts.find(receipt.idempotency_key)
        if stored is not None and stored.remote_id is not None:
            listed = next((item for item in siblings if item["id"] == stored.remote_id), None)
            # A listing may lag behind a creation: the id decides.
            found = dict(listed) if listed is not None else self._get(stored.remote_id)
            if found is not None and not found.get("trashed") and parent_id in found.get("parents", [parent_id]):
                return found
            if found is not None:
                self.notes.append(f"{found['name']} was moved or trashed in Drive: a new one is made")
                self._receipts.save(replace(receipt, remote_id=None))
            return None
        if stored is not None:
            return None
        mark = _property_key(receipt.idempotency_key)
        ours = [item for item in siblings if item.get("appProperties", {}).get(_KEY_PROPERTY) == mark]
        # One that was changed by hand comes last; the id only makes the choice repeatable.
        ours.sort(key=lambda item: (_changed_by_hand(item), str(item["id"])))
        return dict(ours[0]) if ours else None

    def _create(self, receipt: Receipt, body: Mapping[str, Any], content: "_Content | None") -> dict[str, Any]:
        """Creates under a reserved id; if that id exists already, the earlier attempt came through."""
        stored = self._receipts.find(receipt.idempotency_key)
        reserved = stored.remote_id if stored is not None else None
        for file_id in (reserved, None):
            if file_id is None:
                ids = self._files.generateIds(count=1, space="drive", type="files")
                file_id = self._guard.run("reserve ids", ids.execute)["ids"][0]
                self._receipts.save(replace(receipt, remote_id=file_id))
            made = self._create_as(file_id, {**body, "id": file_id}, content)
            if made is not None:
                return made
        raise ServiceError(_SERVICE, f"create {body['name']}", Failure.REFUSED, "the reserved id is taken")

    def _create_as(self, file_id: str, body: Mapping[str, Any], content: "_Content | None") -> dict[str, Any] | None:

        def create() -> dict[str, Any] | None:
            try:
                return self._send(f"create {body['name']}", content, self._files.create, body=body)
            except ServiceError as error:
                if error.status != 409:
                    raise
            return self._get(file_id)

        return call(create, Effect.REPEATABLE, self._config.policy)

    def _update(self, file_id: str, name: str, content: "_Content", properties: Mapping[str, str]) -> dict[str, Any]:
        def update() -> dict[str, Any]:
            return self._send(
                f"update {name}",
                content,
                self._files.update,
                fileId=file_id,
                body={"appProperties": dict(properties)},
            )

        return call(update, Effect.REPEATABLE, self._config.policy)

    def _send(
        self, action: str, content: "_Content | None", method: Callable[..., Any], **arguments: Any
    ) -> dict[str, Any]:
        """Sends metadata and content once; parts of a large file may be repeated, a creation may not."""
        request = method(media_body=content, fields=_FILE_FIELDS, supportsAllDrives=True, **arguments)
        if content is None or not content.resumable():
            return self._guard.once(action, lambda: request.execute(num_retries=0))
        answer, rounds = None, 0
        while answer is None:
            rounds += 1
            if rounds > 2 + 2 * content.size() // self._config.chunk_bytes:
                raise ServiceError(_SERVICE, action, Failure.UNCLEAR, "the upload makes no progress")
            # After a failed part the client asks the service how far it got, and goes on from there. Opening an
            # upload creates nothing, so all of it may be repeated.
            _, answer = self._guard.run(action, request.next_chunk)
        return dict(answer)

    def _get(self, file_id: str) -> dict[str, Any] | None:
        request = self._files.get(fileId=file_id, fields=_FILE_FIELDS, supportsAllDrives=True)
        try:
            return self._guard.run("look up a file", request.execute)
        except ServiceError as error:
            if error.status == 404:
                return None
            raise


class _Content(googleapiclient.http.MediaUpload):
    """A file's content, given out as bytes: a stream can't be sent a second time, and not all fits into memory."""

    def __init__(self, path: Path, simple_limit: int, chunk_bytes: int) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._simple_limit = simple_limit
        self._chunk_bytes = chunk_bytes

    def chunksize(self) -> int:
        return self._chunk_bytes

    def mimetype(self) -> str:
        return mimetypes.guess_type(self._path.name)[0] or "application/octet-stream"

    def size(self) -> int:
        return self._size

    def resumable(self) -> bool:
        return self._size > self._simple_limit

    def has_stream(self) -> bool:
        return False

    def getbytes(self, begin: int, length: int) -> bytes:
        with self._path.open("rb") as stream:
            stream.seek(begin)
            return stream.read(length)


def _files(config: DriveConfig, session: GoogleSession) -> Any:
    """The ``files`` resource; made once, because the client builds all its methods anew each time."""
    document = json.loads(googleapiclient.discovery_cache.get_static_doc("drive", "v3"))
    # Uploads are built from the root address too, which the library's own `api_endpoint` option forgets.
    document["rootUrl"] = config.endpoint.rstrip("/") + "/"
    http = Httplib2Adapter(session, config.timeout_seconds)
    return googleapiclient.discovery.build_from_document(document, http=http).files()


def _guard(config: DriveConfig, session: GoogleSession) -> Guard:
    return session.guard(_SERVICE, config.policy)


def _property_key(idempotency_key: str) -> str:
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]


def _changed_by_hand(known: Mapping[str, Any]) -> bool:
    """Content and our note about it are written in one request: where they differ, somebody else wrote."""
    return known.get("appProperties", {}).get(_MD5_PROPERTY) != known.get("md5Checksum")


def _md5_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
