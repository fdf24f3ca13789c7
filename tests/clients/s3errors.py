"""Whether a boto3 call fails, and with what."""

import pytest
from botocore.exceptions import BotoCoreError, ClientError


def error_of(call, **arguments) -> tuple[str, int]:
    """S3 error code and HTTP status of a call that must fail."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def succeeds(call, *arguments) -> bool:
    """Whether the call ends without an error of the service's or of the connection's."""
    try:
        call(*arguments)
    except (ClientError, BotoCoreError):
        return False
    return True
