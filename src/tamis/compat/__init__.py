"""Compat: filters of other libraries in a Chain, and a Chain in their pipelines, imported when asked for."""
