"""What a boto3 call fails with."""

import pytest
from botocore.exceptions import ClientError


def error_of(call, **arguments) -> tuple[str, int]:
    """S3 error code and HTTP status of a call that must fail."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
