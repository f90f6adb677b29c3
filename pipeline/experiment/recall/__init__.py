"""The recall article's ladder: from IDs alone to feature and conditional output fusion."""
