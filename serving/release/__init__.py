"""What a run of the pipeline hands to serving, and how it gets there."""
