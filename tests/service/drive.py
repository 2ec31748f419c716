"""Drive v3 as far as the delivery uses it."""

import hashlib
import json
import re
from typing import Any

from tests.service.contract import ContractError, Method, OutsideContractError
from tests.service.messages import Answer, Request, google_error, multipart, of_json

FOLDER = "application/vnd.google-apps.folder"
_QUERY = re.compile(r"'([\w-]+)' in parents and trashed = false(?: and mimeType = '([^']+)')?")


class Drive:
    """Files by id.

    Attributes:
        files: Metadata; the key ``content`` holds the bytes.
        quota_exceeded: Whether creating a file with content fails.
        lag: Ids that listings don't show yet.
        damaged: How many uploads, or parts of a download, arrive with a changed byte.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.quota_exceeded = False
        self.lag: set[str] = set()
        self.damaged = 0
        self._reserved: set[str] = set()
        self._uploads: dict[str, dict[str, Any]] = {}

    def add_folder(self, file_id: str, name: str) -> None:
        """Puts a folder of the user there."""
        self.files[file_id] = {
            "id": file_id, "name": name, "mimeType": FOLDER, "parents": ["root"], "trashed": False, "appProperties": {},
        }  # fmt: skip

    def handle(self, method: Method, request: Request) -> Answer:
        """Answers one request; raises ``ContractError`` for what Drive would refuse as malformed."""
        match method.route:
            case "drive.files.generateIds":
                ids = [f"id{len(self._reserved) + n:04d}" for n in range(int(request.one("count", "10")))]
                self._reserved.update(ids)
                return self._answer(method, request, {"ids": ids, "space": "drive", "kind": "drive#generatedIds"})
            case "drive.files.list":
                return self._list(method, request)
            case "drive.files.get" if request.one("alt") == "media":
                return self._content(request, self.files.get(method.path_values["fileId"]))
            case "drive.files.get":
                file = self.files.get(method.path_values["fileId"])
                return self._found(method, request, file)
            case "drive.files.create" | "drive.files.update" if method.is_upload:
                return self._upload(method, request)
            case "drive.files.create":
                return self._create(method, request, request.json() or {}, None)
            case "drive.files.delete":
                file = self.files.pop(method.path_values["fileId"], None)
                return Answer(204) if file else _not_found()
        raise OutsideContractError(method.route)

    def children(self, parent: str) -> list[dict[str, Any]]:
        """What is in a folder, trash excluded."""
        return [f for f in self.files.values() if parent in f["parents"] and not f["trashed"]]

    def resume(self, request: Request) -> Answer:
        """A PUT to the address of a resumable upload."""
        upload = self._uploads.get(request.one("upload_id"))
        if upload is None:
            return google_error(404, "notFound", "upload not found")
        span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", request.headers["content-range"])
        if span is None:
            raise ContractError("Content-Range")
        if span[1] is not None:
            if int(span[1]) != len(upload["content"]) or int(span[2]) - int(span[1]) + 1 != len(request.body):
                return google_error(400, "badRequest", "wrong range")
            upload["content"] += request.body
        if len(upload["content"]) < int(span[3]):
            if span[1] is not None and len(request.body) % (256 * 1024):
                return google_error(400, "badRequest", "parts are multiples of 256 KiB")
            reached = {"Range": f"bytes=0-{len(upload['content']) - 1}"} if upload["content"] else {}
            return Answer(308, b"", reached)
        if upload["answer"] is None:
            finish = self._create if upload["method"].route.endswith("create") else self._update
            upload["answer"] = finish(upload["method"], upload["request"], upload["metadata"], upload["content"])
        answer: Answer = upload["answer"]
        return answer

    def _upload(self, method: Method, request: Request) -> Answer:
        if request.one("uploadType") == "multipart":
            if len(request.body) > 5 * 1024 * 1024 + 10_000:
                return google_error(413, "uploadTooLarge", "multipart uploads are limited to 5 MB")
            (_, metadata), (_, content) = multipart(request.body, request.headers["content-type"])
            method.check_body(json.loads(metadata))
            act = self._create if method.route.endswith("create") else self._update
            return act(method, request, json.loads(metadata), content)
        if request.one("uploadType") != "resumable":
            raise OutsideContractError(f"uploadType {request.one('uploadType')}")
        metadata = json.loads(request.body)
        method.check_body(metadata)
        if method.route.endswith("create") and metadata.get("id") in self.files:
            return _conflict()
        upload_id = f"upload{len(self._uploads)}"
        self._uploads[upload_id] = {
            "method": method, "request": request, "metadata": metadata, "content": b"", "answer": None,
        }  # fmt: skip
        return Answer(
            200, b"", {"Location": f"{request.host}{request.path}?uploadType=resumable&upload_id={upload_id}"}
        )

    def _create(self, method: Method, request: Request, metadata: dict[str, Any], content: bytes | None) -> Answer:
        file_id = metadata.get("id") or f"auto{len(self.files)}"
        if file_id in self.files:
            return _conflict()
        if "id" in metadata and file_id not in self._reserved:
            return google_error(400, "invalid", "The provided file ID is not usable.")
        parents = metadata.get("parents", ["root"])
        if len(parents) != 1 or (parents[0] != "root" and parents[0] not in self.files):
            return google_error(404, "notFound", f"File not found: {parents[0]}.")
        if content is not None and self.quota_exceeded:
            return google_error(403, "storageQuotaExceeded", "Service Accounts do not have storage quota.")
        file = {"id": file_id, "name": "Untitled", "parents": parents, "trashed": False, "appProperties": {}}
        self.files[file_id] = file
        return self._changed(method, request, file, metadata, content)

    def _update(self, method: Method, request: Request, metadata: dict[str, Any], content: bytes | None) -> Answer:
        file = self.files.get(method.path_values["fileId"])
        if file is None:
            return _not_found()
        return self._changed(method, request, file, metadata, content)

    def _changed(
        self, method: Method, request: Request, file: dict[str, Any], metadata: dict[str, Any], content: bytes | None
    ) -> Answer:
        for key, value in metadata.get("appProperties", {}).items():
            if len(f"{key}{value}".encode()) > 124:
                return google_error(403, "propertiesTooLong", "The properties exceed 124 bytes.")
        file["appProperties"] |= metadata.get("appProperties", {})
        file |= {name: metadata[name] for name in ("name", "mimeType") if name in metadata}
        if content is not None:
            if self.damaged:
                self.damaged -= 1
                content = content[:-1] + b"?"
            self.set_content(file["id"], content)
        file.setdefault("mimeType", "application/octet-stream")
        return self._found(method, request, file)

    def set_content(self, file_id: str, content: bytes) -> None:
        """Replaces a file's content, as somebody might by hand."""
        file = self.files[file_id]
        file["content"] = content
        file["md5Checksum"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
        file["version"] = str(int(file.get("version", "0")) + 1)

    def _list(self, method: Method, request: Request) -> Answer:
        match = _QUERY.fullmatch(request.one("q"))
        if match is None:
            raise OutsideContractError(f"query {request.one('q')}")
        found = [
            file
            for file in self.children(match[1])
            if file["id"] not in self.lag and match[2] in (None, file["mimeType"])
        ]
        start, size = int(request.one("pageToken", "0")), min(int(request.one("pageSize", "100")), 5)
        page: dict[str, Any] = {"files": [_shown(file) for file in found[start : start + size]]}
        if start + size < len(found):
            page["nextPageToken"] = str(start + size)
        return self._answer(method, request, page)

    def _content(self, request: Request, file: dict[str, Any] | None) -> Answer:
        if file is None or "content" not in file:
            return _not_found()
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if span is None:
            raise OutsideContractError("a download without a range")
        content = file["content"]
        part = content[int(span[1]) : int(span[2]) + 1]
        if self.damaged:
            self.damaged -= 1
            part = part[:-1] + bytes([part[-1] ^ 1])
        place = f"bytes {span[1]}-{int(span[1]) + len(part) - 1}/{len(content)}"
        return Answer(206, part, {"Content-Type": file["mimeType"], "Content-Range": place})

    def _found(self, method: Method, request: Request, file: dict[str, Any] | None) -> Answer:
        return _not_found() if file is None else self._answer(method, request, _shown(file))

    def _answer(self, method: Method, request: Request, body: dict[str, Any]) -> Answer:
        default = "kind,id,name,mimeType" if method.route in ("drive.files.get", "drive.files.create") else None
        return of_json(method.answer(body, request.one("fields") or default))


def _shown(file: dict[str, Any]) -> dict[str, Any]:
    folder = file["mimeType"] == FOLDER
    kind = "drive/folders" if folder else "file/d"
    shown = {name: value for name, value in file.items() if name not in ("content",)}
    shown["webViewLink"] = f"https://drive.google.com/{kind}/{file['id']}"
    shown["capabilities"] = {"canAddChildren": folder}
    return shown


def _conflict() -> Answer:
    return google_error(409, "fileIdInUse", "A file already exists with the provided ID.")


def _not_found() -> Answer:
    return google_error(404, "notFound", "File not found.")
