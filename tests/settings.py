"""Settings under test: the project's own, with their state in a folder that goes away with the run.

The environment is set before the project's settings read it, so that processes started by tests (workers, Redis, the
studio) inherit it and never touch the `var/` of the checkout.
"""

import atexit
import os
import shutil
import tempfile

# Short, because a Unix socket's path must fit into 108 bytes.
_FOLDER = tempfile.mkdtemp(prefix="reweave-test-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)

for _name in ("REDIS_URL", "MEDIA_ROOT", "SECRET_KEY", "DEBUG", "SENDFILE_PREFIX", "ALLOW_GUESTS", "PORT"):
    os.environ.pop(_name, None)
os.environ["REWEAVE_VAR"] = _FOLDER

from webapp.settings import *
from webapp.settings import STORAGES

# Hashing a password slowly is the point of the default hasher, and a waste in tests.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Hashed file names need `collectstatic`; the browser tests run the real studio, which does it.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

# Processes that tests start run the project's own settings, in the same folder.
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
