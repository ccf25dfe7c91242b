"""Settings of the real processes that tests start: the project's own, on the database of the test run."""

import os

from webapp.settings import *  # noqa: F403  these are the settings; the next line changes one
from webapp.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
