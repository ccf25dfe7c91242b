"""Figures that papers report on other data, to stand beside one's own: for orientation, never for comparison."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reported:
    """One table of a paper; what is bold there and what the units are is said in the note."""

    source: str
    data: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


_TMAD = "Xu et al., Texture Memory-Augmented Deep Patch-Based Image Inpainting (T-MAD), 2020, arXiv 2009.13240"
_LBP = (
    "Wu, Zhou and Li, Deep Generative Model for Image Inpainting with Local Binary Pattern Learning and Spatial "
    "Attention, 2021, doi 10.1109/TMM.2021.3111491"
)
_TTA = (
    "Kim, Cheon and Lee, Texture Transform Attention for Realistic Image Inpainting (TTA-Net), 2020, arXiv 2012.04242"
)

REPORTED: tuple[Reported, ...] = (
    Reported(
        f"{_TTA}, Table 1",
        "Places2 validation photos at 512 × 512 px, free-form holes of 10–40 %",
        ("L1 ↓", "MS-SSIM ↑", "FID ↓", "LPIPS ↓"),
        (
            ("DeepFillv1", "6.99", "80.26", "110.9", "0.1195"),
            ("DeepFillv2", "4.46", "85.58", "48.62", "0.0687"),
            ("EdgeConnect", "3.8", "86.72", "44.96", "0.0609"),
            ("TTA-Net", "4.36", "85.3", "43.52", "0.0595"),
        ),
        "L1 without a unit in the paper; MS-SSIM times 100; about 0.15 s a picture on an NVIDIA RTX card.",
    ),
    Reported(
        f"{_TMAD}, Table III, random rectangles",
        "Places validation photos",
        ("L1 ↓", "PSNR ↑", "SSIM ↑", "TV ↓", "FID ↓"),
        (
            ("PatchMatch", "14.795", "15.038", "0.819", "10.93", "11.630"),
            ("GL", "13.806", "15.659", "0.821", "12.04", "10.379"),
            ("PICNet", "12.722", "16.068", "0.801", "12.64", "9.638"),
            ("EdgeConnect", "11.105", "16.690", "0.858", "11.30", "8.176"),
            ("StructureFlow", "10.915", "16.850", "0.861", "11.18", "8.156"),
            ("DeepFill", "10.829", "16.843", "0.859", "11.35", "8.148"),
            ("CRA", "10.830", "16.839", "0.861", "11.40", "8.150"),
            ("T-MAD", "10.334", "17.203", "0.867", "11.04", "8.131"),
        ),
        "Whether L1 and PSNR are over the hole or the whole picture is not stated.",
    ),
    Reported(
        f"{_TMAD}, Table III, random irregular masks and inference",
        "Places validation photos",
        ("L1 ↓", "PSNR ↑", "SSIM ↑", "TV ↓", "FID ↓", "pictures/s ↑", "parameters"),
        (
            ("PatchMatch", "11.276", "17.387", "0.839", "13.02", "10.751", "11", "–"),
            ("GL", "10.269", "17.403", "0.855", "13.50", "8.295", "24", "3.6 M"),
            ("PICNet", "9.477", "18.097", "0.860", "13.35", "8.097", "22", "6.0 M"),
            ("EdgeConnect", "9.368", "18.249", "0.869", "13.44", "8.097", "20", "5.3 M"),
            ("StructureFlow", "9.348", "18.279", "0.872", "13.24", "8.080", "18", "10.2 M"),
            ("DeepFill", "9.372", "18.230", "0.871", "13.42", "8.079", "45", "4.1 M"),
            ("CRA", "9.260", "18.226", "0.870", "13.33", "8.071", "48", "2.7 M"),
            ("T-MAD", "9.261", "18.351", "0.873", "13.27", "8.058", "47", "3.9 M"),
        ),
    ),
    Reported(
        f"{_LBP}, Table I",
        "CelebA-HQ, a square hole of 120 × 120 px in the middle of 256 × 256 px",
        ("L1 (%) ↓", "SSIM ↑", "PSNR (dB) ↑"),
        (
            ("Contextual attention", "4.98", "0.882", "25.05"),
            ("Shift-Net", "3.20", "0.924", "28.13"),
            ("Gated convolution", "4.46", "0.897", "26.43"),
            ("EdgeConnect", "3.64", "0.912", "27.20"),
            ("LBP", "3.16", "0.926", "28.34"),
        ),
        "L1 is relative to the truth's own sum in the authors' program.",
    ),
    Reported(
        f"{_LBP}, Table II",
        "Places, irregular holes; L1 (%) / SSIM / PSNR (dB)",
        ("10–20 %", "20–30 %", "30–40 %", "40–50 %"),
        (
            (
                "Contextual attention",
                "5.11 / 0.887 / 24.08",
                "9.05 / 0.805 / 20.99",
                "13.40 / 0.724 / 18.92",
                "17.61 / 0.642 / 17.56",
            ),
            (
                "Shift-Net",
                "2.82 / 0.921 / 27.93",
                "5.03 / 0.860 / 24.94",
                "7.53 / 0.793 / 22.80",
                "10.43 / 0.719 / 21.11",
            ),
            (
                "Gated convolution",
                "3.07 / 0.929 / 27.67",
                "5.45 / 0.869 / 24.24",
                "8.25 / 0.802 / 21.82",
                "11.57 / 0.726 / 19.90",
            ),
            (
                "EdgeConnect",
                "2.78 / 0.924 / 27.29",
                "4.95 / 0.868 / 24.82",
                "7.42 / 0.804 / 22.63",
                "10.33 / 0.732 / 20.91",
            ),
            ("LBP", "2.43 / 0.936 / 28.85", "4.47 / 0.880 / 25.59", "6.84 / 0.817 / 23.30", "9.65 / 0.745 / 21.48"),
        ),
    ),
)
