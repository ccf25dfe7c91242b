"""Settings of the real processes that tests start: the project's own, on the database of the test run."""

import os

from webapp.settings import *  # noqa: F403  these are the settings; the lines below change some
from webapp.settings import DATABASES, STORAGES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
if "TEST_SQLITE_SECONDS" in os.environ:  # how long to wait for somebody else's lock
    DATABASES["default"]["OPTIONS"]["timeout"] = float(os.environ["TEST_SQLITE_SECONDS"])
# Hashed file names need `collectstatic`; the tests of the whole studio run it.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
