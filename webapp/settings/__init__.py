"""Settings, read from the environment with defaults that make one laptop work.

Everything a deployment may change is an environment variable, listed in docs/settings.md.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from webapp.settings.database import database_settings
from webapp.settings.env import env_bool, env_int, env_list, env_str
from webapp.settings.logs import logging_settings
from webapp.settings.mail import mail_settings
from webapp.settings.notices import notice_settings
from webapp.settings.queue import queue_settings
from webapp.settings.security import content_security_policy, transport_settings
from webapp.settings.storage import storage_settings
from webapp.settings.teams import team_settings

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(env_str("REWEAVE_VAR", str(BASE_DIR / "var"))).resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """The configured key, or one made on first start and kept in the data folder.

    Several processes may start at once; the key gets its name by a link, so whoever reads it reads a whole one,
    and all of them the same.
    """
    given = env_str("SECRET_KEY", "")
    if given:
        return given
    path = VAR_DIR / "secret_key"
    if not path.exists():
        draft = VAR_DIR / f"secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50), encoding="ascii")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


SECRET_KEY = _secret_key()
DEBUG = env_bool("DEBUG", False)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "ninja",
    "webapp.accounts",
    "webapp.teams",
    "webapp.photos",
    "webapp.jobs",
    "webapp.notifications",
    "webapp.reviews",
    "webapp.galleries",
    "webapp.sharing",
    "webapp.operations",
    "webapp.evaluations",
    "webapp.api",
]

MIDDLEWARE = [
    "webapp.operations.requests.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "webapp.errors.ErrorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "webapp.accounts.middleware.GuestsAreVisitorsMiddleware",
]

ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "frontend" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.accounts.context.people",
                "webapp.notifications.context.notices",
            ],
        },
    }
]

DATABASES = {"default": database_settings(VAR_DIR)}

# Accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "pictures"

_mail = mail_settings(VAR_DIR)
EMAIL_BACKEND = _mail.backend
EMAIL_FILE_PATH = str(_mail.folder)
EMAIL_HOST = _mail.host
EMAIL_PORT = _mail.port
EMAIL_HOST_USER = _mail.user
EMAIL_HOST_PASSWORD = _mail.password
EMAIL_USE_TLS = _mail.use_tls
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _mail.sender

ACCOUNT_ADAPTER = "webapp.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_USERNAME_VALIDATORS = "webapp.accounts.validators.username_validators"
ACCOUNT_USERNAME_MIN_LENGTH = 3
ACCOUNT_EMAIL_VERIFICATION = _mail.verification
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Reweave] "
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_SESSION_REMEMBER = True
# Limits of sign-up, login and password reset by address and by account; these are stricter than the defaults.
ACCOUNT_RATE_LIMITS = {"login": "20/m/ip", "login_failed": "10/m/ip,5/300s/key", "signup": "10/m/ip"}

MFA_TOTP_ISSUER = "Reweave"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
FIRST_ACCOUNT_IS_ADMIN = env_bool("FIRST_ACCOUNT_IS_ADMIN", True)

# Visitors may work without signing in; their pictures are bound to the browser's session.
ALLOW_GUESTS = env_bool("ALLOW_GUESTS", True)
ALLOW_SIGNUP = env_bool("ALLOW_SIGNUP", True)
# Room for one person's own pictures, in bytes; 0 for no limit. Teams have quotas of their own.
STORAGE_PER_USER = env_int("STORAGE_PER_USER_MB", 0, minimum=0, maximum=100_000_000) * 1024 * 1024
GUEST_DAYS = env_int("GUEST_DAYS", 30, minimum=0, maximum=10_000)
GUESTS_PER_HOUR = env_int("GUESTS_PER_HOUR", 30, minimum=0)
UPLOADS_PER_HOUR = env_int("UPLOADS_PER_HOUR", 200, minimum=0)

LANGUAGE_CODE = "en"
TIME_ZONE = env_str("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [
    BASE_DIR / "frontend" / "static",
    # The same files that reports which stand alone carry inside.
    ("evaluation", BASE_DIR / "inpainting" / "evaluation" / "assets"),
]
MEDIA_ROOT = Path(env_str("MEDIA_ROOT", str(VAR_DIR / "media"))).resolve()
STORAGES = storage_settings()
SAMPLES_DIR = BASE_DIR / "frontend" / "static" / "samples"

# Uploads
MAX_UPLOAD_BYTES = env_int("MAX_UPLOAD_MB", 50, minimum=1, maximum=2000) * 1024 * 1024
MAX_UPLOAD_PIXELS = env_int("MAX_UPLOAD_MPX", 100, minimum=1, maximum=1000) * 1_000_000
EVALUATION_MAX_PHOTOS = env_int("EVALUATION_MAX_PHOTOS", 200, minimum=1, maximum=10_000)
# Photos at full size × holes × models: what there is to fill, measure and keep, in millions of pixels.
EVALUATION_FULL_MEGAPIXELS = env_int("EVALUATION_FULL_MEGAPIXELS", 2000, minimum=1, maximum=10_000_000)
EVALUATION_MAX_ACTIVE_PER_USER = env_int("EVALUATION_MAX_ACTIVE_PER_USER", 2, minimum=1, maximum=1000)
SENDFILE_PREFIX = env_str("SENDFILE_PREFIX", "")
FILE_UPLOAD_HANDLERS = [
    "webapp.photos.uploads.SizeLimitHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# How long deleted pictures can be brought back
TRASH_DAYS = env_int("TRASH_DAYS", 30, minimum=1, maximum=3650)

# Sessions, cookies, headers
_transport = transport_settings()
SESSION_ENGINE = "webapp.accounts.sessions"
SESSION_COOKIE_AGE = env_int("SESSION_DAYS", 30, minimum=1, maximum=400) * 86400
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _transport.https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = _transport.https
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = _transport.hsts_seconds
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _transport.trusted_proxies else None
USE_X_FORWARDED_HOST = _transport.use_forwarded_host
ALLAUTH_TRUSTED_PROXY_COUNT = _transport.trusted_proxies
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _transport.https else "http"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = content_security_policy(https=_transport.https)

LOGGING = logging_settings()

# Addresses in mails that no request is at hand for
SITE_URL = env_str("SITE_URL", f"http://localhost:{env_int('PORT', 8000, minimum=1, maximum=65535)}").rstrip("/")
NOTICES = notice_settings()
TEAMS = team_settings()

METRICS_TOKEN = env_str("METRICS_TOKEN", "")

# What belongs to Redis, Celery, Channels and jobs
_queue = queue_settings(VAR_DIR)
REDIS_URL = _queue.redis_url
CHANNEL_LAYERS = _queue.channel_layers
CELERY = _queue.celery
JOBS = _queue.jobs
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "reweave:cache",
    }
}
