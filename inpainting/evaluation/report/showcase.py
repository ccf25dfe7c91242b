"""Best and worst cases side by side, for the eye."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.evaluation.measures import MEASURE_BY_KEY, Measure
from inpainting.evaluation.report.html import Markup, tag

RGB = NDArray[np.uint8]
ReadPicture = Callable[[str, str], RGB]
"""(case id, ``truth``, ``hole`` or a contestant's name) → (H, W, 3)."""
_MOST_CASES = 12
_LONGEST_SIDE = 640
_MARGIN = 48
_QUALITY = 88
_ROLES = (("worst", 2), ("best", 1))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A case worth looking at, and why."""

    case: Mapping[str, Any]
    reasons: tuple[str, ...]


def ranking_measure(summary: Mapping[str, Any]) -> Measure:
    """By what best and worst are judged: the perceptual distance where there is one, else the error in the hole."""
    for key in ("lpips", "lite0_distance", "l1_hole"):
        if key in summary["measures"]:
            return MEASURE_BY_KEY[key]
    raise ValueError("Nothing was measured.")


def choose(summary: Mapping[str, Any]) -> list[Chosen]:
    """The worst two and the best case of each contestant, each case once, the first contestants' first."""
    measure = ranking_measure(summary)
    cases = {str(case["id"]): case for case in summary["cases"]}
    reasons: dict[str, list[str]] = {}
    for contestant in summary["contestants"]:
        values = summary["values"][measure.key][contestant["name"]]
        known = [(float(value), place) for place, value in enumerate(values) if value is not None]
        ordered = sorted(known)
        for role, count in _ROLES:
            picked = ordered[-count:][::-1] if role == "worst" else ordered[:count]
            for value, place in picked:
                text = f"{role} of {contestant['title']} ({measure.number(value)})"
                reasons.setdefault(summary["value_cases"][place], []).append(text)
    return [Chosen(cases[case_id], tuple(texts)) for case_id, texts in list(reasons.items())[:_MOST_CASES]]


def showcase(summary: Mapping[str, Any], read: ReadPicture, add_file: Callable[[str, bytes, str], str]) -> Markup:
    """All chosen cases; their pictures go to `add_file` (name, data, type), which says how to address them."""
    measure = ranking_measure(summary)
    places = {case_id: place for place, case_id in enumerate(summary["value_cases"])}
    blocks = []
    for number, chosen in enumerate(choose(summary), start=1):
        case_id = str(chosen.case["id"])
        truth, hole = read(case_id, "truth"), read(case_id, "hole")[..., 0] >= 128
        window = _window(hole)
        shown: list[tuple[str, str, RGB]] = [
            ("Truth", "", truth),
            ("Input", f"hole {chosen.case['hole_share']:.0%}", _hatched(truth, hole)),
        ]
        for contestant in summary["contestants"]:
            value = summary["values"][measure.key][contestant["name"]][places[case_id]]
            text = "" if value is None else f"{measure.title} {measure.number(float(value))}"
            shown.append((str(contestant["title"]), text, read(case_id, str(contestant["name"]))))
        figures = []
        for place, (title, text, pixels) in enumerate(shown):
            data = _webp(pixels[window])
            address = add_file(f"case-{number}-{place}.webp", data, "image/webp")
            alt = f"{title}: {chosen.case['photo']}"
            image = tag("img", src=address, alt=alt, loading="lazy", decoding="async", draggable="false")
            figures.append(
                tag(
                    "figure",
                    tag("div", image, class_="pane"),
                    tag("figcaption", tag("b", title), tag("span", text) if text else None),
                )
            )
        sentence = "; ".join(chosen.reasons)
        blocks.append(
            tag(
                "section",
                tag("h3", f"{number}. {chosen.case['photo']}", tag("span", sentence, class_="why")),
                tag("div", figures, class_="panes", tabindex="0", role="group", aria_label=f"Case {number}, zoomable"),
                class_="case",
                data_zoom=True,
            )
        )
    return Markup("".join(blocks))


def _window(hole: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Small pictures whole; of large ones the hole with what is around it."""
    height, width = hole.shape
    if max(height, width) <= _LONGEST_SIDE:
        return slice(0, height), slice(0, width)
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    margin = max(_MARGIN, (int(rows[-1] - rows[0]) + int(columns[-1] - columns[0])) // 8)
    return (
        slice(max(0, int(rows[0]) - margin), min(height, int(rows[-1]) + 1 + margin)),
        slice(max(0, int(columns[0]) - margin), min(width, int(columns[-1]) + 1 + margin)),
    )


def _hatched(truth: RGB, hole: NDArray[np.bool_]) -> RGB:
    """The input as people recognise it: stripes in the hole."""
    y, x = np.mgrid[: hole.shape[0], : hole.shape[1]]
    width = max(4, max(hole.shape) // 48)
    stripes = np.where(((x + y) // width) % 2 == 0, 214, 190).astype(np.uint8)
    return np.where(hole[:, :, None], stripes[:, :, None], truth)


def _webp(pixels: RGB) -> bytes:
    scale = _LONGEST_SIDE / max(pixels.shape[:2])
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".webp", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not done:
        raise ValueError("A picture of the report could not be written.")
    return data.tobytes()
