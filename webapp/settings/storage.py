"""Where pictures lie: a local folder, or a bucket that speaks S3."""

from __future__ import annotations

from typing import Any

from webapp.settings.env import env_str


def storage_settings() -> dict[str, Any]:
    """A folder (`MEDIA_ROOT`) unless `S3_BUCKET` names a bucket; static files get hashed names either way.

    Pictures in a bucket stay private: they are read by the web process and handed out by its authorised views,
    so no address of the bucket ever reaches a browser.
    """
    bucket = env_str("S3_BUCKET", "")
    s3_options = {
        "bucket_name": bucket,
        "endpoint_url": env_str("S3_ENDPOINT_URL", "") or None,
        "region_name": env_str("S3_REGION", "") or None,
        "access_key": env_str("S3_ACCESS_KEY_ID", "") or None,
        "secret_key": env_str("S3_SECRET_ACCESS_KEY", "") or None,
        "location": env_str("S3_PREFIX", ""),
        "default_acl": None,
        "file_overwrite": False,
        "querystring_auth": True,
        # A store that is away is to be told within seconds, not after a minute of trying.
        "client_config": _client_config() if bucket else None,
    }
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    return {
        "default": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": s3_options} if bucket else local,
        "staticfiles": {"BACKEND": "webapp.staticfiles.StudioStaticFiles"},
    }


def _client_config() -> Any:
    from botocore.config import Config

    return Config(connect_timeout=3, read_timeout=30, retries={"max_attempts": 2, "mode": "standard"})
