"""The engine over HTTP: who may ask and how much, bodies in and out, errors, metrics, the page."""
