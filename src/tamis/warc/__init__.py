"""Bytes in: manifests, spans, damage-proof WARC reading, ready-made text and fetching."""
