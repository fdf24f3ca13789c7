#!/usr/bin/env python3
"""Runs every query of dashboards/ against a real Prometheus that scrapes a running proxy.

    tests/dashboards/check.py --proxy-admin http://127.0.0.1:9001 [--proxy-s3 http://127.0.0.1:9000]

Fails when a query is no PromQL, names a metric that the proxy does not export, or shows nothing although it must;
when a rule does not load or its tests fail; when an alert has no runbook. With --proxy-s3 some requests are sent
meanwhile (unsigned, so they are denied), and graphs of rates must show them.
Needs Debian's `prometheus` (with promtool). Only Python's own library.
"""

import argparse
import contextlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "dashboards" / "strongroom.json"
ALERTS = ROOT / "dashboards" / "alerts.yml"
ALERTS_TEST = ROOT / "dashboards" / "alerts_test.yml"
RUNBOOKS = ROOT / "docs" / "runbooks"

SCRAPES = 5
NAME = re.compile(r"\b(?:strongroom|process)_\w+")
# Nothing to show is normal: no error of the kind yet, or no TLS.
MAY_BE_EMPTY = re.compile(r"strongroom_errors_total|strongroom_tls_certificate_expiry|strongroom_reconcile_|strongroom_drill_|strongroom_root_custodian_up")
# Shown only above zero, so only while there is traffic.
ONLY_WITH_TRAFFIC = re.compile(r"> 0$")


class Fault(Exception):
    """What is wrong, in one line."""


def tool(name: str) -> str:
    """Path of a program."""
    found = shutil.which(name)
    if not found:
        raise Fault(f"{name} is missing: apt-get install prometheus")
    return found


def fetch(url: str, **parameters: str) -> str:
    """The body of an answer."""
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    try:
        with urllib.request.urlopen(url + query, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def until(what: str, condition, seconds: float = 60):
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            if result := condition():
                return result
        time.sleep(0.2)
    raise Fault(f"waited {seconds:.0f} s in vain: {what}")


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def exported(admin: str) -> set[str]:
    """Every name that a query may use."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", fetch(f"{admin}/metrics"), re.M):
        names.update({f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name})
    if not names:
        raise Fault(f"{admin}/metrics exports nothing")
    return names


def panels(dashboard: dict):
    """(title, query) of every target."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")


@contextlib.contextmanager
def prometheus(admin: str):
    """A Prometheus that scrapes the proxy every second; its address."""
    with tempfile.TemporaryDirectory() as folder:
        target = urllib.parse.urlparse(admin).netloc
        config = pathlib.Path(folder) / "prometheus.yml"
        scrape = {"job_name": "strongroom", "static_configs": [{"targets": [target]}]}
        # JSON is YAML.
        settings = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": [scrape]}
        config.write_text(json.dumps({**settings, "rule_files": [str(ALERTS)]}))
        address = f"127.0.0.1:{free_port()}"
        log = open(pathlib.Path(folder) / "log", "w+")
        process = subprocess.Popen(
            [
                tool("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://{address}"
            until("Prometheus is ready", lambda: "Ready" in fetch(f"{url}/-/ready"))
            yield url
        except Fault:
            log.seek(0)
            sys.stderr.write(log.read()[-3000:])
            raise
        finally:
            process.terminate()
            process.wait(timeout=30)
            log.close()


def query(prometheus_url: str, expression: str) -> list:
    """The result of an instant query."""
    answer = json.loads(fetch(f"{prometheus_url}/api/v1/query", query=expression))
    if answer["status"] != "success":
        raise Fault(f"{expression}: {answer.get('error')}")
    return answer["data"]["result"]


def send_traffic(s3: str | None) -> None:
    """A few requests; unsigned, so they need no credential."""
    for path in ("/", "/dashboards-check", "/dashboards-check/key") if s3 else ():
        fetch(s3 + path)


def check_names(where: str, expression: str, names: set[str]) -> list[str]:
    """Metrics that do not exist."""
    unknown = sorted(set(NAME.findall(re.sub(r'"[^"]*"', "", expression))) - names)
    return [f"{where}: the proxy does not export {name}" for name in unknown]


def check_panels(url: str, names: set[str], traffic: bool) -> list[str]:
    """What is wrong with the dashboard."""
    faults = []
    for title, expression in panels(json.loads(DASHBOARD.read_text())):
        unknown = check_names(f"panel {title!r}", expression, names)
        faults += unknown
        if unknown:
            continue
        try:
            shown = query(url, expression)
        except Fault as fault:
            faults.append(f"panel {title!r}: {fault}")
            continue
        excused = MAY_BE_EMPTY.search(expression) or ONLY_WITH_TRAFFIC.search(expression)
        if not shown and not (excused and not (traffic and "strongroom_requests_total" in expression)):
            faults.append(f"panel {title!r} shows nothing: {expression}")
    return faults


def check_alerts(url: str, names: set[str]) -> list[str]:
    """What is wrong with the rules."""
    groups = json.loads(fetch(f"{url}/api/v1/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    faults = [] if rules else ["no rule was loaded"]
    for rule in rules:
        where = f"alert {rule['name']}"
        faults += check_names(where, rule["query"], names)
        if rule["health"] != "ok":
            faults.append(f"{where}: {rule['health']} {rule.get('lastError', '')}")
        if not {"summary", "description", "runbook_url"} <= set(rule["annotations"]):
            faults.append(f"{where}: summary, description and runbook_url are needed")
        elif not (RUNBOOKS / rule["annotations"]["runbook_url"].rsplit("/", 1)[1]).exists():
            faults.append(f"{where}: its runbook does not exist")
        if rule["labels"].get("severity") not in ("critical", "warning", "info"):
            faults.append(f"{where}: its severity is unknown")
    return faults


def check_rule_files() -> list[str]:
    """promtool's own view."""
    faults = []
    for arguments in (["check", "rules", str(ALERTS)], ["test", "rules", str(ALERTS_TEST)]):
        done = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, timeout=120)
        if done.returncode:
            faults.append(f"promtool {' '.join(arguments[:2])}: {done.stdout}{done.stderr}")
    return faults


def run(admin: str, s3: str | None) -> list[str]:
    """Everything that is wrong."""
    faults = check_rule_files()
    names = exported(admin)
    with prometheus(admin) as url:

        def scraped() -> bool:
            send_traffic(s3)
            return any(int(s["value"][1]) >= SCRAPES for s in query(url, 'count_over_time(up{job="strongroom"}[1m])'))

        until(f"{SCRAPES} scrapes", scraped)
        if not query(url, 'up{job="strongroom"} == 1'):
            raise Fault(f"Prometheus cannot scrape {admin}")
        until("the rules were evaluated", lambda: '"health":"unknown"' not in fetch(f"{url}/api/v1/rules"))
        return faults + check_panels(url, names, s3 is not None) + check_alerts(url, names)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proxy-admin", required=True, metavar="URL", help="admin endpoint of a running proxy")
    parser.add_argument("--proxy-s3", metavar="URL", help="S3 endpoint of the same proxy, for some traffic")
    arguments = parser.parse_args()
    try:
        faults = run(arguments.proxy_admin.rstrip("/"), arguments.proxy_s3 and arguments.proxy_s3.rstrip("/"))
    except (Fault, OSError) as fault:
        faults = [str(fault)]
    for fault in faults:
        print(f"dashboards: {fault}", file=sys.stderr)
    count = len(list(panels(json.loads(DASHBOARD.read_text()))))
    print(f"dashboards: {count} queries, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
