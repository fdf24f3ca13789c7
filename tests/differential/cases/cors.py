"""Cross-origin requests: preflights, and the headers of real answers."""

from cases import case, cases

_RULES = [
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["*suffix"]},
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["start*end"]},
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["prefix*"]},
    {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*.put"]},
    {
        "AllowedMethods": ["DELETE"],
        "AllowedOrigins": ["https://app.example.com"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag", "x-amz-meta-a"],
        "MaxAgeSeconds": 300,
    },
    {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]},
]


def _configured(side, rules=None):
    side.put_bucket_cors(CORSConfiguration={"CORSRules": rules or _RULES})
    side.put_object(Key="foo", Body=b"bar")


@cases(
    nothing=(None, None, None),
    no_method=("foo.suffix", None, None),
    suffix=("foo.suffix", "GET", None),
    not_suffix=("foo.suffix.get", "GET", None),
    other=("foo.bar", "GET", None),
    start_end=("startend", "GET", None),
    start_1_end=("start1end", "GET", None),
    not_start_end=("0start12end", "GET", None),
    prefix=("prefix.suffix", "GET", None),
    other_method=("foo.suffix", "PUT", None),
    put=("foo.put", "PUT", None),
    put_gets=("foo.put", "GET", None),
    any_origin=("http://somewhere", "HEAD", None),
    headers=("https://app.example.com", "DELETE", "X-Amz-Meta-A, content-type"),
    one_header=("https://app.example.com", "DELETE", "x-amz-date"),
    other_headers=("https://app.example.com", "DELETE", "x-amz-date, authorization"),
    unknown_method=("http://somewhere", "BREW", None),
    header_without_a_rule_for_it=("foo.suffix", "GET", "x-amz-date"),
)
def preflight(side, origin, method, headers):
    _configured(side)
    sent = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    sent = {name: value for name, value in sent.items() if value}
    side.raw("OPTIONS", "foo", headers=sent, sign=False)
    side.raw("OPTIONS", "", headers=sent, sign=False)


@cases(
    suffix=("GET", "foo.suffix"),
    other=("GET", "foo.bar"),
    any=("HEAD", "http://somewhere"),
    exposed=("DELETE", "https://app.example.com"),
    put=("PUT", "foo.put"),
)
def of_a_real_request(side, method, origin):
    _configured(side)
    side.raw(method, "foo", headers={"Origin": origin})
    side.raw(method, "foo")
    side.raw("GET", "never-there", headers={"Origin": "foo.suffix"})
    side.raw("GET", "", headers={"Origin": "foo.suffix"})


@cases(get=("GET",), put=("PUT",), delete=("DELETE",))
def of_a_real_request_that_names_a_method(side, named):
    _configured(side)
    for origin in ("foo.suffix", "foo.put", "foo.bar"):
        headers = {"Origin": origin, "Access-Control-Request-Method": named}
        side.raw("PUT", "foo", b"bar", headers=headers)
        side.raw("GET", "foo", headers=headers)


@case
def without_a_configuration(side):
    side.raw("OPTIONS", "foo", headers={"Origin": "a", "Access-Control-Request-Method": "GET"}, sign=False)
    side.put_object(Key="foo", Body=b"bar")
    side.raw("GET", "foo", headers={"Origin": "a"})
    side.get_bucket_cors()


@case
def of_no_bucket(side):
    headers = {"Origin": "a", "Access-Control-Request-Method": "GET"}
    side.raw("OPTIONS", path="/no-such-bucket-anywhere/foo", headers=headers, sign=False)
    side.raw("OPTIONS", path="/", headers=headers, sign=False)


@case
def follows_the_configuration(side):
    ask = {"Origin": "http://b", "Access-Control-Request-Method": "GET"}
    _configured(side, [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://a"]}])
    side.raw("OPTIONS", "foo", headers=ask, sign=False)
    _configured(side, [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://b"]}])
    side.raw("OPTIONS", "foo", headers=ask, sign=False)
    side.delete_bucket_cors()
    side.raw("OPTIONS", "foo", headers=ask, sign=False)
    side.get_bucket_cors()
