"""SavedModels over TF Serving's gRPC and REST, for development and tests."""
