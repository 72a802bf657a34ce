"""Settings of the Python runtime that every service uses."""

import gc


def freeze_loaded_objects() -> None:
    """Exempt all loaded objects from garbage collection. Call it when every component has started."""
    # A full collection would walk all of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
