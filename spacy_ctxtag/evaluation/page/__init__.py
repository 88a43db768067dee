"""The HTML page of an evaluation: `render_page` and `write_page`. What is in it comes from the report alone."""

from .render import render_page, write_page

__all__ = ["render_page", "write_page"]
