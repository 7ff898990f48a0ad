"""One Auto Scaling group at AWS, behind the Cloud port: the only package that calls boto3 for the service."""

from app.aws.connection import Connection, StaticKeys
from app.aws.gateway import AwsCloud
from app.aws.translate import AddressKind

__all__ = ["AddressKind", "AwsCloud", "Connection", "StaticKeys"]
