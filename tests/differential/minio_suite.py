"""Runs the functional tests that come with MinIO's Python client against `SERVER_ENDPOINT`: a line of JSON, test to whether it passed.

    python minio_suite.py SOURCE_FOLDER

Theirs end at the first failure and write their files to the working folder.
"""

import importlib.util
import json
import pathlib
import sys


def main(source: str) -> None:
    """All of them, each by itself."""
    file = pathlib.Path(source) / "tests" / "functional" / "tests.py"
    spec = importlib.util.spec_from_file_location("minio_functional", file)
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    call, passed = theirs._call_test, {}

    def each(test, *args, **kwargs):
        name = test.__name__ + ("+sse" if kwargs else "")
        try:
            call(test, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one is run
            passed[name] = False
            print(f"{name}: {error!r}", file=sys.stderr)
        else:
            passed[name] = True

    theirs._call_test = each
    theirs.main()
    print("\n" + json.dumps(passed))


if __name__ == "__main__":
    main(sys.argv[1])
