"""A server that keeps the contract of Vault's and OpenBao's HTTP API, as far as a Transit key and its users go; written from the public API pages:

- paths below /v1/, JSON, the token in `X-Vault-Token`, POST and PUT alike, `{"errors": [...]}` with every status from 400 on, the statuses themselves:
  https://developer.hashicorp.com/vault/api-docs
- keys with versions, `POST MOUNT/encrypt/KEY` (base64 `plaintext`, base64 `associated_data` for AEAD types; answers `ciphertext` and `key_version`),
  `POST MOUNT/decrypt/KEY` (answers base64 `plaintext`), `min_decryption_version`, rotating, deleting; `encrypt` makes a key that is not there, for whoever may
  `create`: https://developer.hashicorp.com/vault/api-docs/secret/transit, https://openbao.org/api-docs/secret/transit/
- ciphertexts are `vault:vVERSION:` and base64 of a 96-bit nonce, the sealed bytes and a 128-bit tag (AES-256-GCM): https://developer.hashicorp.com/vault/docs/secrets/transit
- `POST auth/MOUNT/login` with `role_id` and `secret_id` answers `auth.client_token` and `auth.lease_duration`: https://developer.hashicorp.com/vault/api-docs/auth/approle
- policies allow `create` and `update` by path; all else is denied: https://developer.hashicorp.com/vault/docs/concepts/policies
- a sealed server answers 503 to everything, a standby 429 (its health), a missing mount 404: https://developer.hashicorp.com/vault/api-docs/system/health,
  https://developer.hashicorp.com/vault/docs/concepts/seal
- `X-Vault-Namespace` is put before the path; unknown parameters are answered with a warning: https://developer.hashicorp.com/vault/docs/enterprise/namespaces

The texts of the engine's errors are those that both products give, as issues and questions quote them. Whatever a client does that the pages do not describe
(another method, an unknown parameter, a missing header) stands in `complaints`, which tests look at.
"""

import base64
import binascii
import http.server
import json
import pathlib
import re
import secrets
import ssl
import threading
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .certs import Pair


class _Refusal(Exception):
    def __init__(self, status: int, *errors: str):
        super().__init__(status, errors)
        self.status, self.errors = status, list(errors)


class _Key:
    """A key of type aes256-gcm96."""

    def __init__(self):
        self.versions, self.min_decryption_version, self.derived = {1: secrets.token_bytes(32)}, 1, False

    @property
    def latest(self) -> int:
        return max(self.versions)

    def encrypt(self, plaintext: bytes, associated: bytes) -> str:
        nonce = secrets.token_bytes(12)
        sealed = nonce + AESGCM(self.versions[self.latest]).encrypt(nonce, plaintext, associated)
        return f"vault:v{self.latest}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, ciphertext: str, associated: bytes) -> bytes:
        found = re.fullmatch(r"vault:v([0-9]+):(.*)", ciphertext)
        if not found:
            raise _Refusal(400, "invalid ciphertext: no prefix")
        version = int(found.group(1))
        if version > self.latest:
            raise _Refusal(400, "invalid ciphertext: version is too new")
        if version < self.min_decryption_version:
            raise _Refusal(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            sealed = base64.b64decode(found.group(2), validate=True)
        except binascii.Error:
            raise _Refusal(400, "invalid ciphertext: could not decode base64") from None
        if len(sealed) < 28:
            raise _Refusal(400, "invalid ciphertext length")
        try:
            return AESGCM(self.versions[version]).decrypt(sealed[:12], sealed[12:], associated)
        except InvalidTag:
            raise _Refusal(400, "cipher: message authentication failed") from None


class _Token:
    def __init__(self, policies: list[str], seconds: float | None):
        self.policies = policies
        self.until = None if seconds is None else time.monotonic() + seconds


class Vault:
    """The server, in a thread. Everything that an operator of it would do is a method."""

    def __init__(self, pair: Pair | None = None):
        # Namespace and mount -> name -> key.
        self.engines: dict[str, dict[str, _Key]] = {"transit": {}}
        # Name -> path -> capabilities.
        self.policies: dict[str, dict[str, set[str]]] = {}
        self.roles: dict[str, dict] = {}
        self.sealed = self.standby = False
        # Seconds before each answer.
        self.delay = 0.0
        self.complaints: list[str] = []
        # Operation -> how often it was done.
        self.done: dict[str, int] = {}
        self._tokens: dict[str, _Token] = {}
        self._lock = threading.Lock()
        self._pair, self._server = pair, None
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"{'https' if self._pair else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listens, on the same port as before."""
        vault = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self):
                vault._answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that went away is its own affair."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self._pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._pair.certificate, self._pair.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Listens no more; keeps everything."""
        self._server.shutdown()
        self._server.server_close()

    # --- what an operator does

    def make_key(self, name: str, mount: str = "transit") -> None:
        self.engines.setdefault(mount, {})[name] = _Key()

    def rotate(self, name: str, mount: str = "transit") -> None:
        key = self.engines[mount][name]
        key.versions[key.latest + 1] = secrets.token_bytes(32)

    def policy(self, name: str, *paths: str, capabilities: tuple[str, ...] = ("update",)) -> None:
        self.policies[name] = {path: set(capabilities) for path in paths}

    def token(self, *policies: str, seconds: float | None = None) -> str:
        text = f"hvs.{secrets.token_urlsafe(40)}"
        self._tokens[text] = _Token(list(policies), seconds)
        return text

    def revoke(self, *tokens: str) -> None:
        """Those, or all."""
        for token in tokens or list(self._tokens):
            self._tokens.pop(token, None)

    def role(self, *policies: str, seconds: float, mount: str = "approle") -> tuple[str, str]:
        role_id, secret_id = secrets.token_hex(16), secrets.token_hex(16)
        self.roles[role_id] = {"mount": mount, "secret_id": secret_id, "policies": policies, "seconds": seconds}
        return role_id, secret_id

    # --- what a client sees

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        time.sleep(self.delay)
        with self._lock:
            try:
                status, answer = 200, self._judge(request, body)
            except _Refusal as refusal:
                status, answer = refusal.status, {"errors": refusal.errors}
        text = json.dumps(answer).encode() + b"\n"
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Cache-Control", "no-store")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(text)

    def _judge(self, request, body: bytes) -> dict:
        if self.sealed:
            raise _Refusal(503, "Vault is sealed")
        if self.standby:
            raise _Refusal(429, "standby")
        if not request.path.startswith("/v1/") or "?" in request.path:
            self.complaints.append(f"the path {request.path}")
            raise _Refusal(404)
        path = request.path.removeprefix("/v1/")
        if namespace := request.headers.get("X-Vault-Namespace"):
            path = f"{namespace.strip('/')}/{path}"
        if request.headers.get("X-Vault-Request") != "true":
            self.complaints.append("no X-Vault-Request")
        if request.command not in ("POST", "PUT"):
            self.complaints.append(f"{request.command} {path}")
            raise _Refusal(405, "unsupported operation")
        try:
            parameters = json.loads(body)
        except ValueError:
            self.complaints.append("a body that is no JSON")
            raise _Refusal(400, "error parsing JSON") from None
        return {"request_id": secrets.token_hex(16), "lease_id": "", "renewable": False, "lease_duration": 0, "wrap_info": None, "auth": None, "data": None} | self._route(path, request.headers.get("X-Vault-Token"), parameters)

    def _route(self, path: str, token: str | None, parameters: dict) -> dict:
        if login := re.fullmatch(r"auth/(.+)/login", path):
            return self._login(login.group(1), parameters)
        if token is None:
            raise _Refusal(403, "permission denied")
        found = re.fullmatch(r"(.+)/(encrypt|decrypt)/([A-Za-z0-9_]+(?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)", path)
        engine = self.engines.get(found.group(1)) if found else None
        create = bool(found and found.group(2) == "encrypt" and engine is not None and found.group(3) not in engine)
        self._allow(token, path, "create" if create else "update")
        if engine is None:
            raise _Refusal(404, f'no handler for route "{path}". route entry not found.')
        _, operation, name = found.groups()
        answer = getattr(self, f"_{operation}")(engine, name, parameters)
        self.done[operation] = self.done.get(operation, 0) + 1
        return answer

    def _allow(self, token: str, path: str, capability: str) -> None:
        known = self._tokens.get(token)
        if known is None or (known.until is not None and time.monotonic() > known.until):
            raise _Refusal(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
        if not any(capability in self.policies.get(policy, {}).get(path, ()) for policy in known.policies):
            raise _Refusal(403, "1 error occurred:\n\t* permission denied\n\n")

    def _login(self, mount: str, parameters: dict) -> dict:
        self._unknown(parameters, {"role_id", "secret_id"})
        role = self.roles.get(parameters.get("role_id"))
        if role is None or role["mount"] != mount or role["secret_id"] != parameters.get("secret_id"):
            raise _Refusal(400, "invalid role or secret ID")
        token = self.token(*role["policies"], seconds=role["seconds"])
        self.done["login"] = self.done.get("login", 0) + 1
        auth = {"client_token": token, "accessor": secrets.token_hex(16), "policies": list(role["policies"]), "lease_duration": int(role["seconds"]), "renewable": True}
        return {"auth": auth}

    def _encrypt(self, engine: dict[str, _Key], name: str, parameters: dict) -> dict:
        warnings = self._unknown(parameters, {"plaintext", "associated_data", "context", "key_version"})
        if "plaintext" not in parameters:
            raise _Refusal(400, "missing plaintext to encrypt")
        plaintext, associated = self._bytes(parameters["plaintext"]), self._bytes(parameters.get("associated_data", ""))
        key = engine.setdefault(name, _Key()) if name not in engine else engine[name]
        self._context(key, parameters)
        return {"data": {"ciphertext": key.encrypt(plaintext, associated), "key_version": key.latest}, "warnings": warnings}

    def _decrypt(self, engine: dict[str, _Key], name: str, parameters: dict) -> dict:
        warnings = self._unknown(parameters, {"ciphertext", "associated_data", "context"})
        if not parameters.get("ciphertext"):
            raise _Refusal(400, "missing ciphertext to decrypt")
        if name not in engine:
            raise _Refusal(400, "encryption key not found")
        self._context(engine[name], parameters)
        plaintext = engine[name].decrypt(parameters["ciphertext"], self._bytes(parameters.get("associated_data", "")))
        return {"data": {"plaintext": base64.b64encode(plaintext).decode()}, "warnings": warnings}

    def _context(self, key: _Key, parameters: dict) -> None:
        if key.derived and "context" not in parameters:
            raise _Refusal(400, "missing 'context' for key derivation; the key was created using a derived key")

    def _bytes(self, text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError, TypeError):
            self.complaints.append("no base64")
            raise _Refusal(400, "illegal base64 data at input byte 0") from None

    def _unknown(self, parameters: dict, known: set[str]) -> list[str] | None:
        unknown = sorted(set(parameters) - known)
        if unknown:
            self.complaints.append(f"unknown parameters {unknown}")
            return [f"Endpoint ignores these unrecognized parameters: {unknown}"]
        return None


def write_token(path: pathlib.Path, token: str) -> str:
    """As an agent does: a new file in the place of the old one."""
    beside = path.with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_text(token + "\n")
    beside.rename(path)
    return str(path)
