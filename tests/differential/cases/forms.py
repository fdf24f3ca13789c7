"""Uploads by a browser's form: policies, their conditions, and signatures of both versions."""

import base64
import datetime
import hashlib
import hmac
import json

import requests
from cases import case, cases
from common.checksums import ALGORITHMS
from common.wire import Answer

_TEXT = ["starts-with", "$Content-Type", "text/plain"]
_KEY = ["starts-with", "$key", "foo"]
_PRIVATE = {"acl": "private"}
_SIZE = ["content-length-range", 0, 1024]


class Form:
    """A form as a page would hold it; the cases change what they are about."""

    def __init__(self, side, version=2):
        self.side, self.version = side, version
        expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6000)
        self.policy = {
            "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "conditions": [{"bucket": side.bucket}, _KEY, _PRIVATE, _TEXT, _SIZE],
        }
        self.fields = {"key": "foo.txt", "acl": "private", "Content-Type": "text/plain"}
        self.file: tuple = ("bar",)
        self.spoil = {}
        self.renamed: dict[str, str] = {}
        self.behind_the_file: list[tuple[str, str]] = []
        self.epilogue = b""

    def conditions(self, *added, without=()):
        """More conditions, and fewer."""
        kept = [one for one in self.policy["conditions"] if one not in without]
        self.policy["conditions"] = [*kept, *added]

    def _signed(self) -> dict:
        signer = self.side.wire.signer
        if self.version == 2:
            policy = base64.b64encode(json.dumps(self.policy).encode()).decode()
            digest = hmac.new(signer.secret_access_key.encode(), policy.encode(), hashlib.sha1).digest()
            signature = base64.b64encode(digest).decode()
            return {"AWSAccessKeyId": signer.access_key_id, "signature": signature, "policy": policy}
        date = signer.time()
        told = {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": f"{signer.access_key_id}/{signer.scope(date)}",
            "x-amz-date": date,
        }
        if isinstance(self.policy.get("conditions"), list):
            self.policy["conditions"] += [{name: value} for name, value in told.items()]
        policy = base64.b64encode(json.dumps(self.policy).encode()).decode()
        signature = hmac.new(signer.key(date), policy.encode(), hashlib.sha256).hexdigest()
        return {**told, "x-amz-signature": signature, "policy": policy}

    def send(self) -> None:
        """Posts it, and records the answer and what is there afterwards."""
        fields = {**self.fields, **self._signed()}
        for name, value in self.spoil.items():
            fields.pop(name, None)
            if value is not None:
                fields[name] = value
        parts = [(self.renamed.get(name, name), (None, value)) for name, value in fields.items()]
        parts.append(("file", self.file if len(self.file) > 1 else (None, self.file[0])))
        parts += [(name, (None, value)) for name, value in self.behind_the_file]
        url = f"{self.side.target.endpoint}/{self.side.bucket}"
        request = requests.Request("POST", url, files=parts).prepare()
        request.body += self.epilogue
        request.prepare_content_length(request.body)
        with requests.Session() as session:
            answer = session.send(request, timeout=30, allow_redirects=False)
        self.side.answered("form", Answer(answer.status_code, answer.headers, answer.content))
        self.side.get_object(Key="foo.txt")


def both(**variants):
    """A case for signatures of either version."""
    return cases(
        **{f"{name}_v{version}": (version, *given) for name, given in variants.items() for version in (2, 4)}
    )


@both(plain=())
def accepted(side, version):
    Form(side, version).send()


@both(
    no_key=({"key": None},),
    other_key=({"key": "elsewhere.txt"},),
    other_type=({"Content-Type": "image/png"},),
    no_type=({"Content-Type": None},),
    more_than_allowed=({"x-amz-meta-more": "1"},),
    ignored=({"x-ignore-foo": "bar"},),
    other_acl=({"acl": "public-read"},),
    no_policy=({"policy": None},),
)
def field(side, version, changes):
    form = Form(side, version)
    form.spoil = changes
    form.send()


@cases(
    no_signature=({"signature": None},),
    no_access_key=({"AWSAccessKeyId": None},),
    other_access_key=({"AWSAccessKeyId": "foo"},),
    wrong_signature=({"signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},),
)
def signature_v2(side, changes):
    form = Form(side, 2)
    form.spoil = changes
    form.send()


@cases(
    no_signature=({"x-amz-signature": None},),
    no_credential=({"x-amz-credential": None},),
    no_date=({"x-amz-date": None},),
    wrong_signature=({"x-amz-signature": "0" * 64},),
    other_algorithm=({"x-amz-algorithm": "AWS4-HMAC-SHA1"},),
)
def signature_v4(side, changes):
    form = Form(side, 4)
    form.spoil = changes
    form.send()


@both(
    missing=("expiration", None),
    other_case=("EXPIRATION", "2080-01-01T00:00:00Z"),
    past=("expiration", "2010-01-01T00:00:00Z"),
    no_date=("expiration", "2080-01-01 00:00:00.123456"),
    number=("expiration", 5),
)
def expiration(side, version, name, value):
    form = Form(side, version)
    form.policy.pop("expiration")
    if value is not None:
        form.policy[name] = value
    form.send()


@both(
    missing=(None,),
    other_name=({"CONDITIONS": [_KEY]},),
    no_list=({"conditions": {}},),
    an_empty_one=({"conditions": [{}]},),
    none=({"conditions": []},),
)
def conditions(side, version, change):
    form = Form(side, version)
    form.policy.pop("conditions")
    form.policy.update(change or {})
    form.send()


@both(
    bucket=([{"bucket": "another-bucket"}], []),
    no_bucket=([], ["bucket"]),
    size_exceeded=([["content-length-range", 0, 0]], [_SIZE]),
    size_below=([["content-length-range", 512, 1000]], [_SIZE]),
    size_of_one_number=([["content-length-range", 0]], [_SIZE]),
    size_negative=([["content-length-range", -1, 0]], [_SIZE]),
    size_as_text=([["content-length-range", "0", "1024"]], [_SIZE]),
    missing_field=([["starts-with", "$x-amz-meta-foo", "bar"]], []),
    missing_field_may_be_anything=([["starts-with", "$x-amz-meta-foo", ""]], []),
    equal_field=([["eq", "$key", "foo.txt"]], []),
    unequal_field=([["eq", "$key", "other.txt"]], []),
    unknown_operator=([["ends-with", "$key", ".txt"]], []),
    case_of_names=([["StArTs-WiTh", "$KeY", "foo"], {"AcL": "private"}], [_KEY, _PRIVATE]),
)
def condition(side, version, added, without):
    form = Form(side, version)
    if "bucket" in without:
        form.policy["conditions"] = [one for one in form.policy["conditions"] if one != {"bucket": side.bucket}]
    form.conditions(*added, without=without)
    form.send()


@both(right=("barclamp",), wrong=("other",))
def metadata(side, version, value):
    form = Form(side, version)
    form.conditions(["starts-with", "$x-amz-meta-foo", "bar"])
    form.fields["x-amz-meta-foo"] = value
    form.send()
    side.head_object(Key="foo.txt")


@both(
    created=("success_action_status", "201"),
    ok=("success_action_status", "200"),
    no_content=("success_action_status", "204"),
    other=("success_action_status", "404"),
    redirect=("success_action_redirect", "http://127.0.0.1:1/there?a=b"),
    redirect_to_nonsense=("success_action_redirect", "no address"),
)
def answer(side, version, name, value):
    form = Form(side, version)
    form.conditions(["eq", f"${name}", value])
    form.fields[name] = value
    form.send()


@both(name=("${filename}", "foo.txt"), folder=("foo/${filename}", "foo.txt"))
def key_from_the_file(side, version, key, filename):
    form = Form(side, version)
    form.conditions(["starts-with", "$key", ""], without=[_KEY])
    form.fields["key"] = key
    form.file = (filename, "bar")
    form.send()
    side.list_objects_v2()


@both(names=())
def case_of_field_names(side, version):
    form = Form(side, version)
    form.fields = {"kEy": "foo.txt", "aCl": "private", "Content-Type": "text/plain"}
    form.renamed = {"policy": "pOLICy"}
    form.send()


@both(private=("private",), public=("public-read",), none=("no-such-acl",))
def acl(side, version, name):
    form = Form(side, version)
    form.conditions({"acl": name}, without=[_PRIVATE])
    form.fields["acl"] = name
    form.send()
    side.get_object_acl(Key="foo.txt")


@both(
    two=("<Tagging><TagSet><Tag><Key>0</Key><Value>a b</Value></Tag><Tag><Key>1</Key><Value>&amp;</Value></Tag></TagSet></Tagging>",),
    none=("<Tagging><TagSet></TagSet></Tagging>",),
    no_xml=("a=b",),
    too_many=(f"<Tagging><TagSet>{''.join(f'<Tag><Key>{n}</Key><Value>1</Value></Tag>' for n in range(11))}</TagSet></Tagging>",),
)
def tags(side, version, xml):
    form = Form(side, version)
    form.conditions(["starts-with", "$tagging", "<Tagging" if xml.startswith("<") else ""])
    form.fields["tagging"] = xml
    form.send()
    side.get_object_tagging(Key="foo.txt")


@both(
    storage_class=("x-amz-storage-class", "STANDARD"),
    disposition=("Content-Disposition", "inline"),
    caching=("Cache-Control", "no-cache"),
    language=("Content-Language", "de"),
    redirect=("x-amz-website-redirect-location", "/there"),
    checksum=("x-amz-checksum-sha256", ALGORITHMS["SHA256"](b"bar")),
    wrong_checksum=("x-amz-checksum-sha256", "A" * 43 + "="),
    hold=("x-amz-object-lock-legal-hold", "OFF"),
    customer_key=("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    token=("x-amz-security-token", "abc"),
)
def further_field(side, version, name, value):
    form = Form(side, version)
    form.conditions(["eq", f"${name}", value])
    form.fields[name] = value
    form.send()
    side.head_object(Key="foo.txt")


@both(status=("success_action_status", "many"), empty=("success_action_status", ""), no_redirect=("success_action_redirect", ""))
def answer_that_is_none(side, version, name, value):
    form = Form(side, version)
    form.conditions(["eq", f"${name}", value])
    form.fields[name] = value
    form.send()


@both(nonsense=())
def redirect_to_nonsense_with_a_status(side, version):
    form = Form(side, version)
    form.conditions({"success_action_redirect": "no address"}, {"success_action_status": "201"})
    form.fields.update(success_action_redirect="no address", success_action_status="201")
    form.send()


@both(submit=())
def fields_behind_the_file(side, version):
    form = Form(side, version)
    form.behind_the_file = [("submit", "Upload")]
    form.send()


@both(text=(b"to be ignored",), line=(b"\r\nto be ignored\r\n",))
def epilogue(side, version, epilogue):
    form = Form(side, version)
    form.epilogue = epilogue
    form.send()


@both(nothing=())
def empty_type(side, version):
    form = Form(side, version)
    form.conditions(["starts-with", "$Content-Type", ""], without=[_TEXT])
    form.fields["Content-Type"] = ""
    form.send()


@both(nothing=())
def empty_file(side, version):
    form = Form(side, version)
    form.file = ("foo.txt", b"")
    form.send()


@both(dollar=())
def escaped_values(side, version):
    form = Form(side, version)
    form.conditions(["starts-with", "$key", "\\$foo"], without=[_KEY])
    form.fields["key"] = "\\$foo.txt"
    form.send()
    side.list_objects_v2()


@both(megabytes=())
def large(side, version):
    form = Form(side, version)
    form.conditions(["content-length-range", 0, 5 << 20], without=[_SIZE])
    form.file = ("foo.txt", b"foo" * (1 << 20))
    form.send()


@case
def sdk(side):
    post = side.s3.generate_presigned_post(
        side.bucket, "foo/${filename}", Fields={"Content-Type": "text/plain"}, Conditions=[_TEXT]
    )
    answer = requests.post(post["url"], data=post["fields"], files={"file": ("a.txt", b"bar")}, timeout=30)
    side.answered("form", Answer(answer.status_code, answer.headers, answer.content))
    side.get_object(Key="foo/a.txt")


@case
def anonymous(side):
    parts = [("key", (None, "foo.txt")), ("file", (None, "bar"))]
    answer = requests.post(f"{side.target.endpoint}/{side.bucket}", files=parts, timeout=30)
    side.answered("form", Answer(answer.status_code, answer.headers, answer.content))
