"""Steps, shards, receipts and executors: how a recipe becomes a finished output folder."""
