"""Signed ReleaseDisk requests for the peers (docs/protocol.md, Signature)."""

import hashlib
import hmac
import time

KEY_ID = "SANDBOXKEY0000000001"
KEY_SECRET = "sandbox-key-secret-not-a-real-one"


def body_of(disk):
    return '{"diskId":"%s"}' % disk


def headers_of(host, body):
    """The headers of a ReleaseDisk request signed now, but for Host and Content-Length."""
    now = str(int(time.time()))
    canonical = "\n".join([
        "POST", "/", "", "content-type:application/json", "host:" + host, "", "content-type;host",
        hashlib.sha256(body.encode()).hexdigest()])
    text = "\n".join(["ZC2-HMAC-SHA256", now, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(KEY_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-ZC-Action": "ReleaseDisk",
        "X-ZC-Version": "2025-09-01",
        "X-ZC-Service": "zec",
        "X-ZC-Timestamp": now,
        "X-ZC-Signature-Method": "ZC2-HMAC-SHA256",
        "Authorization": f"ZC2-HMAC-SHA256 Credential={KEY_ID}, "
                         f"SignedHeaders=content-type;host, Signature={signature}",
    }
