"""The worker process: it owns one device and advances many runs. torch lives here."""
