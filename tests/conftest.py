"""What every test shares: order of the run, and where the checkout is."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Cheap tests first, so that a mistake shows within seconds; Chromium last.
_COST = ("slow", "real", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by cost, within the same cost as collected; give browser tests a second chance."""

    def cost(item: pytest.Item) -> int:
        return max((place for place, name in enumerate(_COST, start=1) if item.get_closest_marker(name)), default=0)

    items.sort(key=cost)
    for item in items:
        if item.get_closest_marker("browser"):
            # A browser on a crowded machine now and then loses a race that has nothing to do with the studio. Such a
            # test is run once more, and the summary lists it as RERUN: those are to be looked into.
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT
