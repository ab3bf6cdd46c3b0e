"""The native extractor: one linear pass over the bytes, block features, small trees, the best cut."""
