"""One driver per real client: the same few verbs, each done by that client's own means."""

from .awscli import AwsCli
from .boto import Boto3, Boto3Crt
from .rclone import Rclone
from .s3cmd import S3cmd
from .s5cmd import S5cmd

ALL = (AwsCli, Boto3, Boto3Crt, S3cmd, S5cmd, Rclone)
