"""What must hold around every refused request."""

from common.target import Target
from common.wait import until
from common.wire import Answer


class Watch:
    """Looks at the proxy before and after: one line in the access log, alive, no panic."""

    def __init__(self, target: Target):
        self.proxy = target.proxy
        self.mark = self.proxy.access_log.mark()

    def record(self, count: int = 1) -> dict[str, str]:
        """The one record that was written since (the last of `count`)."""
        log = self.proxy.access_log
        until(lambda: len(log.since(self.mark)) >= count, "a line in the access log", 10)
        records = log.since(self.mark)
        assert len(records) == count, records
        self.mark = log.mark()
        self.alive()
        return records[-1]

    def alive(self) -> None:
        """The process runs and has not panicked."""
        assert self.proxy.running, "the proxy died"
        self.proxy.assert_healthy_logs()

    def refused(self, answer: Answer, status: int, *codes: str) -> None:
        """An S3 error with one of the codes, and a record that says the same."""
        assert answer.status == status and answer.code in codes, (answer.status, answer.code, answer.body[:500])
        assert answer.headers["Content-Type"] == "application/xml"
        record = self.record()
        assert record["request_id"] == answer.request_id
        assert (record["status"], record["error_code"]) == (str(answer.status), answer.code)
