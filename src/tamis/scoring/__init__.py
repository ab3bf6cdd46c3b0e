"""Model-based scoring: the one place that may import torch. Its scorers are not written yet."""
