"""Static files with hashed names, the imports between ES modules included."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

_EXTENSION, _IMPORTS = ManifestStaticFilesStorage._js_module_import_aggregation_patterns  # type: ignore[attr-defined]


class StudioStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrites `import … from "./x.js"` to the hashed name, so that no browser mixes modules of two releases.

    Django's fourth pattern, for `import("…")`, is left out: it also rewrites types in JSDoc comments, which name files
    that are not served.
    """

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns: ClassVar = (_EXTENSION, _IMPORTS[:3])
