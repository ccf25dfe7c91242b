# uvicorn-worker ships no types; what the studio's own worker class builds on.
from typing import Any, ClassVar

class UvicornWorker:
    CONFIG_KWARGS: ClassVar[dict[str, Any]]

class UvicornH11Worker(UvicornWorker): ...
