"""One Auto Scaling group at AWS, behind the ports Cloud and Preflight: the only boto3 of the service."""

from app.aws.account import Account, StaticKeys
from app.aws.connection import Connection
from app.aws.gateway import AwsCloud
from app.aws.preflight import AwsPreflight
from app.aws.translate import AddressKind

__all__ = ["Account", "AddressKind", "AwsCloud", "AwsPreflight", "Connection", "StaticKeys"]
