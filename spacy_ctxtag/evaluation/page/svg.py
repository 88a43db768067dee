"""A figure of matplotlib as SVG inside an HTML page: in the colours of the page, light or dark, and with its fonts.

A figure is drawn with the colours of `Ink`, each of which stands for a CSS variable of the page; there is nothing else
that ties the two together. It draws no figures: see `plots`.
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any, Dict
from xml.etree import ElementTree

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


class Ink:
    """Colours that stand for the CSS variables of the same names."""

    INK, MUTED, LINE, ACCENT, SECOND, SURFACE = (f"#0101{n:02x}" for n in range(1, 7))


VARIABLES = {value: f"var(--{name.lower()})" for name, value in vars(Ink).items() if name.isupper()}
STYLE: Dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "text.parse_math": False,  # a label may have dollar signs
    "font.size": 12,
    "text.color": Ink.INK,
    "axes.labelcolor": Ink.MUTED,
    "axes.edgecolor": Ink.LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": Ink.LINE,
    "grid.linewidth": 0.8,
    "xtick.color": Ink.LINE,
    "ytick.color": Ink.LINE,
    "xtick.labelcolor": Ink.MUTED,
    "ytick.labelcolor": Ink.INK,
    "legend.frameon": False,
    "legend.labelcolor": Ink.MUTED,
    "legend.fontsize": 11,
    "lines.linewidth": 1.6,
}


def inline_svg(draw: Callable[[], Any], name: str, title: str) -> str:
    """The SVG of a figure.

    draw (Callable[[], Figure]): Makes the figure; runs with the settings of `STYLE`.
    name (str): Makes ids that no other figure of the page has.
    title (str): What it shows, for those who do not see it.
    RETURNS (str): An `<svg>` without width and height, for HTML.
    """
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's fonts have what matplotlib's own lack.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        draw().savefig(file, format="svg")
    root = ElementTree.fromstring(file.getvalue())
    for element in list(root):
        if element.tag == f"{SVG}metadata" or element.find(f"{SVG}style") is not None:
            root.remove(element)  # the style would be that of all elements of the page
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', text))
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        if XLINK in element.attrib:
            element.set("href", element.attrib.pop(XLINK))
        if "style" in element.attrib:
            element.set("style", _style_of_the_page(element.attrib["style"]))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib.update(
        {"role": "img", "aria-label": title, "style": f"max-width: {1.12 * width:.0f}px", "stroke-linejoin": "round"}
    )
    return ElementTree.tostring(root, encoding="unicode")


def _style_of_the_page(style: str) -> str:
    style = re.sub(r"font-family:[^;]*;?", "", style)
    style = re.sub(r"font:[^;]*?([\d.]+px)[^;]*", r"font-size: \1", style)  # matplotlib before 3.9
    return re.sub(r"#0101[0-9a-f]{2}", lambda match: VARIABLES[match[0]], style).strip("; ")
