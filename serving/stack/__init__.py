"""All parts of serving on one machine: `adlens serve`."""
